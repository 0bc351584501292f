"""Logs on a full disk: whole lines or none, and a line that says how many were lost."""

from __future__ import annotations

import array
import contextlib
import io
import json
import logging
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mounts import leave, mounted

from aip_magics import data_directory
from aip_magics.prediction.worker.log_stream import drop_what_does_not_fit
from aip_magics.server import logs
from aip_magics.server.gcs import blobs
from aip_magics.server.serving.request_logs import RotatingLog

NO_SPACE = "No space left on device"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "disk", "size=1m") as directory:
        yield directory


@pytest.fixture
def server_log(disk: Path) -> Iterator[logging.Logger]:
    """A logger that writes to the log of the server only."""
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    root.handlers.clear()
    logs.to_file(disk, "token of sixteen characters")
    yield logging.getLogger("aip_magics")
    root.handlers[0].close()
    root.handlers[:], root.level = before
    logging.captureWarnings(False)


def test_log_file_says_once_how_many_lines_a_full_disk_lost(server_log: logging.Logger, disk: Path) -> None:
    server_log.warning("before")
    filler = leave(disk, 4096)
    for number in range(40):
        server_log.warning("%d %s", number, "x" * 400)
    filler.unlink()
    server_log.warning("after")
    server_log.warning("later")
    lines = (disk / logs.LOG_FILE).read_text().splitlines()
    kept = [line for line in lines if line.endswith("x" * 400)]
    assert all("WARNING aip_magics" in line for line in lines), "half a line"
    assert 0 < len(kept) < 40
    assert lines[0].endswith(": before")
    note = f"aip_magics.server.logs: {40 - len(kept)} lines of this log were lost: the disk was full"
    assert [line.partition("WARNING ")[2] for line in lines[-3:]] == [note, "aip_magics: after", "aip_magics: later"]


def test_log_file_keeps_no_half_line_of_a_disk_that_was_full_at_the_rotation(
    server_log: logging.Logger, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger().handlers[0], "maxBytes", 20_000)
    server_log.warning("x" * 18_000)
    filler = leave(disk, 4096)
    server_log.warning("y" * 10_000)
    filler.unlink()
    server_log.warning("after")
    lines = (disk / logs.LOG_FILE).read_text().splitlines()
    assert [line.partition(": ")[2] for line in lines] == ["1 lines of this log were lost: the disk was full", "after"]
    assert (disk / f"{logs.LOG_FILE}.1").read_text().endswith(f"{'x' * 18_000}\n")


def test_rotating_log_writes_whole_lines_or_none(disk: Path) -> None:
    log = RotatingLog(disk / "logs" / "access.jsonl", 1 << 20)
    lines = [json.dumps({"number": number, "text": "x" * 1000}) for number in range(30)]
    log._lines = lines[:1]
    log.flush()
    filler = leave(disk, 8192)  # too little for the first of them, enough for the second
    for some in (lines[1:29], lines[29:]):
        log._lines = some
        log.flush()
    filler.unlink()
    assert log.tail(9) == [lines[0], json.dumps({"lostLines": 28, "error": NO_SPACE}), lines[29]]


def test_blob_writer_goes_on_behind_what_it_has_counted(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_directory, "RESERVE_BYTES", 0)
    store = blobs.Blobs(disk)
    writer = blobs.BlobWriter(store)
    writer.write([b"a" * 1000])
    filler = leave(disk, 100_000)
    with pytest.raises(OSError, match=NO_SPACE):
        writer.write([b"b" * 300_000])
    assert writer.size == store.incoming(writer.file).stat().st_size == 1000
    filler.unlink()
    writer.write([b"b" * 300_000])
    blob = writer.finish()
    assert blob.size == 301_000
    assert store.incoming(blob.id).read_bytes() == b"a" * 1000 + b"b" * 300_000


def test_blob_writer_leaves_a_reserve(disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_directory, "RESERVE_BYTES", 500_000)
    writer = blobs.BlobWriter(blobs.Blobs(disk))
    writer.write([b"x" * 300_000])
    with pytest.raises(OSError, match=NO_SPACE):
        writer.write([b"x" * 300_000])
    assert writer.size == 300_000
    with contextlib.suppress(OSError):
        for _write in range(100):  # each would fit into the reserve
            writer.write([b"x" * 10_000])
    assert 300_000 < writer.size < 550_000
    assert shutil.disk_usage(disk).free >= 500_000
    writer.discard()
    assert not list(disk.glob("incoming/*"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_log_stream_drops_what_does_not_fit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full, (tmp_path / "log").open("w") as log:
        monkeypatch.setattr(sys, "stdout", full)
        monkeypatch.setattr(sys, "stderr", log)
        drop_what_does_not_fit()
        assert sys.stdout is not full
        sys.stdout.write("x" * 100_000)
        sys.stdout.flush()
        sys.stderr.write("kept\n")
        assert sys.stderr.buffer.write(array.array("i", [0x20202020, 0x0A202020])) == 8  # bytes, not items
        monkeypatch.setattr(sys, "stdout", io.StringIO())
        drop_what_does_not_fit()  # a stream without a descriptor is left alone
        assert isinstance(sys.stdout, io.StringIO)
    assert (tmp_path / "log").read_text() == "kept\n       \n"
