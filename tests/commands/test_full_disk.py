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
from mounts import fill, mounted
from sklearn.neighbors import KNeighborsClassifier

from aip_magics.targets import local

ROOT = str(Path(__file__).parents[2])
FREE_SPACE = "  fix:   free space on that disk, or set AIP_MAGICS_HOME to a directory on another disk"
FREE_SERVER_SPACE = "  fix:   free space on the disk of the data directory that `aip-magics server status` shows"
SERVER_FULL = [
    "ResourceExhausted: The disk of the embedded server is full. (507 RESOURCE_EXHAUSTED)",
    FREE_SERVER_SPACE,
]

pytestmark = pytest.mark.slow


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
