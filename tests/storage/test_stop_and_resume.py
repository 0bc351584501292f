"""Stopped or killed: at once, nothing half-done stays behind, and the next run sends only the rest."""

from __future__ import annotations

import functools
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from storage_fixtures import MakeFiles, Orphans

from aip_magics.errors import Interrupted, StorageError
from aip_magics.storage import (
    GsUri,
    ProgressSnapshot,
    RetryPolicy,
    StorageClient,
    download_directory,
    plan_upload,
    upload,
)
from aip_magics.storage.upload.checkpoint import UploadCheckpoint, UploadedPart, file_identity

MI = 1 << 20


@functools.cache
def big_bytes() -> bytes:
    """More than one request takes. Created when the first test needs them."""
    return random.Random(2).randbytes(70 * MI)


def contents() -> dict[str, bytes]:
    many = {f"many/{number:02}": big_bytes()[: 1 + 3000 * number] for number in range(60)}
    return {"big": big_bytes(), "stream": big_bytes()[: 30 * MI], "small": big_bytes()[: 3 * MI], **many}


class Counting(StorageClient):
    """Counts the bytes of files that it, and its like for the threads, is asked to send."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.bodies: list[int] = []

    @property
    def sent(self) -> int:
        return sum(self.bodies)

    def request_once(self, *args: Any, **options: Any) -> Any:
        self.bodies.append(options.get("length") or 0)
        return super().request_once(*args, **options)


@pytest.fixture
def checkpoints(tmp_path: Path) -> Path:
    return tmp_path / "checkpoints"


@pytest.fixture
def counting(endpoint: str) -> Iterator[Counting]:
    client = Counting(endpoint)
    yield client
    client.close()


def left_in(checkpoints: Path) -> list[str]:
    return [path.name for path in checkpoints.glob("*")] if checkpoints.exists() else []


@pytest.mark.parametrize("how", ["event", "interrupt"])
@pytest.mark.parametrize("part", [0.0, 0.3, 0.7])
def test_upload_stops(
    client: StorageClient,
    destination: GsUri,
    files: MakeFiles,
    checkpoints: Path,
    orphans: Orphans,
    how: str,
    part: float,
) -> None:
    made = plan_upload(client, files(contents()), destination)
    cancel, stopped = threading.Event(), [0.0]

    def progress(now: ProgressSnapshot) -> None:
        if now.done >= part * now.total and not stopped[0]:
            stopped[0] = time.monotonic()
            cancel.set()
            if how == "interrupt":
                raise KeyboardInterrupt

    with pytest.raises((Interrupted, KeyboardInterrupt)) as caught:
        upload(client, made, progress=progress, cancel=cancel, checkpoints=checkpoints)
    late = time.monotonic() - stopped[0]
    assert isinstance(caught.value, Interrupted) == (how == "event")
    assert late < 0.5  # 0.2 on a quiet machine: the benchmark measures it
    assert orphans("big") == []
    assert not [thread for thread in threading.enumerate() if thread.name == "storage" and not thread.daemon]
    upload(client, plan_upload(client, made.send, destination), checkpoints=checkpoints)
    assert plan_upload(client, made.send, destination).unchanged
    assert orphans("big") == []
    assert left_in(checkpoints) == []


def test_upload_without_a_place_for_its_checkpoint_succeeds(
    client: StorageClient, destination: GsUri, files: MakeFiles, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    made = plan_upload(client, files({"big": big_bytes()}), destination)
    upload(client, made, checkpoints=tmp_path / "file" / "checkpoints")
    assert plan_upload(client, made.send, destination).unchanged
    with UploadCheckpoint(Path(os.devnull) / "checkpoints", str(destination)) as checkpoint:
        checkpoint.record_multipart("big", [], "id", MI)
        checkpoint.preserve()
        assert set(checkpoint.pending) == {"big"}


KILLED = """
import os, signal, sys
from pathlib import Path
from aip_magics.artifacts import inspect_model_dir
from aip_magics.storage import GsUri, StorageClient, plan_upload, upload
endpoint, source, destination, checkpoints, part = sys.argv[1:]
client = StorageClient(endpoint)

def progress(now):
    if now.done >= float(part) * now.total:
        os.kill(os.getpid(), signal.SIGKILL)

made = plan_upload(client, inspect_model_dir(Path(source)).files, GsUri.parse(destination))
upload(client, made, progress=progress, checkpoints=Path(checkpoints))
"""


def kill_at(part: float, endpoint: str, source: Path, destination: GsUri, checkpoints: Path) -> None:
    words = [sys.executable, "-c", KILLED, endpoint, str(source), str(destination), str(checkpoints), str(part)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("part", [0.0, 0.05, 0.3, 0.6, 0.8, 0.95])
def test_upload_that_was_killed_is_resumed(
    endpoint: str,
    counting: Counting,
    destination: GsUri,
    files: MakeFiles,
    checkpoints: Path,
    orphans: Orphans,
    tmp_path: Path,
    part: float,
) -> None:
    source = files(contents())
    kill_at(part, endpoint, source[0].path.parent, destination, checkpoints)
    made = plan_upload(counting, source, destination)
    upload(counting, made, checkpoints=checkpoints)
    fetched = download_directory(counting, destination, tmp_path / "back")
    assert {one.name: one.path.read_bytes() for one in fetched} == contents()
    assert orphans("big") == []
    assert left_in(checkpoints) == []
    if part > 0.9:  # before, all that was counted may have been parts on their way, of which none is whole
        assert counting.sent < sum(map(len, contents().values())) - 8 * MI


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_upload_that_was_killed_again_and_again(
    endpoint: str, counting: Counting, destination: GsUri, files: MakeFiles, checkpoints: Path, orphans: Orphans
) -> None:
    source = files({"big": big_bytes()})
    for part in (0.3, 0.6, 0.9, 0.97):
        kill_at(part, endpoint, source[0].path.parent, destination, checkpoints)
        # Always the same upload, that goes on; a late kill on a busy machine may find it complete.
        assert len(orphans("big")) == 1 or (part > 0.9 and orphans("big") == [])
    upload(counting, plan_upload(counting, source, destination), checkpoints=checkpoints)
    assert plan_upload(counting, source, destination).unchanged
    assert counting.sent <= len(big_bytes()) - 6 * MI
    assert orphans("big") == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_upload_sends_a_file_anew_that_changed_after_the_kill(
    endpoint: str,
    client: StorageClient,
    destination: GsUri,
    files: MakeFiles,
    checkpoints: Path,
    orphans: Orphans,
    tmp_path: Path,
) -> None:
    source = files({"big": big_bytes()})
    kill_at(0.5, endpoint, source[0].path.parent, destination, checkpoints)
    other = b"other" + big_bytes()[5:]
    upload(client, plan_upload(client, files({"big": other}), destination), checkpoints=checkpoints)
    (fetched,) = download_directory(client, destination, tmp_path / "back")
    assert fetched.path.read_bytes() == other
    assert orphans("big") == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_upload_leaves_nothing_of_a_file_that_is_gone(
    endpoint: str, client: StorageClient, destination: GsUri, files: MakeFiles, checkpoints: Path, orphans: Orphans
) -> None:
    source = files({"big": big_bytes()})
    kill_at(0.5, endpoint, source[0].path.parent, destination, checkpoints)
    assert len(orphans("big")) == 1
    upload(client, plan_upload(client, files({"small": b"1"}), destination), checkpoints=checkpoints)
    assert orphans("big") == []
    assert left_in(checkpoints) == []


def fail_before_last_part(endpoint: str, source: Any, destination: GsUri, checkpoints: Path) -> None:
    """Upload `big` until the network goes away: at least one part is recorded, and the last one never sent."""

    class Cable(Counting):
        def request_once(self, method: str, target: str, **options: Any) -> Any:
            if "partNumber=9&" in target:
                deadline = time.monotonic() + 10
                while time.monotonic() < deadline and '"part"' not in next(checkpoints.glob("*.jsonl")).read_text():
                    time.sleep(0.01)
                raise StorageError("the cable was pulled", where="here")
            return super().request_once(method, target, **options)

    client = Cable(endpoint, policy=RetryPolicy(give_up_after=1.0))
    with pytest.raises(StorageError, match="pulled"):
        upload(client, plan_upload(client, source, destination), checkpoints=checkpoints)
    client.close()


def test_multipart_upload_is_sent_again_when_its_checksum_is_wrong(
    endpoint: str,
    client: StorageClient,
    destination: GsUri,
    files: MakeFiles,
    checkpoints: Path,
    orphans: Orphans,
    tmp_path: Path,
) -> None:
    """A part in the checkpoint is another one at the server: the checksum of the whole shows it."""
    source = files({"big": big_bytes()})
    fail_before_last_part(endpoint, source, destination, checkpoints)
    (kept,) = checkpoints.glob("*.jsonl")
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    (id_,) = orphans("big")
    number = next(line["part"] for line in lines if "part" in line)
    other = bytes(8 * MI)
    target = f"/{destination.bucket}/{destination.prefix}big?partNumber={number}&uploadId={id_}"
    etag = client.request_once("PUT", target, where="big", body=other).headers["etag"].strip('"')
    changed = [{**line, "etag": etag} if line.get("part") == number else line for line in lines]
    kept.write_text("".join(json.dumps(line) + "\n" for line in changed))
    upload(client, plan_upload(client, source, destination), checkpoints=checkpoints)
    (fetched,) = download_directory(client, destination, tmp_path / "back")
    assert fetched.path.read_bytes() == big_bytes()
    assert orphans("big") == []


def start_multipart(client: StorageClient, destination: GsUri, name: str) -> str:
    answer = client.request("POST", f"/{destination.bucket}/{destination.prefix}{name}?uploads", where=name)
    return answer.data.decode().partition("<UploadId>")[2].partition("<")[0]


def test_multipart_upload_that_was_requested_and_not_heard_of_is_found(
    client: StorageClient, destination: GsUri, files: MakeFiles, checkpoints: Path, orphans: Orphans
) -> None:
    """Killed between the server's doing and its answer: only the server knows the id."""
    (file,) = source = files({"big": big_bytes()})
    with UploadCheckpoint(checkpoints, f"{client.endpoint} {destination}") as killed:
        killed.record_multipart("big", file_identity(file.path, file.path.stat()), "", 8 * MI)
        killed.preserve()
    start_multipart(client, destination, "big")
    upload(client, plan_upload(client, source, destination), checkpoints=checkpoints)
    assert orphans("big") == []


def test_upload_checkpoint_of_a_living_run_is_left_alone(
    client: StorageClient, destination: GsUri, files: MakeFiles, checkpoints: Path, orphans: Orphans
) -> None:
    (file,) = source = files({"big": big_bytes()})
    key = file_identity(file.path, file.path.stat())
    theirs = start_multipart(client, destination, "big")
    with UploadCheckpoint(checkpoints, f"{client.endpoint} {destination}") as dead:
        dead.record_multipart("big", key, "", 8 * MI)
        dead.preserve()
    living = UploadCheckpoint(checkpoints, f"{client.endpoint} {destination}")
    with living:
        living.record_multipart("big", key, theirs, 8 * MI)
        upload(client, plan_upload(client, source, destination), checkpoints=checkpoints)
        assert orphans("big") == [theirs]


def test_upload_checkpoint_is_for_its_owner_only_and_may_be_truncated(checkpoints: Path) -> None:
    part = UploadedPart("etag", "AAAAAA==", 5, ("00" * 32,))
    with UploadCheckpoint(checkpoints, "there") as killed:
        killed.record_multipart("a", ["path", 5, 1, 1], "id", 8 * MI)
        killed.record_part("a", 1, part)
        killed.record_multipart("b", ["path", 5, 1, 1], "other", 8 * MI)
        killed.preserve()
    (path,) = checkpoints.glob("*.jsonl")
    if os.name == "posix":
        assert path.stat().st_mode & 0o077 == 0
    path.write_bytes(path.read_bytes()[:-10])
    with UploadCheckpoint(checkpoints, "there") as after:
        assert list(after.recovered) == ["a"]
        assert after.recovered["a"].parts == {1: part}
    with UploadCheckpoint(checkpoints, "elsewhere") as other:
        assert other.recovered == {}


def test_upload_that_failed_goes_on_where_it_was(
    endpoint: str, destination: GsUri, files: MakeFiles, checkpoints: Path, counting: Counting, orphans: Orphans
) -> None:
    """The network goes away after some parts, and comes back for the next run."""
    source = files({"big": big_bytes()})
    fail_before_last_part(endpoint, source, destination, checkpoints)
    upload(counting, plan_upload(counting, source, destination), checkpoints=checkpoints)
    assert 0 < counting.sent <= len(big_bytes()) - 8 * MI
    assert plan_upload(counting, source, destination).unchanged
    assert orphans("big") == []
