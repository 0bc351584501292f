"""The worker folder runs on old interpreters and imports only the standard library."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aip_magics.errors import PredictionError
from aip_magics.prediction import ForkServerPool, WorkerClient, WorkerSpec, start
from aip_magics.prediction.worker_process import FOLDER

SOURCES = sorted(FOLDER.glob("*.py"))
FRAMEWORKS = {"joblib", "numpy", "xgboost", "tensorflow"}  # imported inside functions only
MODEL = """
    class Model:
        def predict(self, instances):
            return [sum(row) for row in instances]
"""


def interpreter(version: str) -> str:
    found = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    if not found:
        pytest.skip(f"Python {version} is not on this machine")
    return str(found[-1])


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_worker_syntax_is_that_of_python_3_5(source: Path) -> None:
    text = source.read_text("utf-8")
    for minor in (5, 6, 7):
        tree = ast.parse(text, feature_version=(3, minor))
    kinds = {type(node) for node in ast.walk(tree)}
    assert not kinds & {ast.JoinedStr, ast.NamedExpr, ast.AnnAssign, ast.AsyncFunctionDef}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_worker_imports_the_standard_library_only(source: Path) -> None:
    tree = ast.parse(source.read_text("utf-8"))
    names = {name for node in ast.walk(tree) for name in imported(node)}
    assert names <= sys.stdlib_module_names | FRAMEWORKS | {""}
    assert not {name for node in tree.body for name in imported(node)} & FRAMEWORKS


def imported(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name.partition(".")[0] for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        return {"" if node.level else str(node.module).partition(".")[0]}
    return set()


@pytest.mark.parametrize("version", ["3.6", "3.7", "3.9", "3.13"])
@pytest.mark.parametrize("way", ["forked", "spawned"])
def test_worker_predicts_on_old_pythons(
    version: str, way: str, built: Callable[..., Path], tmp_path: Path, gone: Callable[..., bool]
) -> None:
    spec = WorkerSpec(built(MODEL), python=interpreter(version), trusted=True)
    with ForkServerPool() as pool:
        with start(spec, log_dir=tmp_path / "logs", fork_servers=pool if way == "forked" else None) as worker:
            assert worker.forked == (way == "forked")
            assert worker.ping().startswith(version + ".")
            loaded = worker.load()
            assert loaded.libraries["python"].startswith(version + ".")
            assert json.loads(worker.predict(b'{"instances": [[1, 2], [3, 4]]}')) == {"predictions": [3, 7]}
            with pytest.raises(PredictionError, match="Exception during sklearn prediction"):
                worker.predict(b'{"instances": ["text"]}')
        assert gone(worker.pid)
        parents = pool.pids()
    assert all(gone(pid) for pid in parents)


def test_worker_without_the_library_of_a_pickle_fails_with_the_reason(sklearn_dir: Path, tmp_path: Path) -> None:
    with start(WorkerSpec(sklearn_dir, python=interpreter("3.7"), trusted=True), log_dir=tmp_path) as worker:
        with pytest.raises(PredictionError, match="Could not import joblib module") as caught:
            worker.load()
        assert caught.value.fix.startswith("install joblib for ")
        assert isinstance(worker, WorkerClient)
