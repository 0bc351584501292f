"""Scripts of `--show`, run as a user would."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(program: list[str], text: str, tmp_path: Path) -> str:
    """The output of a program that runs this text; `aip-magics` is on its path, as for a user."""
    tools = tmp_path / "bin"
    tools.mkdir(exist_ok=True)
    command = f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.quote(sys.executable)} -m aip_magics "$@"\n'
    (tools / "aip-magics").write_text(command)
    (tools / "aip-magics").chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
    }
    done = subprocess.run(
        program, input=text, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=300, check=False
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


SHELL = ["sh", "-e"]
PROGRAMS = {"gcloud": SHELL, "curl": SHELL, "python": [sys.executable, "-"]}


def available(form: str) -> None:
    if form != "python" and shutil.which(form) is None:
        pytest.skip(f"{form} is not installed")
    if form == "python" and importlib.util.find_spec("googleapiclient") is None:
        pytest.skip("google-api-python-client is not installed")
