"""The package of Google's tutorial of custom prediction routines, whose setup.py lists its modules as scripts."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
from recording_reporter import RecordingReporter

from aip_magics import settings
from aip_magics.checks import Report
from aip_magics.commands.common.command import Context
from aip_magics.commands.registry import build_parser, get_command
from aip_magics.errors import InputError
from aip_magics.targets import choose

PREDICTOR = """
import os
import pickle

import numpy as np
from sklearn.datasets import load_iris
import joblib

from preprocess import MySimpleScaler

class MyPredictor(object):
  def __init__(self, model, preprocessor):
    self._model = model
    self._preprocessor = preprocessor
    self._class_names = load_iris().target_names

  def predict(self, instances, **kwargs):
    inputs = np.asarray(instances)
    preprocessed_inputs = self._preprocessor.preprocess(inputs)
    if kwargs.get('probabilities'):
      return self._model.predict_proba(preprocessed_inputs).tolist()
    return [self._class_names[index] for index in self._model.predict(preprocessed_inputs)]

  @classmethod
  def from_path(cls, model_dir):
    model = joblib.load(os.path.join(model_dir, 'model.joblib'))
    return cls(model, MySimpleScaler())
"""
PREPROCESS = """
import numpy as np

class MySimpleScaler(object):
  def preprocess(self, data):
    return np.asarray(data) / 10
"""
SETUP = """
from setuptools import setup

setup(
    name='my_custom_code',
    version='0.2',
    scripts=['predictor.py', 'preprocess.py'])
"""
INSTANCES = "test: {instances: [[51, 35, 14, 2], [67, 31, 47, 15]]}\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "custom code"
    folder.mkdir()
    for name, text in {"predictor": PREDICTOR, "preprocess": PREPROCESS, "setup": SETUP}.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def run(line: str, body: str | None = None) -> Any:
    verb, *words = shlex.split(line)
    command = get_command(verb)
    return command.run(build_parser(command, verb).parse(words), body, Context(RecordingReporter()))


def predict_deployed(export: Path, archive: Path) -> list[Any]:
    line = f"--origin {export} --package-uris {shlex.quote(str(archive))} --prediction-class predictor.MyPredictor"
    report = run(f"check {line}", INSTANCES)
    assert isinstance(report, Report)
    assert report.errors == ()
    version = run(f"deploy --model routine {line}", INSTANCES)
    assert version.state == "READY"
    body = json.dumps({"instances": [[51, 35, 14, 2], [67, 31, 47, 15]]}).encode()
    predictions = choose(settings.resolve()).client.predict("routine", body, version.id)["predictions"]
    assert isinstance(predictions, list)
    return predictions


def test_tutorial_package_is_installed_and_predicts(embedded: Path, iris_export: Path, source: Path) -> None:
    """As `python setup.py sdist --formats=gztar` writes it."""
    archive = source.parent / "my_custom_code-0.2.tar.gz"
    (source / "PKG-INFO").write_text("Metadata-Version: 1.0\nName: my_custom_code\nVersion: 0.2\n")
    with tarfile.open(archive, "w:gz") as file:
        file.add(source, "my_custom_code-0.2")
    assert predict_deployed(iris_export, archive) == ["setosa", "versicolor"]


def test_tutorial_package_is_packaged_from_its_directory(
    embedded: Path, iris_export: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source.parent)
    built = run(f"package {shlex.quote(str(source))}")
    assert (built.path, built.modules) == (Path("dist/my_custom_code-0.2.tar.gz"), ("predictor", "preprocess"))
    assert predict_deployed(iris_export, built.path) == ["setosa", "versicolor"]


def test_package_keeps_the_requirements_of_a_setup_of_scripts(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(source.parent)
    setup = SETUP.replace("version='0.2',", "version='0.2', install_requires=['numpy>=1.0'], description=about(),")
    (source / "setup.py").write_text(setup)
    (source / "notes.py").write_text("UNLISTED = True")
    built = run(f"package {shlex.quote(str(source))}")
    with tarfile.open(built.path) as file:
        assert [name.rpartition("/")[2] for name in file.getnames()] == [
            "PKG-INFO", "predictor.py", "preprocess.py", "setup.py"
        ]  # fmt: skip
        written = file.extractfile("my_custom_code-0.2/setup.py")
        assert written
        assert b"install_requires=['numpy>=1.0']" in written.read()


def refused_package(source: Path) -> InputError:
    with pytest.raises(InputError, match=r"already has a setup\.py") as refused:
        run(f"package {shlex.quote(str(source))}")
    return refused.value


def test_package_of_another_setup_is_refused_with_a_copy_that_works(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source.parent)
    for more in ("cmdclass={'build': Own}", "py_modules=['predictor']", "packages=find_packages()", "**more"):
        (source / "setup.py").write_text(SETUP.replace("version='0.2',", f"version='0.2', {more},"))
        assert "copy the modules without setup.py into another directory" in refused_package(source).fix
    copied = shutil.copytree(source, source.parent / "code", ignore=shutil.ignore_patterns("setup.py"))
    assert run(f"package {copied}").modules == ("predictor", "preprocess")


@pytest.mark.network
def test_package_of_another_setup_is_built_by_the_fix(
    embedded: Path, iris_export: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source.parent)
    setup = SETUP.replace("scripts=['predictor.py', 'preprocess.py']", "py_modules=['predictor', 'preprocess']")
    (source / "setup.py").write_text(setup)
    line = re.search(r"run `(.*?)`", refused_package(source).fix)
    assert line
    subprocess.run(shlex.split(line[1]), check=True)
    assert predict_deployed(iris_export, Path("dist/my_custom_code-0.2.tar.gz")) == ["setosa", "versicolor"]
