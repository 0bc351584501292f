"""How long a look into a model takes, and what memory: 500 MB <= 1 s and <= 100 MB, a scikit-learn model <= 50 ms.

Measured 2026-11-23, 2 cores (load 2 to 3), medians: 500 MB of joblib 0.8 ms, of pickle 1.0 ms, compressed 116 ms, 990
files 31 ms, a SavedModel of 20,000 operations 119 ms; a forest of 100 trees 17 ms; 8 MB at most.

Every way is a fresh process that has imported `aip_magics.artifacts`; the time is that of the look alone, the memory
what the process has grown by at its peak.
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy
import pytest
from request_loops import Goal, in_turns
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

pytestmark = pytest.mark.benchmark

ROUNDS = 7
CODE = """
import json, re, sys, time
from pathlib import Path
from aip_magics import artifacts
# Not of getrusage: its peak is that of the parent, where that is higher.
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
before = peak()
start = time.perf_counter()
found = artifacts.inspect_model_dir(Path(sys.argv[1]))
taken = time.perf_counter() - start
grown = (peak() - before) / 1024
facts = found.saved_model or found.contents
print(json.dumps({"seconds": taken, "mb": grown, "complete": facts.complete}))
"""
ROWS = numpy.random.default_rng(0).random((2000, 8))
LABELS = (ROWS[:, 0] > 0.5).astype(int)


def _large(folder: Path) -> dict[str, Path]:
    """Directories of 500 MB: neighbours with their rows, raw and compressed, and a graph with a constant."""
    made = {name: folder / name for name in ("joblib", "pickle", "zlib", "many files", "SavedModel")}
    for path in made.values():
        path.mkdir()
    model = KNeighborsClassifier(algorithm="brute").fit(ROWS, LABELS)
    model._fit_X = numpy.random.default_rng(0).random((7_800_000, 8))
    joblib.dump(model, made["joblib"] / "model.joblib")
    (made["pickle"] / "model.pkl").write_bytes(pickle.dumps(model))
    del model._fit_X
    joblib.dump({"model": model, "zeros": numpy.zeros(62_000_000)}, made["zlib"] / "model.joblib", compress=1)
    joblib.dump(LogisticRegression().fit(ROWS, LABELS), made["many files"] / "model.joblib")
    for number in range(990):
        (made["many files"] / f"part{number}").write_bytes(bytes(500_000))
    (made["SavedModel"] / "saved_model.pb").write_bytes(_graph(490_000_000))
    return made


def _graph(size: int) -> bytes:
    """A SavedModel with 20,000 operations and a constant of this size."""

    def message(field: int, body: bytes) -> bytes:
        return bytes([field << 3 | 2]) + _varint(len(body)) + body

    op = message(2, b"MatMul") + message(5, bytes(80))
    nodes = b"".join(message(1, message(1, b"n%d" % number) + op) for number in range(20_000))
    nodes += message(1, message(1, b"large") + message(2, b"Const") + message(5, bytes(size)))
    return b"\x08\x01" + message(2, message(1, message(4, b"serve")) + message(2, nodes))


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + _varint(value >> 7)


def _small(folder: Path) -> dict[str, Path]:
    models: dict[str, Any] = {
        "logistic regression": LogisticRegression(),
        "forest of 100 trees": RandomForestClassifier(100),
        "100 boosted trees": GradientBoostingClassifier(),
    }
    for name, model in models.items():
        (folder / name).mkdir()
        joblib.dump(model.fit(ROWS, LABELS), folder / name / "model.joblib")
    return {name: folder / name for name in models}


@pytest.mark.parametrize("size", ["large", "small"])
def test_bench_inspect_model_dir(size: str, tmp_path: Path, tell: Any) -> None:
    directories = _large(tmp_path) if size == "large" else _small(tmp_path)
    told: dict[str, list[dict[str, Any]]] = {name: [] for name in directories}

    def look(name: str) -> float:
        words = [sys.executable, "-c", CODE, str(directories[name])]
        done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=120)
        told[name].append(json.loads(done.stdout))
        return float(told[name][-1]["seconds"])

    measured = in_turns({name: (lambda name=name: look(name)) for name in directories}, ROUNDS)  # type: ignore[misc]
    tell(f"a look into {size} models:", *measured.values())
    for name, way in measured.items():
        taken, grown = sorted(way.seconds)[ROUNDS // 2] * 1000, max(one["mb"] for one in told[name])
        time_goal = Goal(most=1000 if size == "large" else 50).told(taken)
        tell(f"  {name}: {taken:.1f} ms, {time_goal}; {grown:.0f} MB, {Goal(most=100).told(grown)}")
        if name != "zlib":  # of which only the first 64 MiB are decompressed
            assert all(one["complete"] for one in told[name]), name
