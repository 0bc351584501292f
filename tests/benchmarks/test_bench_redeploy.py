"""How long a redeploy of an unchanged model of 1 GB takes, with and without its local trial: whole processes in turns.

Measured 2026-11-29 on 2 cores of an AMD EPYC that others used too (load 8), Python 3.11, scikit-learn 1.9.1, 1.05 GB.
On the idle machine the run itself took 2.5 s with the trial and 0.35 s without, 0.13 s of them the online prediction.

==================================================  ========================
deploy --try                                        12.9 s - 17.2 s - 20.8 s
deploy                                              2.6 s - 3.5 s - 5.0 s
deploy, the file touched (it is read again)         5.5 s - 6.1 s - 6.4 s
==================================================  ========================

`pytest -n 0 -m benchmark tests/benchmarks/test_bench_redeploy.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy
import pytest
from request_loops import Goal, in_turns, ratio, seconds
from sklearn.neighbors import KNeighborsClassifier

pytestmark = pytest.mark.benchmark

ROWS, COLUMNS = 1_300_000, 100  # 8 bytes each
TRY, SKIPPED, TOUCHED = "deploy --try", "deploy", "deploy, the file touched"
# Seconds from the start of the run to the end of each step.
STEPS = """
import json, sys, time
from aip_magics import settings, targets
from aip_magics.deploy import Deployment, run
from aip_magics.spec import Model
start, ends = time.perf_counter(), {}
def emit(event):
    ends[event.step] = time.perf_counter() - start
test = {"instances": [[0.5] * 100]}
deployment = Deployment(sys.argv[1], Model.from_json({"name": "big"}), test=test, force_trial=len(sys.argv) > 2)
run(deployment, targets.choose(settings.resolve(target="local")), emit)
print(json.dumps(ends))
"""


@pytest.fixture
def big_model(tmp_path: Path) -> Path:
    random = numpy.random.RandomState(0)
    model = KNeighborsClassifier(algorithm="brute").fit(random.rand(ROWS, COLUMNS), random.randint(0, 2, ROWS))
    (tmp_path / "big").mkdir()
    joblib.dump(model, tmp_path / "big" / "model.joblib")
    return tmp_path / "big"


def test_bench_redeploy(
    embedded: Path, big_model: Path, tmp_path: Path, aip_magics: list[str], tell: Callable[..., None]
) -> None:
    config = tmp_path / "test.json"
    config.write_text(json.dumps({"test": {"instances": [[0.5] * COLUMNS]}}))
    words = [*aip_magics, "deploy", "--model", "big", "--origin", str(big_model), "--config", str(config)]

    def deploy(*options: str) -> str:
        done = subprocess.run([*words, *options], capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
        return done.stderr

    def touched() -> float:
        os.utime(big_model / "model.joblib")
        return seconds(deploy)

    time.sleep(2.1)  # a file that has just been written is read again each time
    deploy()
    assert "unchanged since the local trial" in deploy()
    assert "unchanged since the local trial" not in deploy("--try")
    ways = in_turns({TRY: lambda: seconds(lambda: deploy("--try")), SKIPPED: lambda: seconds(deploy), TOUCHED: touched})
    tell(*ways.values(), ratio(ways[TRY], ways[SKIPPED], Goal(least=2)), ratio(ways[TRY], ways[TOUCHED], None))
    for options in (["--try"], []):
        done = subprocess.run(
            [sys.executable, "-c", STEPS, big_model, *options], capture_output=True, text=True, timeout=600, check=True
        )
        ends = json.loads(done.stdout)
        starts = [0.0, *list(ends.values())[:-1]]
        steps = [f"{name} {end - start:.2f} s" for (name, end), start in zip(ends.items(), starts, strict=True)]
        tell(f"{' '.join(['steps', *options])}: {', '.join(steps)}")
