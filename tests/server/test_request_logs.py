"""What is written down of a version: bounded, and gone with it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from custom_models import ROUTINE, routine_dir, sdist
from server_process import wait_until

from aip_magics.server.names import VersionKey
from aip_magics.server.serving import request_logs as module
from aip_magics.server.serving.request_logs import NODE_LOG_BYTES, RequestLogs, RotatingLog, VersionLogs
from aip_magics.spec import RequestLoggingConfig

KEY = VersionKey("global", "p", "m", "v")
START = datetime(2020, 12, 14, 1, 47, 55, 250_000, timezone.utc)


class Clock:
    now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def run(scene: Callable[[], None]) -> None:
    async def main() -> None:
        scene()

    asyncio.run(main())


def of(tmp_path: Path, clock: Clock) -> VersionLogs:
    return RequestLogs(tmp_path, clock).of(KEY)


def test_request_logs_have_a_line_for_each_request_without_bodies(tmp_path: Path, clock: Clock) -> None:
    def scene() -> None:
        logs = of(tmp_path, clock)
        logs.request(200, 0.00123, b'{"instances": ["private"]}', b'{"predictions": [1]}')
        logs.request(400, 0.5, b"{", 'Prediction failed: "x"\n')
        lines = logs.tails(10)["access"]
        assert "private" not in "".join(lines)
        assert json.loads(lines[0]) == {
            "time": "2020-12-14T01:47:55.250Z", "status": 200, "ms": 1.23, "bytesIn": 26, "bytesOut": 20,
        }  # fmt: skip
        assert json.loads(lines[1])["error"] == 'Prediction failed: "x"\n'
        assert logs.tails(1)["access"] == lines[1:]
        assert logs.tails(10)["requests"] == []

    run(scene)


def test_request_logs_are_written_soon_without_being_asked(tmp_path: Path, clock: Clock, monkeypatch) -> None:
    monkeypatch.setattr(module, "FLUSH_SECONDS", 0.01)

    async def main() -> None:
        logs = of(tmp_path, clock)
        logs.request(200, 0.1, b"", b"")
        path = logs.folder / "access.jsonl"
        for _ in range(500):
            await asyncio.sleep(0.01)
            if path.exists():
                break
        assert json.loads(path.read_text())["status"] == 200

    asyncio.run(main())


def test_request_logs_keep_two_files_of_bounded_size(tmp_path: Path) -> None:
    def scene() -> None:
        rotating = RotatingLog(tmp_path / "x.jsonl", 1000)
        for number in range(500):
            rotating.append(f"line {number:03}")
            if number % 10 == 9:
                rotating.flush()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["x.jsonl", "x.jsonl.1"]
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2200
        assert rotating.tail(100) == [f"line {number:03}" for number in range(400, 500)]

    run(scene)


def test_request_logs_on_a_full_disk_cost_no_request(tmp_path: Path, clock: Clock) -> None:
    def scene() -> None:
        (tmp_path / "file").touch()
        logs = VersionLogs(tmp_path / "file" / "in the way", KEY.name, clock)
        logs.request(200, 0.1, b"", b"")
        assert logs.tails(1)["access"] == []

    run(scene)


@pytest.mark.parametrize(("share", "logged"), [(None, 0), (0.0, 0), (0.25, 5), (1.0, 20), (7.0, 20)])
def test_request_logs_have_bodies_as_far_as_requested(tmp_path: Path, clock: Clock, share, logged) -> None:
    def scene() -> None:
        logs = of(tmp_path, clock)
        logs.log_requests(RequestLoggingConfig("p.d.t", share))
        for number in range(20):
            logs.request(200, 0.1, b'{"instances": [%d]}' % number, b'{"predictions": [0]}')
        rows = [json.loads(line) for line in logs.tails(100)["requests"]]
        assert len(rows) == logged
        for row in rows:
            assert (row["table"], row["model"], row["model_version"]) == ("p.d.t", "m", "v")
            assert row["raw_prediction"] == '{"predictions": [0]}'
        logs.log_requests(None)
        logs.request(200, 0.1, b"{}", b"{}")
        assert len(logs.tails(100)["requests"]) == logged

    run(scene)


def test_request_logs_have_the_lines_asked_for_however_long_they_are(tmp_path: Path, clock: Clock, monkeypatch) -> None:
    monkeypatch.setattr(module, "TAIL_BYTES", 1000)
    monkeypatch.setattr(module, "MAX_TAIL_BYTES", 20_000)

    def scene() -> None:
        logs = of(tmp_path, clock)
        logs.log_requests(RequestLoggingConfig("p.d.t", 1.0))
        for number in range(100):
            logs.request(200, 0.1, b'{"instances": [%d]}' % number, b" " * 300)
        logs.flush()
        for lines in (1, 2, 30):
            bodies = [json.loads(line)["raw_data"] for line in logs.tails(lines)["requests"]]
            assert bodies == [f'{{"instances": [{number}]}}' for number in range(100 - lines, 100)]
        assert 30 < len(logs.tails(100)["requests"]) < 100  # no more than MAX_TAIL_BYTES of them

    run(scene)


def test_request_logs_truncate_a_nodes_log_while_it_is_written(tmp_path: Path, clock: Clock, monkeypatch) -> None:
    monkeypatch.setattr(module, "NODE_LOG_BYTES", 1000)
    monkeypatch.setattr(module, "NODE_LOG_KEPT", 100)

    def scene() -> None:
        logs = of(tmp_path, clock)
        logs.folder.mkdir(parents=True)
        path = logs.folder / "worker-1.log"
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        with contextlib.closing(os.fdopen(descriptor, "wb", buffering=0)) as node:
            for number in range(200):
                node.write(b"%08d\n" % number)
            clock.now += timedelta(seconds=5)
            logs.request(200, 0.1, b"", b"")
            node.write(b"after\n")
            lines = path.read_bytes().splitlines()
            assert lines[0].startswith(b"[the lines before")
            assert lines[-2:] == [b"00000199", b"after"]
            assert path.stat().st_size < 200
            assert logs.tails(2)["nodes"] == ["00000199", "after"]

    run(scene)


def test_request_logs_of_old_nodes_are_removed(tmp_path: Path, clock: Clock) -> None:
    logs = of(tmp_path, clock)
    logs.folder.mkdir(parents=True)
    paths = [logs.folder / f"worker-{number}.log" for number in range(12)]
    for number, path in enumerate(paths):
        path.touch()
        os.utime(path, (number, number))
    logs.prune({paths[0], paths[1]})
    assert sorted(logs.folder.iterdir()) == sorted([*paths[:2], *paths[-module.NODE_LOGS :]])


def test_request_logs_go_with_the_version(tmp_path: Path, clock: Clock) -> None:
    def scene() -> None:
        everything = RequestLogs(tmp_path, clock)
        other = VersionKey("us-east1", "p", "m", "v")  # the same name at another endpoint
        for key in (KEY, other):
            everything.of(key).request(200, 0.1, b"", b"")
        everything.flush()
        everything.remove(KEY)
        everything.remove(KEY)
        assert len(everything.of(other).tails(5)["access"]) == 1
        assert everything.of(KEY).tails(5)["access"] == []
        (tmp_path / "left behind").mkdir()
        RequestLogs(tmp_path, clock).keep_only([other])
        assert list(tmp_path.iterdir()) == [everything.of(other).folder]

    run(scene)


def test_request_logs_are_empty_at_first(tmp_path: Path, clock: Clock) -> None:
    RequestLogs(tmp_path / "none", clock).keep_only([])


def test_logs_of_a_node_that_prints_without_requests_are_truncated(server, tmp_path):
    code = (
        ROUTINE
        + """
import threading

class Talkative(Routine):
    def __init__(self, offset):
        def talk():
            for _ in range(30):
                print("x" * 100_000, flush=True)
        threading.Thread(target=talk).start()
"""
    )
    sdist(tmp_path / "code", "my_routine", my_routine=code)
    uri = server.upload(tmp_path / "code", "gs://bucket-of-models/code")
    package = f"{uri}/my_routine-0.1.tar.gz"
    folder = routine_dir(tmp_path / "offset")
    server.deploy(folder, predictionClass="my_routine.Talkative", packageUris=[package])
    [log] = (server.data_dir / "logs").glob("*/worker-*.log")
    wait_until(lambda: log.stat().st_size >= 3_000_000 or b"were removed" in log.read_bytes()[:100])
    wait_until(lambda: log.stat().st_size < NODE_LOG_BYTES)
    assert log.read_bytes().startswith(b"[the lines before were removed]\n")
