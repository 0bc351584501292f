"""Models that are variables: saved in the form that the service takes, under their content."""

from __future__ import annotations

import importlib.util
import json
import logging
import subprocess
import sys
import threading
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import joblib
import numpy
import pytest
import xgboost
from recording_reporter import RecordingReporter
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from aip_magics.artifacts import inspect_model_dir
from aip_magics.commands.common.command import Command, Context
from aip_magics.commands.common.execution import TARGET_OPTIONS, execute
from aip_magics.commands.common.magic_line import split_line
from aip_magics.commands.common.model_source import keep_saved, resolve_origin
from aip_magics.commands.common.staging import stage
from aip_magics.disk_usage import disk_bytes
from aip_magics.errors import OptionError

ROWS, LABELS = [[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [3.0, 1.0]], [0, 0, 1, 1]


def test_stage_saves_an_estimator_with_joblib(tmp_path: Path) -> None:
    model = LogisticRegression().fit(ROWS, LABELS)
    folder = stage(model, tmp_path, "flowers")
    assert folder.name == "flowers"
    assert [file.name for file in inspect_model_dir(folder).files] == ["model.joblib"]
    assert inspect_model_dir(folder).framework == "SCIKIT_LEARN"
    assert joblib.load(folder / "model.joblib").predict(ROWS).tolist() == model.predict(ROWS).tolist()


def test_stage_puts_the_same_model_into_the_same_directory(tmp_path: Path) -> None:
    model = LogisticRegression().fit(ROWS, LABELS)
    first = stage(model, tmp_path, "m")
    assert stage(model, tmp_path, "m") == first
    assert stage(LogisticRegression(C=0.1).fit(ROWS, LABELS), tmp_path, "m") != first
    assert len(list(tmp_path.glob("[!.]*"))) == 2


def test_stage_keeps_only_the_last_models_within_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [stage(LogisticRegression(C=number), tmp_path) for number in range(1, 14)]
    assert all(folder.is_dir() for folder in folders)  # thirteen small ones have their place
    model = LogisticRegression().fit(ROWS, LABELS)
    model.ballast_ = numpy.random.default_rng(0).random(1 << 17)  # a MiB
    monkeypatch.setattr("aip_magics.commands.common.staging.MAX_BYTES", 3 << 20)
    for number in range(5):
        model.ballast_[0] = number
        folders.append(stage(model, tmp_path))
        assert folders[-1].is_dir()
        assert disk_bytes(tmp_path) <= 3.2 * (1 << 20)
    assert [folder.is_dir() for folder in folders[-3:]] == [False, True, True]
    model.ballast_ = numpy.random.default_rng(0).random(1 << 19)
    alone = stage(model, tmp_path)  # larger than the bound: it is kept, and is the only one
    assert list(tmp_path.glob("[!.]*")) == [alone.parent]


def test_stage_keeps_a_model_that_a_command_is_uploading(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The form deploys one model in a thread for minutes, while a cell saves another."""
    monkeypatch.setattr("aip_magics.commands.common.staging.MAX_BYTES", 1)
    names = {f"model{number}": LogisticRegression(C=number + 1) for number in range(3)}
    context = Context(RecordingReporter(), names=names)
    args = Namespace(**dict.fromkeys(TARGET_OPTIONS))

    def run(action: Callable[[], object]) -> Any:
        command = Command("deploy", lambda _parser: None, lambda *_given: action())
        return execute(command, args, None, context)

    def save(number: int) -> Path:
        _option, value = split_line(f"--origin $model{number}", names)
        return Path(resolve_origin(value, args, context) or "")

    def upload(saved: Path) -> bool:
        cell = threading.Thread(target=run, args=(lambda: save(2),))
        cell.start()
        cell.join()
        return saved.is_dir()

    assert run(lambda: upload(save(0)))
    opened = run(lambda: save(1))  # the form is shown, its cell is over

    def deploy() -> bool:
        keep_saved(str(opened), args, context)
        return upload(opened)

    assert run(deploy)
    run(lambda: save(0))
    assert not opened.exists()


def test_stage_saves_a_booster_as_model_bst(tmp_path: Path) -> None:
    matrix = xgboost.DMatrix(numpy.array(ROWS), label=LABELS)
    booster = xgboost.train({"objective": "binary:logistic", "nthread": 1}, matrix, 2)
    expected = booster.predict(matrix).tolist()
    folder = stage(booster, tmp_path)
    assert folder.name == "Booster"
    assert inspect_model_dir(folder).framework == "XGBOOST"
    again = xgboost.Booster(model_file=bytearray((folder / "model.bst").read_bytes()))
    assert again.predict(matrix).tolist() == expected
    wrapped = stage(xgboost.XGBClassifier(n_estimators=2).fit(ROWS, LABELS), tmp_path)
    assert inspect_model_dir(wrapped).framework == "SCIKIT_LEARN"


def test_stage_saves_an_unfitted_ensemble_without_truth_value(tmp_path: Path) -> None:
    assert (stage(RandomForestClassifier(), tmp_path) / "model.joblib").is_file()


def test_stage_saves_a_pickle_without_joblib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "joblib")
    assert (stage(LogisticRegression(), tmp_path) / "model.pkl").is_file()


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        ({"a": 1}, "thing is a dict, not a model"),
        (LogisticRegression, "thing is a class, not a model"),
        (SimpleNamespace(fit=len, predict=lambda rows: rows), "could not save thing"),
    ],
)
def test_stage_refuses_what_is_no_model(tmp_path: Path, obj: Any, text: str) -> None:
    with pytest.raises(OptionError, match=text):
        stage(obj, tmp_path, "thing")
    assert list(tmp_path.glob("[!.]*")) == []


def test_stage_keeps_the_classes_of_an_xgboost_classifier(tmp_path: Path) -> None:
    model = xgboost.XGBClassifier(n_estimators=2).fit(ROWS, LABELS)
    folder = stage(model, tmp_path)
    assert joblib.load(folder / "model.joblib").predict(ROWS).tolist() == model.predict(ROWS).tolist()


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is None, reason="TensorFlow is not installed")
def test_stage_saves_keras_and_tensorflow_models_as_saved_models(tmp_path: Path) -> None:
    code = """
import json, sys
from pathlib import Path
sys.ps1 = ">>> "  # IPython sets it, too; TensorFlow then logs information to the standard output
import keras, tensorflow as tf
from aip_magics.commands.common.staging import stage
class Twice(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def __call__(self, x):
        return 2 * x
models = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]), Twice()
folders = [str(stage(model, Path(sys.argv[1]))) for model in models]
print(json.dumps([tf.get_logger().level, *folders]))
"""
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    level, *folders = json.loads(done.stdout)  # nothing else was printed
    sequential, module = map(Path, folders)
    assert level == logging.INFO  # as TensorFlow sets it
    assert [inspect_model_dir(folder).framework for folder in (sequential, module)] == ["TENSORFLOW"] * 2
