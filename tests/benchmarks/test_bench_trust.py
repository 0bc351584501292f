"""What it costs that a model is not trusted: the restricted readers beside the plain ones, in a worker each.

Each row is the worker's own time to load (`load_seconds`), forked from a parent that has scikit-learn imported, without
and with trust in turns; both are confined. `pytest -n 0 -m benchmark -s tests/benchmarks/test_bench_trust.py`.
"""

from __future__ import annotations

import pickle
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy
import pytest
from request_loops import Way, in_turns
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from aip_magics.prediction import ForkServerPool, WorkerSpec, start

pytestmark = pytest.mark.benchmark


@pytest.fixture(scope="module")
def parents() -> Iterator[ForkServerPool]:
    with ForkServerPool() as pool:
        pool.preload(framework="SCIKIT_LEARN")
        yield pool


def print_ratio(name: str, restricted: Way, trusted: Way) -> None:
    ratio = statistics.median(restricted.seconds) / statistics.median(trusted.seconds)
    sys.stdout.write(f"\n{name}\n{restricted}\n{trusted}\nratio {ratio:.2f}\n")


def model_of(kind: str) -> Any:
    random = numpy.random.RandomState(0)
    x = random.rand(500, 4)
    y = (x[:, 0] > 0.5).astype(int)
    if kind == "500 MB":
        return KNeighborsClassifier(algorithm="brute").fit(random.rand(620_000, 100), random.randint(0, 2, 620_000))
    return (RandomForestClassifier(100) if kind == "forest" else LogisticRegression()).fit(x, y)


@pytest.mark.parametrize("kind", ["linear", "forest", "500 MB"])
@pytest.mark.parametrize("suffix", ["joblib", "pkl"])
def test_bench_trust_loading(kind: str, suffix: str, tmp_path: Path, parents: ForkServerPool) -> None:
    model = model_of(kind)
    if suffix == "joblib":
        joblib.dump(model, tmp_path / "model.joblib")
    else:
        (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))

    def loading(trusted: bool) -> float:
        spec = WorkerSpec(tmp_path, trusted=trusted)
        with start(spec, log_dir=tmp_path / "logs", fork_servers=parents) as worker:
            return worker.load(120.0).load_seconds

    ways = in_turns({"restricted": lambda: loading(False), "trusted": lambda: loading(True)}, rounds=7)
    print_ratio(f"{kind}, model.{suffix}", *ways.values())
