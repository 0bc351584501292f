"""The last resort for errors of the operating system: a path, a reason and an exit code instead of a traceback."""

from __future__ import annotations

import argparse
import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mounts import fill, mounted
from recording_reporter import RecordingReporter

from aip_magics.commands.common.command import Command, Context
from aip_magics.commands.common.execution import execute
from aip_magics.commands.common.history_log import HistoryLog, now
from aip_magics.errors import LocalFileError, SettingsError

ROOT = str(Path(__file__).parents[2])


def run(raised: OSError, home: Path, **context: Any) -> Any:
    def fail(*_arguments: Any) -> None:
        raise raised

    command = Command("deploy", lambda _parser: None, fail, changes=True)
    return execute(command, argparse.Namespace(), None, Context(RecordingReporter(), **context))


def test_execution_explains_an_error_of_the_operating_system(home: Path) -> None:
    history = HistoryLog(home, "notebook", now)
    with pytest.raises(LocalFileError, match="could not use the file or directory: Permission denied") as caught:
        run(PermissionError(errno.EACCES, "Permission denied", "/etc/x"), home, history=history)
    assert caught.value.where == "/etc/x"
    assert isinstance(caught.value.__cause__, PermissionError)  # shown with --debug
    assert [(entry.outcome, entry.error) for entry in history.entries()] == [("failed", "LocalFileError")]


def test_execution_knows_the_data_directory(home: Path) -> None:
    with pytest.raises(SettingsError, match="could not create the data directory") as caught:
        run(PermissionError(errno.EACCES, "Permission denied", str(home / "x")), home)
    assert caught.value.where == str(home)


def test_execution_leaves_a_closed_pipe_to_the_command_line(home: Path) -> None:
    with pytest.raises(BrokenPipeError):
        run(BrokenPipeError(), home)


def python(*arguments: object, cwd: Path, stdout: Any = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": ROOT},
        cwd=cwd,
        timeout=120,
    )


LEAVE = """
import os, sys
os.mkdir("gone")
os.chdir("gone")
os.rmdir("../gone")
os.execv(sys.executable, [sys.executable, "-m", "aip_magics", *sys.argv[1:]])
"""


@pytest.mark.slow
def test_command_line_runs_in_a_directory_that_was_deleted(iris_export: Path, tmp_path: Path) -> None:
    done = python("-c", LEAVE, "check", iris_export, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = python("-c", LEAVE, "check", "export", cwd=tmp_path)
    assert done.returncode == 1
    assert "Error: " in done.stderr.splitlines()[0]
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_command_line_without_space_for_its_output_says_so(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=8k") as disk:
        output = disk / "output"
        output.touch()
        fill(disk)
        with output.open("w") as file:
            done = python("-m", "aip_magics", "check", "--help", cwd=tmp_path, stdout=file)
    assert done.returncode == 1
    assert "the disk is full" in done.stderr
    assert "Traceback" not in done.stderr
