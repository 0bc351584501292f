"""What a server costs while nothing happens, and how it comes back with many versions."""

from __future__ import annotations

import signal
import sqlite3
import time
from email.utils import parsedate_to_datetime
from pathlib import Path

from server_process import descendants, wait_until

VERSIONS = 50
READY_SECONDS = 5.0  # with room for a busy machine; the benchmarks print what it really takes


def processor_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def test_server_uses_no_processor_while_nothing_happens(server):
    time.sleep(0.2)
    before = processor_ticks(server.process.pid)
    switches = Path(f"/proc/{server.process.pid}/status").read_text()
    time.sleep(2.0)
    after = Path(f"/proc/{server.process.pid}/status").read_text()
    assert processor_ticks(server.process.pid) - before <= 1  # of a hundredth of a second each
    assert _wakeups(after) - _wakeups(switches) <= 3  # uvicorn's own loop would wake 20 times


def _wakeups(status: str) -> int:
    return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])


def test_server_responses_have_the_right_date_after_a_rest(server):
    for _ in range(2):
        date = server.call("GET", "/healthz").headers["date"]
        assert abs(parsedate_to_datetime(date).timestamp() - time.time()) < 3
        time.sleep(1.2)
    assert server.call("GET", "/healthz").headers["date"] != date


def test_server_ends_at_once_when_told(server):
    begun = time.monotonic()
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(20) == 0
    assert time.monotonic() - begun < 5


def test_server_restarts_with_many_versions_and_starts_nothing_unasked(server, new_server, sklearn_dir):
    server.deploy(sklearn_dir, framework="SCIKIT_LEARN", manualScaling={"nodes": 2})
    server.stop()
    _multiply(server.data_dir / "service.sqlite")
    again = new_server(data_dir=server.data_dir)
    begun = time.monotonic()
    again.start()
    assert time.monotonic() - begun < READY_SECONDS
    assert descendants(again.process.pid) == set()
    listed = again.ok("GET", "/v1/projects/proj/models/m/versions?pageSize=100")["versions"]
    assert len(listed) == VERSIONS
    for name in ("v1", "v7", "v50"):
        answer = again.ok("POST", f"/v1/projects/proj/models/m/versions/{name}:predict", {"instances": [[3, 3]]})
        assert answer == {"predictions": [1]}


def _multiply(database: Path) -> None:
    """Many versions out of the one, without waiting for each to be created."""
    db = sqlite3.connect(database)
    columns = [row[1] for row in db.execute("PRAGMA table_info(versions)")]
    taken = ", ".join("?" if column == "version" else column for column in columns)
    for number in range(2, VERSIONS + 1):
        db.execute(f"INSERT INTO versions SELECT {taken} FROM versions WHERE version = 'v1'", (f"v{number}",))
    db.commit()
    db.close()


def test_server_ends_nodes_of_an_idle_version_that_come_back(new_server, sklearn_dir):
    server = new_server("--idle-nodes", "0.5").start()
    server.deploy(sklearn_dir, framework="SCIKIT_LEARN", autoScaling={"minNodes": 0, "maxNodes": 2})
    version = "/v1/projects/proj/models/m/versions/v1"
    assert server.ok("POST", f"{version}:predict", {"instances": [[3, 3]]}) == {"predictions": [1]}
    wait_until(lambda: server.ok("GET", f"{version}:stats")["nodes"]["running"] == 0)
    assert server.ok("POST", f"{version}:predict", {"instances": [[3, 3]]}) == {"predictions": [1]}
    assert server.ok("GET", version)["state"] == "READY"
