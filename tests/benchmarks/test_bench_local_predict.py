"""How long local predictions take, beside gcloud and beside the framework alone.

Measured 2026-11-23 on 2 cores of an AMD EPYC that others used too (load 2 to 5), Python 3.11, gcloud 528,
scikit-learn 1.9.1, XGBoost 3.2.0, TensorFlow 2.21.0; medians of 5 rounds. The floor is what the framework alone takes:
forked from a process that has it imported, or called in a process that holds the model.

====================================  =========  =========  =========  ===========  ==========
one row                               linear     forest     booster    SavedModel   goal
====================================  =========  =========  =========  ===========  ==========
gcloud                                6.34 s     8.50 s     10.0 s     8.04 s
first prediction, parent up           38.2 ms    145 ms     36.5 ms    260 ms
  its floor: fork, load, predict      35.8 ms    89.8 ms    85.4 ms    287 ms
  gcloud takes                        157x       66x        219x       39x          100x, 30x
nothing warm, the whole process       1.66 s     2.74 s     3.19 s     2.37 s
  gcloud takes                        3.96x      3.67x      3.15x      4.21x        2.5x
  of its floor, python -c             1.01x      0.96x      0.94x      0.27x        1.15x
repeated call                         0.48 ms    13.8 ms    0.93 ms    0.95 ms
  its floor: predict                  0.16 ms    8.8 ms     0.68 ms    0.46 ms
  gcloud takes                        12,880x    651x       10,862x    13,320x      1,000x
100,000 rows                          363 ms     895 ms     1.04 s     1.24 s
  its floor: loads, predict, dumps    510 ms     916 ms     951 ms     1.18 s
  of the floor                        0.77x      0.97x      1.18x      0.97x        2x
====================================  =========  =========  =========  ===========  ==========

The forest (100 trees) is slow by itself: unpickling takes 33 ms, a row 8 ms. Two of its goals lie at its floor, and
the machine decides: a second run gave 94x of the 120x that the floor reached, and 1,117x of 1,436x.
A SavedModel is faster than its floor of `python -c` because the worker imports parts of TensorFlow only.
"""

from __future__ import annotations

import json
import random
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import framework_only
import pytest
from request_loops import Goal, in_turns, ratio, seconds

from aip_magics.prediction import ForkServerPool, WorkerPool, local_predict

pytestmark = pytest.mark.benchmark

GCLOUD = "gcloud ai-platform local predict"
COLD = "aip-magics local-predict, nothing warm"
ONCE = "python -c load, predict"
FIRST = "first local_predict(), parent up"
REPEATED = "repeated local_predict()"
FORK = "floor of the first: fork, load, predict"
HELD = "floor of the repeated: predict"
BATCH, BATCH_HELD = "local_predict() of 100,000 rows", "json.loads, predict, json.dumps"

ROWS = 100_000
CALLS = 20  # of a warm worker in one round: one alone is too short to tell


def rows(count: int) -> list[list[float]]:
    chance = random.Random(5)
    return [[round(chance.gauss(0, 1), 6) for _ in range(framework_only.COLUMNS)] for _ in range(count)]


def ran(words: list[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


class Ways:
    """The ways to predict one row with a model. Each keeps its answer, tells the seconds, and leaves nothing behind."""

    def __init__(self, model: Path, folder: Path, parents: ForkServerPool, warm: WorkerPool, words: list[str]) -> None:
        self.model, self.framework = model, framework_only.MODELS[model.name]
        self.parents, self.warm = parents, warm
        self.rows = rows(1)
        self.request, self.lines = folder / "request.json", folder / "lines.json"
        self.request.write_text(json.dumps({"instances": self.rows}))
        self.lines.write_text("".join(f"{json.dumps(row)}\n" for row in self.rows))
        self.words = words
        self.answers: dict[str, Any] = {}

    def command(self, name: str, words: list[str]) -> float:
        line = [*words, "--model-dir", str(self.model), "--framework", self.framework]
        line += ["--json-instances", str(self.lines), "--format", "json"]
        return seconds(lambda: self.answers.update({name: json.loads(ran(line))["predictions"]}))

    def gcloud(self) -> float:
        return self.command(GCLOUD, ["gcloud", "ai-platform", "local", "predict"])

    def cold(self) -> float:
        return self.command(COLD, [*self.words, "local-predict"])

    def once(self) -> float:
        code = framework_only.ONCE[self.framework].format(dir=self.model, rows=self.rows)
        taken = seconds(lambda: self.answers.update({ONCE: json.loads(ran([sys.executable, "-c", code]))}))
        if self.framework == "tensorflow":
            self.answers[ONCE] = [{"y": y} for y in self.answers[ONCE]]
        return taken

    def first(self) -> float:
        with WorkerPool(fork_servers=self.parents) as pool:
            return seconds(lambda: self.api(FIRST, pool))

    def repeated(self) -> float:
        return statistics.median(seconds(lambda: self.api(REPEATED, self.warm)) for _ in range(CALLS))

    def api(self, name: str, pool: WorkerPool) -> None:
        answer = local_predict(self.model, self.rows, framework=self.framework, pool=pool)
        self.answers[name] = answer["predictions"]

    def floor(self, name: str, ask: Callable[[Path], dict[str, Any]], calls: int) -> Callable[[], float]:
        def measure() -> float:
            answers = [ask(self.request) for _ in range(calls)]
            self.answers[name] = answers[0]["predictions"]
            return statistics.median(answer["seconds"] for answer in answers)

        return measure


def test_bench_local_predict_one_row(
    model: Path, tmp_path: Path, aip_magics: list[str], resident: Any, tell: Any
) -> None:
    fast = Goal(least=30 if model.name == "saved" else 100)
    with ForkServerPool() as parents, WorkerPool(fork_servers=parents) as warm:
        ways = Ways(model, tmp_path, parents, warm, aip_magics)
        measured = in_turns(
            {
                **({GCLOUD: ways.gcloud} if shutil.which("gcloud") else {}),
                COLD: ways.cold,
                ONCE: ways.once,
                FIRST: ways.first,
                REPEATED: ways.repeated,
                FORK: ways.floor(FORK, resident("fork"), 1),
                HELD: ways.floor(HELD, resident("hold"), CALLS),
            }
        )
    tell(f"one row, {model.name} ({ways.framework}):", *measured.values())
    if GCLOUD in measured:
        tell(
            ratio(measured[GCLOUD], measured[FIRST], fast, measured[FORK]),
            ratio(measured[GCLOUD], measured[COLD], Goal(least=2.5), measured[ONCE]),
            ratio(measured[GCLOUD], measured[REPEATED], Goal(least=1000), measured[HELD]),
        )
    tell(ratio(measured[COLD], measured[ONCE], Goal(most=1.15)))
    assert all(same(answer, ways.answers[HELD]) for answer in ways.answers.values())


def test_bench_local_predict_a_batch(model: Path, tmp_path: Path, resident: Any, tell: Any) -> None:
    body, answers = json.dumps({"instances": rows(ROWS)}).encode(), dict[str, Any]()
    request = tmp_path / "request.json"
    request.write_bytes(body)
    ask = resident("hold")

    def held() -> float:
        answers[BATCH_HELD] = ask(request)
        return float(answers[BATCH_HELD]["seconds"])

    with WorkerPool() as pool:

        def ours() -> float:
            return seconds(
                lambda: answers.update(
                    {BATCH: local_predict(model, body=body, framework=framework_only.MODELS[model.name], pool=pool)}
                )
            )

        measured = in_turns({BATCH: ours, BATCH_HELD: held})
    tell(f"a batch, {model.name}:", *measured.values(), ratio(measured[BATCH], measured[BATCH_HELD], Goal(most=2)))
    assert len(answers[BATCH]["predictions"]) == ROWS
    assert same(answers[BATCH]["predictions"], answers[BATCH_HELD]["predictions"])


def same(one: Any, other: Any) -> bool:
    """Whether two predictions are equal, numbers up to what another number of threads makes of their sums."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(abs(one - other) <= 1e-5 * max(abs(one), abs(other)))
