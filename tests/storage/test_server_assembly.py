"""The server assembles the parts of a file: the client says so, waits for it, and resumes after a full disk."""

from __future__ import annotations

import functools
import http.server
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mounts import mounted
from storage_fixtures import MakeFiles, serving

import aip_magics
from aip_magics.deploy.upload_step import progress_note
from aip_magics.retry import RetryableError
from aip_magics.storage import (
    GsUri,
    ProgressSnapshot,
    RetryPolicy,
    StorageClient,
    StorageRequestError,
    download_directory,
    plan_upload,
    upload,
)
from aip_magics.storage.http.socket_registry import SocketRegistry

MI = 1 << 20
SERVER = Path(__file__).parents[1] / "server" / "gcs" / "serve_gcs.py"


@functools.cache
def big_bytes() -> bytes:
    """More than one request takes. Created when the first test needs them."""
    return random.Random(6).randbytes(66 * MI)


def is_completion(method: str, target: str) -> bool:
    return method == "POST" and "uploadId=" in target


class Waiting(StorageClient):
    """Does not ask for the completion before `shown` is set."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(endpoint)
        self.shown = threading.Event()
        self.processing_seconds: list[float] = []

    def request_once(self, method: str, target: str, **options: Any) -> Any:
        if is_completion(method, target):
            assert self.shown.wait(30)
            self.processing_seconds.append(options["processing_seconds"])
        return super().request_once(method, target, **options)


def test_upload_shows_that_the_server_assembles_the_parts(endpoint: str, destination: GsUri, files: MakeFiles) -> None:
    client = Waiting(endpoint)
    notes: list[str] = []

    def progress(now: ProgressSnapshot) -> None:
        notes.append(progress_note(now))
        if now.assembling:
            assert (now.done, now.total, now.files_done) == (len(big_bytes()), len(big_bytes()), 0)
            client.shown.set()

    upload(client, plan_upload(client, files({"big": big_bytes()}), destination), progress=progress)
    client.close()
    assert "0 of 1 file, assembling the parts in Cloud Storage: big" in notes
    assert notes[-1].startswith("1 of 1 file")
    assert "assembling" not in notes[-1]
    assert client.processing_seconds == [6.6]  # by the size


def test_progress_note_of_a_file_that_is_assembled_while_another_is_sent() -> None:
    sending = ProgressSnapshot(10, 20, 1, 3, 5e6, "other", "big")
    assert progress_note(sending) == "1 of 3 files, 5.0 MB/s: other"


class _Late(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        time.sleep(1.0)
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"late")

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def late() -> Iterator[str]:
    """The URL of a server that answers after a second."""
    with serving(http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Late)) as url:
        yield url


@pytest.mark.slow
def test_request_that_may_take_longer_outlives_the_usual_time_limits(late: str) -> None:
    policy = RetryPolicy(read_timeout=0.2, stall_timeout=0.2)
    client = StorageClient(late, policy=policy)
    stop = threading.Event()

    def tick() -> None:
        while not stop.wait(0.02):
            client.sockets.interrupt(policy.stall_timeout)

    ticking = threading.Thread(target=tick)
    ticking.start()
    try:
        with pytest.raises(RetryableError):
            client.request_once("POST", "/", where="there", body=b"")
        assert client.request_once("POST", "/", where="there", body=b"", processing_seconds=60).data == b"late"
        with pytest.raises(RetryableError):  # the next request of the thread has the usual limits again
            client.request_once("POST", "/", where="there", body=b"")
    finally:
        stop.set()
        ticking.join()
        client.close()


def test_socket_registry_spares_a_patient_request_from_stalls_and_not_from_a_stop() -> None:
    now = [0.0]
    registry = SocketRegistry(lambda: now[0])
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        registry.allow_silence(100.0)
        registry.register(ours)
        now[0] = 174.0
        registry.interrupt(75.0)
        with pytest.raises(BlockingIOError):  # still open
            ours.recv(1)
        now[0] = 175.0
        registry.interrupt(75.0)
        assert ours.recv(1) == b""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        registry.register(ours)
        registry.interrupt()
        assert ours.recv(1) == b""


@pytest.mark.slow
def test_multipart_upload_that_met_a_full_disk_is_only_completed_by_the_next_run(
    tmp_path: Path, files: MakeFiles
) -> None:
    source, checkpoints, to = files({"big": big_bytes()}), tmp_path / "checkpoints", GsUri("bucket", "there/")
    sent: list[int] = []

    class Counting(StorageClient):
        def request_once(self, *args: Any, **options: Any) -> Any:
            sent.append(options.get("length") or 0)
            return super().request_once(*args, **options)

    path = os.pathsep.join(filter(None, [str(Path(aip_magics.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]))
    with mounted(tmp_path / "disk", "size=90m") as disk:
        process = subprocess.Popen(
            [sys.executable, str(SERVER), str(disk)], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path}
        )
        try:
            assert process.stdout
            client = Counting(f"http://127.0.0.1:{int(process.stdout.readline())}")
            bucket = b'{"name": "bucket"}'
            client.request("POST", "/storage/v1/b?project=demo", where="", body=bucket, Content_Type="application/json")
            (filler := disk / "filler").write_bytes(bytes(18 * MI))  # leaves less than a part
            with pytest.raises(StorageRequestError, match="The disk of the embedded object store is full") as caught:
                upload(client, plan_upload(client, source, to), checkpoints=checkpoints)
            assert caught.value.code == 507
            assert "server status" in caught.value.fix
            filler.unlink()
            sent.clear()
            upload(client, plan_upload(client, source, to), checkpoints=checkpoints)
            assert sum(sent) == 0
            (fetched,) = download_directory(client, to, tmp_path / "back")
            assert fetched.path.read_bytes() == big_bytes()
            client.close()
        finally:
            process.terminate()
            process.wait(20)
            assert process.stdout
            process.stdout.close()
