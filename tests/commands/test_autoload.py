"""`autoload on|off|status`: what it writes is what IPython reads at its next start."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aip_magics.commands import autoload
from aip_magics.commands.common.command import Context
from aip_magics.commands.registry import build_parser, get_command
from aip_magics.errors import OptionError, SettingsError
from aip_magics.settings import Environment

SHIPPED = Path(__file__).parents[2] / "jupyter-config" / "ipython" / "startup" / autoload.FILE


class Shown(list[Any]):
    def emit(self, event: Any) -> None: ...

    def show(self, value: Any) -> None:
        self.append(value)


@pytest.fixture
def startup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The start-up directory of the default profile, in an IPython directory of the test's own."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setattr("IPython.core.application.ENV_CONFIG_DIRS", [])
    monkeypatch.setattr("IPython.core.application.SYSTEM_CONFIG_DIRS", [])
    return tmp_path / "profile_default" / "startup"


def run(*words: str, variables: dict[str, str] | None = None) -> autoload.Autoload:
    command = get_command("autoload")
    shown = Shown()
    result = command.run(
        build_parser(command, "x").parse(words), None, Context(shown, environment=Environment(variables or {}, {}))
    )
    assert shown == [result]
    return result


def test_autoload_on_and_off_write_and_remove_the_same_file_as_the_wheel(startup: Path) -> None:
    assert not run("status").on
    made = run("on")
    assert made.on
    assert made.files == (startup / autoload.FILE,)
    assert (startup / autoload.FILE).read_bytes() == SHIPPED.read_bytes()
    assert run("on") == run("status") == made
    assert not run("off").on
    assert list(startup.iterdir()) == []
    assert not run("off").on


def test_autoload_writes_no_file_that_exists_and_off_still_holds(
    startup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("IPython.core.application.ENV_CONFIG_DIRS", [str(tmp_path / "etc")])
    brought = tmp_path / "etc" / "startup" / autoload.FILE
    brought.parent.mkdir(parents=True)
    brought.write_bytes(SHIPPED.read_bytes())
    assert run("on").files == (brought,)
    assert not startup.exists()
    off = run("off")
    assert (off.on, off.files) == (False, (brought,))
    assert autoload.OFF in off.reason
    assert run("on").on
    assert list(startup.iterdir()) == []


def test_autoload_of_a_profile_is_its_own(startup: Path) -> None:
    assert run("on", "--profile", "work").on
    assert not run("status").on
    with pytest.raises(OptionError, match="invalid profile name"):
        run("on", "--profile", "../work")


def test_autoload_tells_the_environment_variable(startup: Path) -> None:
    run("on")
    assert (
        run("status", variables={autoload.VARIABLE: "0"}).reason == "the environment variable AIP_MAGICS_AUTOLOAD is 0"
    )


def test_autoload_fails_for_a_profile_that_cannot_be_written(startup: Path) -> None:
    startup.parent.write_text("a file where the directory should be")
    with pytest.raises(SettingsError, match="could not write to the IPython profile"):
        run("on")


def test_autoload_from_the_command_line(startup: Path) -> None:
    words = [sys.executable, "-m", "aip_magics", "autoload", "status", "--profile", "p", "--format", "json"]
    found = json.loads(subprocess.run(words, capture_output=True, text=True, check=True, cwd=SHIPPED.parents[3]).stdout)
    assert found["on"] is bool(found["files"])
