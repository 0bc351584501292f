"""A data directory that cannot be made: what needs one says why and what to do, everything else works without."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from mounts import mounted

from aip_magics.targets import local

ROOT = str(Path(__file__).parents[2])
FIX = "  fix:   set AIP_MAGICS_HOME to a directory that you can write to"
UNKNOWN_USER = ["unshare", "--user", "--map-user=54321"]
NEED_A_DATA_DIRECTORY = [
    "list",
    "deploy --model m --origin {model}",
    "check {model} --trust",
    "local-predict --model-dir {model} --json-instances {rows} --trust",
    "predict --model m --json-instances {rows}",
    "upload {model} gs://some-bucket/m",
    "trust {model}",
    "server start",
    "server start --foreground",
    "server env",
]
NEED_NONE = [
    "check {model}",
    "deploy --model m --origin {model} --dry-run",
    "local-predict --model-dir {model} --json-instances {rows}",
    "config",
    "history",
    "deploy --help",
]


def aip(words: str, environ: Mapping[str, str | None], before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run a command line; variables that are None are not set."""
    variables = {**os.environ, "PYTHONPATH": ROOT, **environ}
    done = subprocess.run(
        [*before, sys.executable, "-m", "aip_magics", *words.split()],
        capture_output=True,
        text=True,
        env={name: value for name, value in variables.items() if value is not None},
        timeout=120,
    )
    assert "Traceback" not in done.stderr
    return done


def error_lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The error at the end of the output: at most three lines."""
    lines = done.stderr.splitlines()
    first = max(number for number, line in enumerate(lines) if re.match(r"\w+(Error|Failed): ", line))
    assert len(lines) - first <= 3, done.stderr
    return lines[first:]


@pytest.fixture
def files(iris_export: Path, tmp_path: Path) -> dict[str, Path]:
    rows = tmp_path / "rows.json"
    rows.write_text("[5.1, 3.5, 1.4, 0.2]\n")
    return {"model": iris_export, "rows": rows}


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """The mount point of a read-only file system."""
    with mounted(tmp_path / "read-only", "ro") as directory:
        yield directory


@pytest.fixture
def unknown_user() -> Sequence[str]:
    """What runs a command as a user ID without an entry in the user database."""
    probe = [*UNKNOWN_USER, sys.executable, "-c", "import os, pwd; pwd.getpwuid(os.getuid())"]
    if not shutil.which("unshare") or b"KeyError" not in subprocess.run(probe, capture_output=True, check=False).stderr:
        pytest.skip("user namespaces are not permitted")
    return UNKNOWN_USER


@pytest.mark.slow
@pytest.mark.parametrize("words", NEED_A_DATA_DIRECTORY)
def test_unusable_data_directory_below_a_file_is_named_with_reason_and_fix(
    words: str, files: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    directory = tmp_path / "file" / "aip"
    done = aip(words.format(**files), {"AIP_MAGICS_HOME": str(directory)})
    assert done.returncode == 1
    assert error_lines(done) == [
        "SettingsError: could not create the data directory: Not a directory",
        f"  where: {directory}",
        FIX,
    ]


@pytest.mark.slow
@pytest.mark.parametrize("words", NEED_NONE)
def test_unusable_data_directory_is_not_needed(words: str, files: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = aip(words.format(**files), {"AIP_MAGICS_HOME": str(tmp_path / "file" / "aip")})
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


@pytest.mark.slow
def test_unusable_data_directory_is_not_needed_for_a_cloud_target(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = aip("list --target aiplatform --project my-project", {"AIP_MAGICS_HOME": str(tmp_path / "file" / "aip")})
    assert error_lines(done)[0] == "CredentialsError: Application Default Credentials not found"


@pytest.mark.slow
@pytest.mark.parametrize("words", ["list", "check {model} --trust", "server start"])
def test_unusable_data_directory_in_a_read_only_home(words: str, files: dict[str, Path], read_only: Path) -> None:
    done = aip(words.format(**files), {"AIP_MAGICS_HOME": None, "XDG_DATA_HOME": None, "HOME": str(read_only)})
    assert error_lines(done) == [
        "SettingsError: could not create the data directory: Read-only file system",
        f"  where: {read_only}/.local/share/aip_magics",
        FIX,
    ]


@pytest.mark.slow
def test_unusable_data_directory_that_exists_on_a_read_only_disk(read_only: Path) -> None:
    done = aip("server start", {"AIP_MAGICS_HOME": str(read_only)})
    assert error_lines(done) == [
        "SettingsError: could not write to the data directory: Read-only file system",
        f"  where: {read_only}",
        FIX,
    ]


@pytest.mark.slow
@pytest.mark.parametrize("words", ["list", "check {model} --trust", "server status"])
def test_unusable_data_directory_of_a_user_without_a_home(
    words: str, files: dict[str, Path], unknown_user: Sequence[str]
) -> None:
    environ = {"AIP_MAGICS_HOME": None, "XDG_DATA_HOME": None, "HOME": None}
    assert error_lines(aip(words.format(**files), environ, unknown_user)) == [
        "SettingsError: the data directory could not be determined: this user has no home directory",
        "  where: HOME, AIP_MAGICS_HOME",
        FIX,
    ]


@pytest.mark.slow
@pytest.mark.parametrize("words", NEED_NONE[:3])
def test_unusable_data_directory_is_not_needed_by_a_user_without_a_home(
    words: str, files: dict[str, Path], unknown_user: Sequence[str]
) -> None:
    environ = {"AIP_MAGICS_HOME": None, "XDG_DATA_HOME": None, "HOME": None, "CLOUDSDK_CONFIG": None}
    done = aip(words.format(**files), environ, unknown_user)
    assert done.returncode == 0, done.stderr


def test_unusable_data_directory_fix_is_followed_by_a_user_without_a_home(
    embedded: Path, files: dict[str, Path], unknown_user: Sequence[str]
) -> None:
    environ = {"AIP_MAGICS_HOME": str(embedded), "XDG_DATA_HOME": None, "HOME": None}
    deployed = aip("deploy --model m --origin {model}".format(**files), environ, unknown_user)
    assert "state: READY" in deployed.stdout, deployed.stderr
    predicted = aip("predict --model m --json-instances {rows} --format json".format(**files), environ, unknown_user)
    assert json.loads(predicted.stdout) == {"predictions": [0]}
    assert aip("server stop", environ, unknown_user).returncode == 0


def test_unusable_data_directory_of_the_option_has_a_fix_of_its_own(embedded: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for action in ("start", "env", "start --foreground"):
        assert error_lines(aip(f"server {action} --data-dir {tmp_path}/file", {})) == [
            "SettingsError: could not create the data directory: Not a directory",
            f"  where: {tmp_path}/file",
            "  fix:   use --data-dir with a directory that you can write to",
        ]
    assert aip(f"server start --data-dir {embedded}", {}).returncode == 0
    assert local.running(embedded)


@pytest.mark.slow
def test_unusable_data_directory_is_told_in_a_notebook(tmp_path: Path, iris_export: Path) -> None:
    (tmp_path / "file").touch()
    code = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "aip_magics")
for line in (f"%aip_check {sys.argv[1]} -q", f"%aip_check {sys.argv[1]} --trust -q", "%aip_list"):
    shell.run_cell(line)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, iris_export],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": ROOT, "AIP_MAGICS_HOME": str(tmp_path / "file" / "aip")},
        cwd=tmp_path,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert (done.stdout + done.stderr).count(FIX.strip()) == 2
