"""A full disk: each step says so in one to three lines, and goes on once there is space again."""

from __future__ import annotations

import filecmp
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import joblib
import numpy
import pytest
from custom_models import ROUTINE, routine_dir, sdist
from mounts import fill, leave, mounted
from sklearn.neighbors import KNeighborsClassifier

from aip_magics.data_directory import RESERVE_BYTES
from aip_magics.targets import local

ROOT = str(Path(__file__).parents[2])
FREE_SPACE = "  fix:   free space on that disk, or set AIP_MAGICS_HOME to a directory on another disk"
FREE_SERVER_SPACE = "  fix:   free space on the disk of the data directory that `aip-magics server status` shows"
FREE_THAT_SPACE = "  fix:   free space on that disk and run the command again"
SERVER_FULL = [
    "ResourceExhausted: The disk of the embedded server is full. (507 RESOURCE_EXHAUSTED)",
    FREE_SERVER_SPACE,
]

pytestmark = pytest.mark.slow


# A cell is run twice; between the two, what fills the disk is deleted.
TWICE = """
import os, sys
import numpy
from IPython.core.interactiveshell import InteractiveShell
from sklearn.neighbors import KNeighborsClassifier
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "aip_magics")
points = numpy.random.default_rng(0).random((10_000, 30))
shell.push({"model": KNeighborsClassifier().fit(points, numpy.arange(10_000) % 2)})
shell.run_cell("%aip_deploy --model m --origin $model -q")
staging = os.path.join(os.environ["AIP_MAGICS_HOME"], "staging")
print("staged:", [name for name in os.listdir(staging) if not name.startswith(".")])
os.unlink(sys.argv[1])
shell.run_cell("version = %aip_deploy --model m --origin $model -q")
print("state:", shell.user_ns["version"].state)
"""
MB = 1 << 20


def aip(*words: object, code: int = 1) -> list[str]:
    """Run a command line and return the lines of its error, or of its output if it succeeds."""
    done = subprocess.run(
        [sys.executable, "-m", "aip_magics", *map(str, words)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": ROOT},
        timeout=120,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    shown = done.stderr if code else done.stdout
    return [line for line in shown.splitlines() if not line.startswith("[ ")]


@pytest.fixture
def disk(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The data directory, a disk of its own with as many kB as the parameter says."""
    with mounted(tmp_path / "disk", f"size={request.param}k") as directory:
        monkeypatch.setenv("AIP_MAGICS_HOME", str(directory))
        yield directory
        local.stop(directory)


@pytest.mark.parametrize("disk", [60], indirect=True)
def test_full_disk_at_the_start_is_named(disk: Path, iris_export: Path) -> None:
    expected = ["SettingsError: the disk of the data directory is full", f"  where: {disk}", FREE_SPACE]
    assert aip("server", "start") == expected
    assert aip("list") == expected
    # The process in the foreground tells what it could not do, before the error of the command.
    assert aip("server", "start", "--foreground")[-3:] == expected
    fill(disk)
    assert aip("server", "start") == expected
    assert aip("check", iris_export, "--trust") == expected


@pytest.mark.parametrize("disk", [6000], indirect=True)
def test_full_disk_of_a_running_server_is_named_and_passes(disk: Path, iris_export: Path, tmp_path: Path) -> None:
    (rows := tmp_path / "rows.json").write_text("[5.1, 3.5, 1.4, 0.2]\n")
    predict = ("predict", "--model", "m", "--json-instances", rows, "-q", "--format", "json")
    (large := tmp_path / "large").mkdir()
    points = numpy.random.default_rng(0).random((40_000, 30))
    joblib.dump(KNeighborsClassifier().fit(points, numpy.arange(40_000) % 2), large / "model.joblib")
    assert aip("deploy", "--model", "m", "--origin", large, "-q") == [
        "StorageRequestError: Cloud Storage returned HTTP 507: The disk of the embedded object store is full.",
        "  where: gs://aip-local-aiplatform/m/v1/model.joblib",
        FREE_SERVER_SPACE,
    ]
    aip("deploy", "--model", "m", "--origin", iris_export, "-q", code=0)
    filler = fill(disk)
    assert aip("create-model", "n", "--regions", "us-central1", "-q") == SERVER_FULL
    assert aip("delete", "v1", "--model", "m", "--yes", "-q") == SERVER_FULL
    assert "".join(aip(*predict, code=0)).replace(" ", "") == '{"predictions":[0]}'  # needs no space
    filler.unlink()
    aip("create-model", "n", "--regions", "us-central1", "-q", code=0)
    aip("delete", "v1", "--model", "m", "--yes", "-q", code=0)


@pytest.mark.parametrize("disk", [330 << 10], indirect=True)
def test_full_disk_is_not_met_by_an_upload_that_leaves_room_for_a_few_parts(disk: Path, tmp_path: Path) -> None:
    content = random.Random(7).randbytes(10 << 20)
    with (path := tmp_path / "model.bin").open("wb") as file:
        for _part in range(30):
            file.write(content)
    aip("upload", path, "gs://aip-local-aiplatform/large/", "-q", code=0)
    (blob,) = disk.rglob("objects/blobs/*/*")
    assert filecmp.cmp(blob, path, shallow=False)


def pid_of(disk: Path) -> int:
    state = local.running(disk)
    assert state is not None
    return state.pid


@pytest.mark.parametrize("disk", [24 * 1024], indirect=True)
def test_full_disk_while_a_model_is_staged_leaves_nothing_and_the_same_cell_succeeds_later(disk: Path) -> None:
    pid = local.start(disk).pid
    filler = leave(disk, MB)
    done = subprocess.run(
        [sys.executable, "-c", TWICE, filler],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": ROOT},
        timeout=120,
    )
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stdout.startswith(
        f"SettingsError: the disk of the data directory is full\n  where: {disk}\n{FREE_SPACE}"
    )
    assert "staged: []\n" in done.stdout
    assert done.stdout.endswith("state: READY\n")
    assert pid_of(disk) == pid


@pytest.mark.parametrize("disk", [160 * 1024], indirect=True)
@pytest.mark.parametrize("size", [5 * MB, 20 * MB, 70 * MB], ids=["insert", "resumable", "multipart"])
def test_full_disk_of_the_server_during_an_upload_is_named_and_the_same_upload_succeeds_later(
    disk: Path, tmp_path: Path, size: int
) -> None:
    pid = local.start(disk).pid
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "x.bin").write_bytes(os.urandom(size))
    filler = leave(disk, RESERVE_BYTES + size // 2)
    words = ("upload", tmp_path / "files", "gs://some-bucket/files")
    assert aip(*words, "-q") == [
        "StorageRequestError: Cloud Storage returned HTTP 507: The disk of the embedded object store is full.",
        "  where: gs://some-bucket/files/x.bin",
        FREE_SERVER_SPACE,
    ]
    filler.unlink()
    aip(*words, "-q", code=0)
    assert pid_of(disk) == pid


@pytest.mark.parametrize("disk", [48 * 1024], indirect=True)
def test_full_disk_while_packages_are_installed_is_named_by_trial_and_operation(disk: Path, tmp_path: Path) -> None:
    pid = local.start(disk).pid
    package = sdist(tmp_path, "my_routine", my_routine=ROUTINE + "#" + "x" * 8 * MB)  # its archive is small
    model = routine_dir(tmp_path / "model")
    (tmp_path / "rows.json").write_text("1\n")
    code = ("--package-uris", package, "--prediction-class", "my_routine.Routine", "--trust", "-q")
    trial = ("local-predict", "--model-dir", model, "--json-instances", tmp_path / "rows.json", *code)
    deploy = ("deploy", "--model", "m", "--origin", model, *code)
    filler = leave(disk, RESERVE_BYTES + 6 * MB)  # for the archive, not for its build
    where = f"  where: {disk}/packages"
    assert aip(*trial)[-3:] == ["LocalFileError: the disk is full", where, FREE_THAT_SPACE]
    failed = aip(*deploy)[-3:]
    assert failed[0] == "OperationFailed: Create Version failed. The disk of the embedded server is full."
    assert failed[2] == FREE_SERVER_SPACE
    filler.unlink()
    aip(*trial, code=0)
    aip(*deploy, code=0)
    assert pid_of(disk) == pid


@pytest.mark.parametrize("disk", [6000], indirect=True)
def test_full_disk_changes_no_file_of_the_user(disk: Path, iris_export: Path, tmp_path: Path) -> None:
    aip("deploy", "--model", "m", "--origin", iris_export, "--trust", "-q", code=0)
    (tmp_path / "rows.json").write_text("[5.1, 3.5, 1.4, 0.2]\n")
    names = ("trusted.json", "names.json", "identity.json", "server.json")
    before = {file: file.read_bytes() for file in (*(disk / "journals").glob("*.json"), *map(disk.joinpath, names))}
    other = tmp_path / "other"
    other.mkdir()
    joblib.dump(KNeighborsClassifier().fit([[0.0], [1.0]], [0, 1]), other / "model.joblib")
    filler = fill(disk)
    aip("predict", "--model", "m", "--json-instances", tmp_path / "rows.json", "-q", code=0)
    aip("list", "-q", code=0)
    assert aip("trust", other)[0] == "SettingsError: the disk of the data directory is full"
    assert aip("delete", "v1", "--model", "m", "--yes", "-q") == SERVER_FULL
    assert {file: file.read_bytes() for file in before} == before
    filler.unlink()
    aip("trust", other, code=0)
