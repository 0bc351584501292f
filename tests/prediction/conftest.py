"""Fixtures with real models and processes. Every process must have ended when its test ends."""

from __future__ import annotations

import pickle
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import pytest
import xgboost
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from aip_magics.prediction import ForkServerPool, WorkerClient, WorkerSpec, start


class Built:
    """Pickle to an object that runs `source` (with a class Model) when it is unpickled."""

    def __init__(self, source: str, module: str) -> None:
        self.source = source
        self.module = module

    def __reduce__(self) -> tuple[Any, ...]:
        code = f"(lambda space: (exec({self.source!r}, space), space['Model']())[1])({{'__name__': {self.module!r}}})"
        return eval, (code,)


def is_gone(pid: int, seconds: float = 5.0) -> bool:
    """Whether a process has ended; a zombie has, if the container's init reaps no processes."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            tasks = [entry.joinpath("stat").read_text() for entry in Path(f"/proc/{pid}/task").iterdir()]
        except (FileNotFoundError, ProcessLookupError):
            tasks = [] if not Path(f"/proc/{pid}").exists() else [")R"]  # a thread ended meanwhile
        # The files of a process are closed when its last thread has ended.
        if all(task.rpartition(")")[2].split()[0] == "Z" for task in tasks):
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def gone() -> Callable[..., bool]:
    return is_gone


@pytest.fixture(scope="session")
def iris() -> tuple[Any, Any]:
    x, y = load_iris(return_X_y=True)
    return x, y


@pytest.fixture(scope="session")
def classifier(iris: Any) -> Any:
    x, y = iris
    return make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)


@pytest.fixture(scope="session")
def booster(iris: Any) -> Any:
    x, y = iris
    settings = {"objective": "multi:softprob", "num_class": 3, "nthread": 1}
    return xgboost.train(settings, xgboost.DMatrix(x, label=y), num_boost_round=5)


@pytest.fixture(scope="session")
def sklearn_dir(classifier: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sklearn")
    joblib.dump(classifier, directory / "model.joblib")
    return directory


@pytest.fixture(scope="session")
def xgboost_dir(booster: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("xgboost")
    booster.save_model(directory / "model.ubj")
    (directory / "model.ubj").rename(directory / "model.bst")
    return directory


@pytest.fixture
def built(tmp_path: Path) -> Callable[..., Path]:
    """Build a model directory whose model.pkl runs the given source when loaded; its `Model()` is the model."""

    def build(source: str, *, module: str = "sklearn_test", name: str = "built") -> Path:
        directory = tmp_path / name
        directory.mkdir(exist_ok=True)
        (directory / "model.pkl").write_bytes(pickle.dumps(Built(textwrap.dedent(source), module), protocol=2))
        return directory

    return build


@pytest.fixture(scope="session")
def parents() -> Iterator[ForkServerPool]:
    with ForkServerPool() as pool:
        pool.preload(framework="SCIKIT_LEARN")
        yield pool
        pids = pool.pids()
    assert all(is_gone(pid) for pid in pids)


@pytest.fixture
def spawned(tmp_path: Path) -> Iterator[Callable[..., WorkerClient]]:
    """Spawn workers, and check afterwards that they have ended."""
    yield from _starter(tmp_path, None)


@pytest.fixture
def forked(tmp_path: Path, parents: ForkServerPool) -> Iterator[Callable[..., WorkerClient]]:
    """Fork workers from preloaded fork servers, and check afterwards that they have ended."""
    yield from _starter(tmp_path, parents)


@pytest.fixture(params=["forked", "spawned"])
def started(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., WorkerClient]]:
    """Spawn and fork workers, and check afterwards that they have ended."""
    yield from _starter(tmp_path, request.getfixturevalue("parents") if request.param == "forked" else None)


def _starter(tmp_path: Path, parents: ForkServerPool | None) -> Iterator[Callable[..., WorkerClient]]:
    workers: list[tuple[WorkerClient, Path]] = []

    def make(model_dir: Path, framework: str | None = None, **options: Any) -> WorkerClient:
        environ = options.pop("environ", None)
        options.setdefault("trusted", True)  # models of these tests run code when they are loaded
        spec = WorkerSpec(model_dir, framework, **options)
        worker = start(spec, log_dir=tmp_path / "logs", fork_servers=parents, environ=environ)
        assert worker.forked == (parents is not None)
        workers.append((worker, worker._process.temp_dir))
        return worker

    yield make
    for worker, temp_dir in workers:
        worker.close()
        assert is_gone(worker.pid)
        assert not temp_dir.exists()


@pytest.fixture(scope="session")
def rows(iris: Any) -> list[list[float]]:
    return [list(map(float, row)) for row in iris[0][::15]]
