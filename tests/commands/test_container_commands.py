"""`package --container` and `check --container`: from modules and a model to a container that was tried."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from custom_models import ROUTINE, routine_dir, sdist
from recording_reporter import RecordingReporter

from aip_magics.commands.common.command import Context
from aip_magics.commands.registry import build_parser, get_command
from aip_magics.errors import ChecksFailed, ModelDirError, OptionError, TrustError

pytestmark = pytest.mark.slow

UNTRUSTED_SETUP = """
import os
os.system("true")
from setuptools import setup
setup(name="other", version="0.1", py_modules=["other"])
"""


def run(face: RecordingReporter, verb: str, *words: str, body: str | None = None) -> Any:
    command = get_command(verb)
    return command.run(build_parser(command, verb).parse(words), body, Context(face))


@pytest.fixture
def face() -> RecordingReporter:
    return RecordingReporter()


@pytest.fixture
def notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old_code.py").write_text(ROUTINE)
    routine_dir(tmp_path / "files")
    return tmp_path


def test_container_of_an_old_routine_is_exported_and_passes_its_probe(notebook: Path, face: RecordingReporter) -> None:
    words = ("--prediction-class", "old_code.Routine", "--origin", "files", "--name", "old-code")
    made = run(face, "package", "old_code.py", "--container", "image", *words)
    assert made.image.startswith("us-central1-docker.pkg.dev/PROJECT/models/old-code:")
    assert face.shown == [made]
    assert (notebook / "image" / "packages" / "old_code.py").read_text() == ROUTINE
    cell = "test:\n  instances: [1, 2]\n  factor: 10\n"
    result = run(face, "check", "--container", "image", "files", "--trust", body=cell)
    assert result.passed, result
    assert result.answer == {"predictions": [110, 120]}
    assert not get_command("check").failed(result)
    assert run(face, "package", "old_code.py", "--container", "image", *words).unchanged


def test_container_check_of_a_model_that_does_not_load_fails(notebook: Path, face: RecordingReporter) -> None:
    run(face, "package", "old_code.py", "--container", "image", "--prediction-class", "old_code.Routine")
    (notebook / "files" / "offset.json").unlink()
    (notebook / "files" / "other.json").touch()
    result = run(face, "check", "--container", "image", "files", "--trust")
    assert "offset.json" in result.reason
    assert get_command("check").failed(result)


def test_container_check_loads_no_untrusted_model(notebook: Path, face: RecordingReporter, iris_export: Path) -> None:
    run(face, "package", "--container", "image", "--origin", str(iris_export))
    (notebook / "bad").mkdir()
    pickled = b"cos\nsystem\n(S'touch ran'\ntR."
    (notebook / "bad" / "model.pkl").write_bytes(pickled)
    with pytest.raises(ChecksFailed):
        run(face, "check", "--container", "image", "bad")
    assert not (notebook / "ran").exists()


def test_container_builds_no_untrusted_package(notebook: Path, face: RecordingReporter) -> None:
    archive = sdist(notebook / "dist", "other", setup=UNTRUSTED_SETUP, other="X = 1\n")
    words = ("--container", "image", "--prediction-class", "other.X", "--package-uris", str(archive))
    with pytest.raises(TrustError) as caught:
        run(face, "package", *words)
    assert "--trust" in caught.value.fix
    run(face, "package", *words, "--trust")
    assert json.loads((notebook / "image" / "container.json").read_text())["package_names"] == ["other-0.1.tar.gz"]


def test_container_options_belong_together(notebook: Path, face: RecordingReporter) -> None:
    for words in (("--origin", "files"), ("--replace",), ("--with-model",), ("--image", "a/b"), ("--trust",)):
        with pytest.raises(OptionError, match="requires --container") as caught:
            run(face, "package", "old_code.py", *words)
        assert caught.value.where == words[0]
    for words in (("--model-dir", "files"), ("--show", "python")):
        with pytest.raises(OptionError, match="no effect with --container"):
            run(face, "package", "old_code.py", "--container", "image", *words)
    with pytest.raises(OptionError, match="no effect with --container"):
        run(face, "check", "files", "--container", "image", "--show", "python")
    with pytest.raises(ModelDirError, match="is not the export of a container"):
        run(face, "check", "files", "--container", "files")
    assert not (notebook / "image").exists()
