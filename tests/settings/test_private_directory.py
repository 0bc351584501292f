"""The data directory is its owner's alone: another user reads nothing of it, and makes none in our place."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from aip_magics import settings
from aip_magics.commands.common.history_log import HistoryLog, now
from aip_magics.errors import SettingsError
from aip_magics.targets import local
from aip_magics.targets.state import write_private

pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions of POSIX")
NOBODY = 65534


def test_private_directory_that_others_may_write_is_refused(tmp_path: Path) -> None:
    (shared := tmp_path / "sha red").mkdir()
    for mode in (0o777, 0o775, 0o722, 0o1777):
        shared.chmod(mode)
        with pytest.raises(SettingsError, match=f"can write .*mode {mode & 0o777:o}") as caught:
            settings.data_dir({"AIP_MAGICS_HOME": str(shared)})
        subprocess.run(["sh", "-c", caught.value.fix], check=True)
        assert settings.data_dir({"AIP_MAGICS_HOME": str(shared)}) == shared


def test_private_directory_that_is_missing_is_created_for_its_owner(embedded: Path) -> None:
    assert not embedded.exists()
    local.start(embedded, "--idle-exit", "60")
    assert stat.S_IMODE(embedded.stat().st_mode) == 0o700
    for path in embedded.rglob("*.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_private_directory_replaces_a_link_in_the_place_of_a_file(tmp_path: Path) -> None:
    (precious := tmp_path / "precious").write_text("mine")
    home = tmp_path / "home"
    journal = HistoryLog(home, "notebook", now)
    journal.path.parent.mkdir(parents=True)
    for path in (tmp_path / "server.json", journal.path):
        path.symlink_to(precious)
    write_private(tmp_path / "server.json", "{}")
    journal.add("deploy", "done")
    assert precious.read_text() == "mine"
    assert not journal.path.is_symlink()
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600


@pytest.fixture
def open_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data directory to which the way is open: pytest's own directories are closed to others."""
    if os.geteuid() != 0:
        pytest.skip("another user's process needs root to be started")
    above = Path(tempfile.mkdtemp())
    above.chmod(0o755)
    home = above / "aip"
    monkeypatch.setenv("AIP_MAGICS_HOME", str(home))
    yield home
    local.stop(home) if home.exists() and home.stat().st_uid == 0 else None
    shutil.rmtree(above)


def as_nobody(code: str, *arguments: object) -> str:
    """What a Python of another user prints."""

    def change() -> None:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)

    # Not that of the tests, which may lie where only their user may go.
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable
    done = subprocess.run(
        ["/usr/bin/env", "-i", python, "-I", "-c", code, *map(str, arguments)],
        preexec_fn=change,
        capture_output=True,
        text=True,
        timeout=60,
        cwd="/",
        check=False,
    )
    if done.returncode and "ermission denied" in done.stderr and "Traceback" not in done.stderr:
        pytest.skip("this Python cannot be run by another user")
    assert done.returncode == 0, done.stderr
    return done.stdout


READ = """
import os, sys
home, read = sys.argv[1], []
for folder, _, names in os.walk(home):
    read.append(folder)
for name in sys.argv[2:]:
    try:
        read.append(open(os.path.join(home, name)).read())
    except OSError as error:
        print(type(error).__name__)
try:
    os.listdir(home)
except OSError as error:
    print(type(error).__name__)
"""
ASK = """
import sys, urllib.request, urllib.error
try:
    print(urllib.request.urlopen(sys.argv[1] + "/v1/projects/aip-local/models", timeout=10).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""


@pytest.mark.slow
def test_private_directory_is_of_no_use_to_another_user(open_home: Path) -> None:
    state = local.start(open_home, "--idle-exit", "60")
    HistoryLog(open_home, "notebook", now).add("deploy", "done")
    names = sorted(str(path.relative_to(open_home)) for path in open_home.rglob("*") if path.is_file())
    assert "server.json" in names
    assert any(name.startswith("journals") for name in names)
    assert as_nobody(READ, open_home, *names).split() == ["PermissionError"] * (len(names) + 1)
    assert as_nobody(ASK, state.url).strip() == "401"
    header = {"Authorization": f"Bearer {state.token}"}
    asked = urllib.request.Request(f"{state.url}/v1/projects/aip-local/models", headers=header)
    assert json.loads(urllib.request.urlopen(asked, timeout=10).read()) == {}


@pytest.mark.slow
def test_private_directory_created_by_another_user_is_refused(open_home: Path) -> None:
    open_home.mkdir()
    (open_home / "server.json").write_text("{}")
    os.chown(open_home, NOBODY, NOBODY)
    for ask in (local.running, local.start):
        with pytest.raises(SettingsError, match="belongs to another user"):
            ask(open_home)
    with pytest.raises(SettingsError, match="belongs to another user") as caught:
        settings.resolve(target="local")
    assert "AIP_MAGICS_HOME" in caught.value.fix
    done = subprocess.run(
        [sys.executable, "-m", "aip_magics.server", "--data-dir", open_home],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "belongs to another user" in done.stderr
