"""The token of a user's own: no command line, notebook, journal, log or error has it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aip_magics.commands.common.access_token import read_access_token
from aip_magics.commands.registry import build_parser, get_command
from aip_magics.errors import OptionError
from aip_magics.targets import local

ROOT = str(Path(__file__).parents[2])
TOKEN = "a-token-that-nothing-may-show"
MAY_HAVE_IT = {"server.json", "identity.json", "token"}


def aip(*words: str, given: str | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "aip_magics", *words],
        env={**os.environ, "PYTHONPATH": ROOT, **variables},
        input=given,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def command_lines() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().decode("utf-8", "replace"))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("way", ["file", "stdin", "environment"])
def test_token_is_in_the_owners_files_only(embedded: Path, iris_export: Path, tmp_path: Path, way: str) -> None:
    if way == "file":
        (tmp_path / "mine").write_text(f"{TOKEN}\n")
        done = aip("server", "start", "--token-file", str(tmp_path / "mine"))
    elif way == "stdin":
        done = aip("server", "start", "--token-file", "-", given=f"{TOKEN}\n")
    else:
        done = aip("server", "start", AIP_MAGICS_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    state = local.running(embedded)
    assert state is not None
    assert state.token == TOKEN
    deployed = aip("deploy", "v1", "--model", "iris", "--origin", str(iris_export), "--format", "json")
    assert deployed.returncode == 0, deployed.stderr
    refused = aip("describe", "--model", "none", "--debug")
    logs = aip("server", "logs", "--lines", "1000")
    assert not any(TOKEN in line for line in command_lines())
    environment = Path(f"/proc/{state.pid}/environ").read_bytes().decode()
    assert TOKEN not in environment
    for told in (done, deployed, refused, logs, aip("server", "status"), aip("server", "env"), aip("history")):
        assert TOKEN not in told.stdout + told.stderr
    for path in embedded.rglob("*"):
        if path.is_file() and path.name not in MAY_HAVE_IT:
            assert TOKEN.encode() not in path.read_bytes(), path
    for name in MAY_HAVE_IT:
        assert (embedded / name).stat().st_mode & 0o077 == 0


def test_token_is_in_no_notebook(embedded: Path, tmp_path: Path) -> None:
    import nbclient  # here, since its grammar of URIs takes two seconds to compile
    import nbformat

    (tmp_path / "mine").write_text(TOKEN)
    cells = [
        "%load_ext aip_magics",
        f"%aip_server start --token-file {tmp_path / 'mine'}",
        "%aip_list",
        "%aip_server env",
    ]
    cells.append("%aip_describe --model none --debug")
    notebook: Any = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", startup_timeout=180, allow_errors=True
    )
    client.execute(env={**os.environ, "PYTHONPATH": ROOT})
    saved = nbformat.writes(notebook)
    assert "127.0.0.1" in saved
    assert "NotFound" in saved
    assert TOKEN not in saved


def test_token_on_the_line_is_refused_and_the_fix_works(embedded: Path, tmp_path: Path) -> None:
    for words in (["--token", TOKEN], [f"--token={TOKEN}"]):
        done = aip("server", "start", *words)
        assert done.returncode == 2
        assert "visible to every user" in done.stderr
        assert "--token-file FILE" in done.stderr
        assert TOKEN not in done.stderr
    assert local.running(embedded) is None
    assert "--token " not in aip("server", "--help").stdout
    assert "--token" not in build_parser(get_command("server"), "server").flags()
    (tmp_path / "FILE").write_text("another-token-of-mine")
    assert aip("server", "start", "--token-file", str(tmp_path / "FILE")).returncode == 0


@pytest.mark.parametrize(
    "content", ["", "s3cret", "with blanks in the token", "not-ascii-붓꽃-not-ascii", "a\x1b" * 20]
)
def test_token_file_without_a_token_is_refused_without_being_shown(tmp_path: Path, content: str) -> None:
    (tmp_path / "mine").write_text(content)
    for file, variables in ((str(tmp_path / "mine"), {}), (None, {"AIP_MAGICS_TOKEN": content or " "})):
        with pytest.raises(OptionError, match="too short or contains characters") as caught:
            read_access_token(file, variables)
        assert not content or content not in "\n".join(caught.value.format_lines())


def test_token_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="could not read the token: No such file"):
        read_access_token(str(tmp_path / "none"), {})
    assert read_access_token(None, {}) is None
