"""The disk of a real data directory: what is measured, what is deleted, what stays."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from custom_models import ROUTINE, routine_dir, sdist
from disk_cycles import bytes_after_cycles
from server_process import ServerProcess, wait_until

from aip_magics.directory_cache import key_digest
from aip_magics.targets import local

P = "/v1/projects/proj"
KIB, MIB = 1 << 10, 1 << 20
WEEK = 7 * 86_400
# A notebook: it uses entries of a cache until it is killed.
NOTEBOOK = """
import sys, time
from pathlib import Path
from aip_magics.directory_cache import DirectoryCache
def build(folder):
    (folder / "data").write_bytes(bytes(1 << 20))
for name in sys.argv[2:]:
    DirectoryCache(Path(sys.argv[1]), max_bytes=float("inf")).get_or_build(name, build)
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def notebook() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start processes that use entries of a cache."""
    started: list[subprocess.Popen[str]] = []

    def start(cache: Path, *names: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", NOTEBOOK, str(cache), *names]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def routine(server: ServerProcess, tmp_path: Path) -> dict[str, Any]:
    """The fields of a version with a package."""
    sdist(tmp_path / "code", "my_routine", my_routine=ROUTINE)
    uri = server.upload(tmp_path / "code", "gs://bucket-of-models/code")
    package = f"{uri}/my_routine-0.1.tar.gz"
    return {
        "folder": routine_dir(tmp_path / "offset"),
        "predictionClass": "my_routine.Routine",
        "packageUris": [package],
    }


def packages(data_dir: Path) -> set[str]:
    return {path.name for path in (data_dir / "packages").glob("[!.]*/")}


def files(directory: Path) -> set[str]:
    """All files that hold something: not locks and marks."""
    return {str(path) for path in directory.rglob("*") if path.is_file() and ".use" not in path.parts}


def du(*paths: Path) -> int:
    """The bytes that `du` counts, each hard link once."""
    present = [str(path) for path in paths if path.exists()]
    if not present:
        return 0
    counted = subprocess.run(["du", "-s", "-B1", "-c", *present], capture_output=True, text=True, check=True).stdout
    return int(counted.splitlines()[-1].split()[0])


def test_disk_report_counts_what_du_counts(
    server: ServerProcess, sklearn_dir: Path, tmp_path: Path, routine: dict[str, Any]
) -> None:
    model = tmp_path / "model"
    shutil.copytree(sklearn_dir, model)
    (model / "ballast.bin").write_bytes(os.urandom(3 * MIB))
    assert server.deploy(model, "big", framework="SCIKIT_LEARN")["response"]["state"] == "READY"
    assert server.deploy(**routine)["response"]["state"] == "READY"
    data = server.data_dir
    (data / "history").mkdir()
    (data / "history" / "one.json").write_bytes(bytes(100 * KIB))
    (data / "trials").mkdir()
    (data / "trials" / "one.json").write_bytes(bytes(50 * KIB))
    for running in (True, False):
        if not running:
            server.stop()
        report = local.measure_disk(data)
        assert report["running"] is running
        kinds = report["kinds"]
        assert sum(kind["bytes"] for kind in kinds.values()) == pytest.approx(du(data), rel=0.02)
        for kind, path in {
            "objects": "objects/blobs",
            "uploads": "objects/incoming",
            "packages": "packages",
            "trials": "trials",
            "logs": "logs",
            "other": "history",
        }.items():
            assert kinds[kind]["bytes"] == pytest.approx(du(data / path), rel=0.05, abs=32 * KIB), kind
        assert kinds["models"]["entries"] == 3  # two models, one snapshot of packages
        assert kinds["models"]["bytes"] < 100 * KIB  # directories
        assert kinds["models"]["sharedBytes"] == pytest.approx(du(data / "artifacts"), rel=0.05)
        assert kinds["objects"]["entries"] == len(list((data / "objects" / "blobs").glob("*/*")))
        assert report["unused"] == []
    assert local.running(data) is None  # nothing was started
    # The objects are gone, the version is not: now its model's bytes are its own.
    server.start()
    for name in ("big/v1/ballast.bin", "big/v1/model.joblib"):
        quoted = name.replace("/", "%2F")
        assert server.call("DELETE", f"/storage/v1/b/bucket-of-models/o/{quoted}").status == 204
    kinds = local.measure_disk(data)["kinds"]
    assert kinds["models"]["bytes"] > 3 * MIB > kinds["objects"]["bytes"]


def start_upload(server: ServerProcess, name: str) -> Path:
    """Begin a resumable upload; return the file of what was received."""
    before = set((server.data_dir / "objects" / "incoming").iterdir())
    uri = f"/upload/storage/v1/b/bucket-of-models/o?uploadType=resumable&name={name}"
    started = server.call("POST", uri, {})
    path = started.headers["Location"].removeprefix(server.url)
    received = server.call("PUT", path, bytes(MIB), Content_Range=f"bytes 0-{MIB - 1}/*")
    assert received.status == 308
    [file] = set((server.data_dir / "objects" / "incoming").iterdir()) - before
    return file


def test_disk_prune_deletes_what_nothing_uses_and_nothing_else(
    server: ServerProcess, routine: dict[str, Any], notebook: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    data = server.data_dir
    assert server.deploy(**routine)["response"]["state"] == "READY"
    old_upload, new_upload = start_upload(server, "old"), start_upload(server, "new")
    then = time.time() - 1.1 * WEEK
    os.utime(old_upload, (then, then))
    names = [key_digest(number) for number in range(2)]
    caches = ("staging", "downloads", "inputs", "environments", "packages")
    for cache in caches:
        notebook(data / cache, names[0]).kill()  # of a process that has ended
        notebook(data / cache, names[1])
    (data / "staging" / "Holidays").mkdir()
    kept = packages(data) - {names[0]}
    unused = {("downloads" if cache == "inputs" else cache, names[0]) for cache in caches}
    freed = check_prune(data, unused | {("uploads", old_upload.name)})
    assert freed > 6 * MIB
    for cache in caches:
        assert (data / cache / names[1] / "data").stat().st_size == MIB
    assert packages(data) == kept
    assert new_upload.exists()
    assert (data / "staging" / "Holidays").is_dir()
    with sqlite3.connect(data / "objects" / "index.sqlite") as db:
        assert [row[0] for row in db.execute("select id from sessions where result is null")] == [new_upload.name]
    assert server.ok("POST", f"{P}/models/m:predict", {"instances": [1]}) == {"predictions": [101]}
    server.stop()
    # What a killed server may leave, and an environment that serves a version.
    (data / "artifacts" / "building-abandoned").mkdir()
    shutil.copytree(routine["folder"], data / "artifacts" / names[0])
    shutil.copytree(routine["folder"], data / "logs" / "of-no-version")
    (data / "objects" / "incoming" / "abandoned").write_bytes(bytes(KIB))
    (data / "objects" / "blobs" / "aa").mkdir(exist_ok=True)
    (data / "objects" / "blobs" / "aa" / "abandoned").write_bytes(bytes(KIB))
    notebook(data / "environments", names[0]).kill()
    with sqlite3.connect(data / "service.sqlite") as db:
        db.execute("UPDATE versions SET python = ?", (str(data / "environments" / names[0] / "bin" / "python"),))
    shutil.move(data / "packages" / next(iter(kept - set(names))), tmp_path / "kept")  # of another Python
    left = {("models", "building-abandoned"), ("models", names[0]), ("logs", "of-no-version")}
    check_prune(data, left | {("uploads", "abandoned"), ("objects", "abandoned")})
    assert (data / "environments" / names[0]).is_dir()
    assert new_upload.exists()
    # A server that was killed between the rename of a finished upload and the commit of its object.
    (data / "objects" / "blobs" / new_upload.name[:2]).mkdir(exist_ok=True)
    published = new_upload.rename(data / "objects" / "blobs" / new_upload.name[:2] / new_upload.name)
    check_prune(data, set())
    assert published.exists()
    assert local.running(data) is None


def check_prune(data: Path, unused: set[tuple[str, str]]) -> int:
    """Check that a dry run names what is unused and deletes nothing, and that a prune deletes this; the bytes freed."""
    before, dry = files(data), local.measure_disk(data)
    assert {(each["kind"], each["name"]) for each in dry["unused"]} == unused
    assert files(data) == before
    counted = du(data)
    pruned = local.measure_disk(data, prune=True)
    assert {(each["kind"], each["name"]) for each in pruned["deleted"]} == unused
    freed: int = sum(each["bytes"] for each in pruned["deleted"])
    assert freed == sum(each["bytes"] for each in dry["unused"])
    assert freed == sum(kind["unusedBytes"] for kind in dry["kinds"].values())
    assert freed == pytest.approx(counted - du(data), rel=0.02, abs=32 * KIB)
    assert local.measure_disk(data)["unused"] == []
    return freed


@pytest.mark.slow
def test_disk_report_of_a_directory_without_a_server_touches_nothing(tmp_path: Path) -> None:
    for name in ("downloads/Holidays", f"packages/{'a' * 64}"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("logs/diary", "artifacts/pot", "objects/incoming/letter", "objects/blobs/aa/stone"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
        os.utime(path, (1, 1))
    before = sorted(tmp_path.rglob("*"))
    assert local.measure_disk(tmp_path)["unused"] == []
    assert local.measure_disk(tmp_path, prune=True)["deleted"] == []
    assert sorted(tmp_path.rglob("*")) == before
    (tmp_path / "server.lock").touch()  # of another program, or the server has never got so far
    shutil.rmtree(tmp_path / "packages")
    before = files(tmp_path)
    assert local.measure_disk(tmp_path, prune=True)["deleted"] == []
    assert files(tmp_path) == before
    missing = local.measure_disk(tmp_path / "missing")
    assert {kind["bytes"] for kind in missing["kinds"].values()} == {0}
    assert not (tmp_path / "missing").exists()


def test_disk_is_freed_of_packages_with_the_last_version_that_uses_them(
    server: ServerProcess,
    new_server: Callable[..., ServerProcess],
    routine: dict[str, Any],
    notebook: Callable[..., subprocess.Popen[str]],
) -> None:
    data = server.data_dir
    for version in ("v1", "v2"):
        assert server.deploy(version=version, **routine)["response"]["state"] == "READY"
    [name] = packages(data)
    server.ok("POST", f"{P}/models/m/versions/v2:setDefault", {})
    server.ok("DELETE", f"{P}/models/m/versions/v1")
    assert packages(data) == {name}
    server.stop()
    assert local.measure_disk(data, prune=True)["deleted"] == []
    server = new_server(data_dir=data).start()
    assert server.ok("POST", f"{P}/models/m:predict", {"instances": [1]}) == {"predictions": [101]}
    using = notebook(data / "packages", name)
    server.ok("DELETE", f"{P}/models/m/versions/v2")
    assert packages(data) == {name}  # in use
    using.kill()
    using.wait()
    routine["predictionClass"] = "my_routine.NoPredict"  # the installation succeeds, the creation fails
    assert "error" in server.deploy(version="v3", **routine)
    wait_until(lambda: packages(data) == set())
    assert [path.name for path in (data / "packages").iterdir()] == [".use"]  # no notes of what is gone


@pytest.mark.skipif(sys.platform == "win32", reason="Windows runs no scripts")
def test_disk_keeps_packages_whose_interpreter_does_not_answer(
    server: ServerProcess, routine: dict[str, Any], tmp_path: Path
) -> None:
    """The interpreter of a version may be too slow on a busy machine, or be broken for an hour."""
    data = server.data_dir
    assert server.deploy(**routine)["response"]["state"] == "READY"
    kept = packages(data)
    server.stop()
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    with sqlite3.connect(data / "service.sqlite") as db:
        db.execute("UPDATE versions SET python = ?", (str(python),))
    assert local.measure_disk(data, prune=True)["deleted"] == []
    assert packages(data) == kept
    python.unlink()  # its version can no longer be served
    assert [each["kind"] for each in local.measure_disk(data, prune=True)["deleted"]] == ["packages"]


def test_disk_is_freed_of_old_packages_and_environments_at_the_start(
    server: ServerProcess,
    new_server: Callable[..., ServerProcess],
    routine: dict[str, Any],
    notebook: Callable[..., subprocess.Popen[str]],
) -> None:
    data = server.data_dir
    assert server.deploy(**routine)["response"]["state"] == "READY"
    [used] = packages(data)
    server.stop()
    names = [key_digest(number) for number in range(3)]
    for cache in ("packages", "environments"):
        notebook(data / cache, *names).kill()
    notebook(data / "environments", names[2])
    long_ago = time.time() - 31 * 86_400
    for path in (*(data / "packages").glob("[!.]*/"), *(data / "environments").glob("[!.]*/")):
        if path.name != names[1]:
            os.utime(path, (long_ago, long_ago))
    server = new_server(data_dir=data).start()
    wait_until(lambda: not (data / "environments" / names[0]).exists())
    assert packages(data) == {used, names[1]}
    assert {path.name for path in (data / "environments").glob("[!.]*/")} == {names[1], names[2]}
    assert server.ok("POST", f"{P}/models/m:predict", {"instances": [1]}) == {"predictions": [101]}


def test_disk_is_what_it_was_after_cycles_of_create_and_delete(embedded: Path, tmp_path: Path) -> None:
    before = bytes_after_cycles(embedded, tmp_path / "first", 1)
    after = bytes_after_cycles(embedded, tmp_path / "more", 3)
    for kind in ("models", "objects", "uploads", "packages", "staging", "downloads", "environments"):
        assert abs(after[kind] - before[kind]) <= 64 * KIB, kind  # a cycle has 700 KiB
    assert after["databases"] - before["databases"] <= MIB
    assert after["logs"] - before["logs"] <= 256 * KIB
    assert after["other"] - before["other"] <= 64 * KIB
