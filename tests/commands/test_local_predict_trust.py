"""A local prediction runs what a model names: what is not known is asked about first, as a deployment does."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import joblib
import pytest
from resource_lines import Lines

from aip_magics.commands.common.magic_line import split_line
from aip_magics.errors import ChecksFailed, PredictionError, TrustError
from aip_magics.events import Failed

pytestmark = pytest.mark.slow
ROW = "- [6.7, 3.0, 5.2, 2.3]"


class Trap:
    """Makes a directory when it is loaded."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.trace),)


def confined(path: str, error: PredictionError) -> bool:
    """Whether the model wanted to make this path, and was not let."""
    return "Permission denied" in error.message and path in error.message


@pytest.fixture
def trap(tmp_path: Path) -> tuple[Path, Path]:
    """A model directory, and what is there once its model was loaded."""
    folder, trace = tmp_path / "export", tmp_path / "trace"
    folder.mkdir()
    (folder / "model.pkl").write_bytes(pickle.dumps(Trap(trace)))
    return folder, trace


def test_local_predict_does_not_run_what_is_not_known(home: Path, trap: tuple[Path, Path]) -> None:
    folder, trace = trap
    aip = Lines(home)
    with pytest.raises(ChecksFailed) as caught:
        aip(f"local-predict --model-dir {folder} --framework scikit-learn", ROW)
    assert "mkdir" in caught.value.message
    assert "U01" in caught.value.message
    assert "--trust" in caught.value.fix
    assert [event.error for event in aip.face.events if isinstance(event, Failed)] == [caught.value]
    assert not trace.exists()


def test_local_predict_inspects_model_files_and_what_a_routine_may_load(home: Path, trap: tuple[Path, Path]) -> None:
    folder, trace = trap
    aip = Lines(home)
    (folder / "model.pkl").rename(folder / "encoder.pkl")
    (folder / "model.pkl").write_bytes(pickle.dumps([1.0]))
    with pytest.raises(ChecksFailed, match=r"encoder\.pkl"):
        aip(f"local-predict --model-dir {folder / 'model.pkl'} --prediction-class own.Model", ROW)
    assert not trace.exists()


def test_local_predict_asks_for_trust_once_and_shares_it_with_deployments(home: Path, trap: tuple[Path, Path]) -> None:
    folder, trace = trap
    aip = Lines(home)
    line = f"local-predict --model-dir {folder} --framework scikit-learn"
    for typed in (f"{line} --trust", line):  # it is loaded, and acts: a worker has no right to what it wants
        with pytest.raises(PredictionError, match="Failed to load model") as caught:
            aip(typed, ROW)
        assert not isinstance(caught.value, TrustError)
        assert confined(str(trace), caught.value) or trace.is_dir()
    assert list(json.loads((home / "trusted.json").read_text())["files"].values()) == [
        {"name": "model.pkl", "size": (folder / "model.pkl").stat().st_size}
    ]
    assert "U01" in aip(f"check {folder} --model trap").passed


def test_local_predict_runs_known_libraries_and_models_of_the_notebook(home: Path, iris_export: Path) -> None:
    aip = Lines(home)
    answer = aip(f"local-predict --model-dir {iris_export}", ROW)
    assert answer == {"predictions": [2]}
    model = joblib.load(iris_export / "model.joblib")
    model.made_by = Path("here")  # pathlib is on no list of what a model may name
    [flag] = split_line("--model-dir=$model", {"model": model})
    assert aip(f"local-predict {flag}", ROW, names={"model": model}) == answer
    assert not (home / "server.json").exists()
