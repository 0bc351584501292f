"""`package` and the options that say where a local prediction runs, as commands."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from recording_reporter import RecordingReporter

from aip_magics.commands.common.command import Context
from aip_magics.commands.package import PickledFromMain
from aip_magics.commands.registry import build_parser, get_command
from aip_magics.errors import InputError, ModelDirError, OptionError, RuntimeEnvironmentError
from aip_magics.events import Failed, StepFinished, StepSkipped
from aip_magics.sdist import Package
from aip_magics.settings import Environment

pytestmark = pytest.mark.slow

TRAIN = """
import joblib
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

class Scale(BaseEstimator, TransformerMixin):
    def fit(self, rows, labels=None):
        return self

    def transform(self, rows):
        return [[value * 3 for value in row] for row in rows]

model = make_pipeline(Scale(), LinearRegression()).fit([[0.0], [1.0], [2.0]], [0.0, 2.0, 4.0])
"""
SAVE = "joblib.dump(model, 'export/model.joblib')\n"


def run(face: RecordingReporter, verb: str, *words: str, body: str | None = None, **variables: str) -> Any:
    command = get_command(verb)
    args = build_parser(command, verb).parse(words)
    environment = Environment(variables, {}) if variables else None
    return command.run(args, body, Context(face, environment=environment))


def python(code: str, folder: Path) -> None:
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model whose class was defined where it was trained."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "export").mkdir()
    python(TRAIN + SAVE, tmp_path)
    return tmp_path


def test_package_command_builds_from_a_notebook_class_to_a_prediction(notebook: Path) -> None:
    face = RecordingReporter()
    found = run(face, "package", "--model-dir", "export")
    assert isinstance(found, PickledFromMain)
    assert (found.names, found.complete) == (("Scale",), True)
    assert "from my_code import Scale" in found.advice
    assert face.shown == [found]
    assert json.dumps(found.to_json())

    (notebook / "my_code.py").write_text(TRAIN.partition("model =")[0])
    made = run(face, "package", "my_code.py", "--model-dir", "export")
    assert isinstance(made, Package)
    assert made.path == Path("dist/my_code-0.1.tar.gz")
    assert "`from my_code import Scale` in the notebook, then save the model again" in made.notes[0]

    python(
        "from my_code import *\n" + TRAIN.partition("\n\n\n")[0] + "\nmodel =" + TRAIN.partition("model =")[2] + SAVE,
        notebook,
    )
    assert run(face, "package", "--model-dir", "export").names == ("Scale",)


def test_package_command_predicts_with_a_class_of_a_module(notebook: Path) -> None:
    (notebook / "my_code.py").write_text(TRAIN)
    python("from my_code import joblib, model\n" + SAVE, notebook)
    face = RecordingReporter()
    assert run(face, "package", "--model-dir", "export").names == ()
    made = run(face, "package", "my_code.py", "--version", "2.0", "--output", "out", "--name", "mine")
    assert made.path == Path("out/mine-2.0.tar.gz")
    answer = run(
        face, "local-predict", "--model-dir", "export", "--package-uris", str(made.path), body="[[3.0], [4.0]]"
    )
    assert answer == {"predictions": pytest.approx([6.0, 8.0])}
    environment, predict = face.of(StepFinished)
    assert environment.summary == f"Python {sys.version.split()[0]} at {sys.executable} (current interpreter)"
    assert predict.summary == "2 predictions"


def test_package_command_names_a_definition_missing_in_the_package(notebook: Path) -> None:
    (notebook / "other.py").write_text("X = 1")
    notes = run(RecordingReporter(), "package", "other.py", "--model-dir", "export").notes
    assert "model.joblib references Scale from the notebook" in notes[0]
    assert "which is not in this package: move Scale into other" in notes[0]


def test_package_command_tells_mistakes(tmp_path: Path, booster_export: Path) -> None:
    with pytest.raises(OptionError, match="a module or a directory is required"):
        run(RecordingReporter(), "package")
    with pytest.raises(InputError, match="no such module"):
        run(RecordingReporter(), "package", str(tmp_path / "nothing.py"))
    with pytest.raises(ModelDirError, match="no pickled model"):
        run(RecordingReporter(), "package", "--model-dir", str(booster_export))


def test_package_command_always_tells_the_python(iris_export: Path) -> None:
    face = RecordingReporter()
    run(face, "local-predict", "--model-dir", str(iris_export), body="[[5.1, 3.5, 1.4, 0.2]]")
    assert sys.executable in face.of(StepFinished)[0].summary


def test_package_command_skips_a_missing_runtime_and_never_passes_it(iris_export: Path, tmp_path: Path) -> None:
    face = RecordingReporter()
    words = ("--model-dir", str(iris_export), "--env", "runtime", "--runtime-version", "1.14")
    with pytest.raises(
        RuntimeEnvironmentError, match=r"could not prepare the runtime environment: runtime 1\.14 uses Python 3\.5"
    ):
        run(face, "local-predict", *words, body="[[5.1, 3.5, 1.4, 0.2]]", AIP_MAGICS_HOME=str(tmp_path))
    [skipped] = face.of(StepSkipped)
    assert (skipped.step, face.of(StepFinished), face.of(Failed), face.shown) == ("environment", [], [], [])


def test_package_command_refuses_a_version_without_the_environment(iris_export: Path) -> None:
    with pytest.raises(OptionError) as caught:
        run(
            RecordingReporter(),
            "local-predict",
            "--model-dir",
            str(iris_export),
            "--runtime-version",
            "2.11",
            body="[[1]]",
        )
    assert caught.value.fix == "add --env runtime"


def test_package_command_ends_in_a_failed_step(iris_export: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.tar.gz").write_bytes(b"nothing")
    face = RecordingReporter()
    with pytest.raises(Exception, match="failed to install"):
        run(
            face,
            "local-predict",
            "--model-dir",
            str(iris_export),
            "--package-uris",
            str(tmp_path / "bad.tar.gz"),
            body="[[1]]",
        )
    assert [event.step for event in face.of(Failed)] == ["environment"]
