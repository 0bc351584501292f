"""How a server starts, is found, ends and starts again."""

import dataclasses
import json
import socket
import stat
import subprocess
import sys
import threading
import time

import filelock
import pytest
import requests
from server_process import ROOT, wait_until

from aip_magics.targets import local
from aip_magics.targets.state import ServerState


def test_lifecycle_state_file_is_the_owners_and_the_log_has_no_token(server):
    path = server.data_dir / "server.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(server.data_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE((server.data_dir / "identity.json").stat().st_mode) == 0o600
    data = json.loads(path.read_text())
    assert data["url"] == f"http://127.0.0.1:{data['port']}"
    assert data["pid"] == server.process.pid
    server.call("GET", "/v1/projects/p/models")
    server.call("GET", "/v1/projects/p/models", Authorization="Bearer x")
    token = server.state.token
    assert len(token) >= 32
    assert server.stop() == 0
    assert "serving" in server.log()
    assert token not in server.log()


def test_lifecycle_second_server_is_told_of_the_first(server):
    command = [sys.executable, "-m", "aip_magics.server", "--data-dir", str(server.data_dir)]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert second.returncode == 3
    assert f"a server is already running at {server.url}, process {server.state.pid}" in second.stderr
    assert server.state.token not in second.stderr
    assert server.call("GET", "/healthz").status == 200


def test_lifecycle_stop_route_ends_it_and_the_next_keeps_token_and_port(server, new_server):
    server.ok("POST", "/v1/projects/p/models", {"name": "kept"})
    assert server.ok("POST", "/aip-magics/stop") == {}
    again = new_server(data_dir=server.data_dir).start()  # waits for the lock of the one that is ending
    assert server.process.wait(10) == 0
    assert (again.state.token, again.state.port) == (server.state.token, server.state.port)
    assert again.ok("GET", "/v1/projects/p/models/kept")["name"].endswith("/kept")
    again.stop()
    assert ServerState.read(server.data_dir) is None


def test_lifecycle_start_waits_for_server_disk(embedded, server):
    """`server disk` holds the lock for a moment; the state file of a killed server looks like one that serves."""
    embedded.mkdir(mode=0o700)
    dataclasses.replace(server.state, data_dir=embedded).write()
    server.stop()
    lock = filelock.FileLock(embedded / "server.lock", thread_local=False)
    lock.acquire()
    measured = threading.Timer(2.0, lock.release)
    measured.start()
    state = local.start(embedded)
    measured.join()
    assert state.data_dir == embedded
    assert state.pid != server.state.pid


def test_lifecycle_takes_another_port_when_the_last_one_is_in_use(server, new_server):
    server.stop()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", server.state.port))
        other.listen()
        again = new_server(data_dir=server.data_dir).start()
        assert again.state.port != server.state.port
        assert again.state.token == server.state.token
        command = [sys.executable, "-m", "aip_magics.server", "--data-dir", str(server.data_dir / "other")]
        command += ["--port", str(server.state.port)]
        refused = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert refused.returncode == 1
        assert f"could not listen on port {server.state.port} of 127.0.0.1" in refused.stderr


def test_lifecycle_takes_a_token_of_the_users_own(new_server, tmp_path):
    (tmp_path / "token").write_text("a-token-of-my-own-choice\n")
    server = new_server("--token-file", str(tmp_path / "token")).start()
    assert server.state.token == "a-token-of-my-own-choice"
    assert server.call("GET", "/v1/projects/p/models", Authorization="Bearer a-token-of-my-own-choice").status == 200


def test_lifecycle_ends_when_idle(new_server):
    server = new_server("--idle-exit", "0.5").start()
    family = server.processes()
    begun = time.monotonic()
    while time.monotonic() < begun + 1.2:  # requests keep it up
        assert server.call("GET", "/healthz").status == 200
        time.sleep(0.1)
    wait_until(lambda: server.process.poll() is not None)
    assert server.process.returncode == 0
    assert family
    assert ServerState.read(server.data_dir) is None


def test_lifecycle_answers_a_request_in_progress_before_the_end(server, sklearn_dir):
    server.deploy(sklearn_dir)
    connection = socket.create_connection(("127.0.0.1", server.state.port))
    body = b'{"instances": [[3, 3]]}'
    head = (
        "POST /v1/projects/proj/models/m:predict HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {server.state.token}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with connection:
        connection.sendall(head.encode() + body[:5])
        time.sleep(0.1)  # the server has begun to read it
        assert requests.post(
            f"{server.url}/aip-magics/stop", headers={"Authorization": f"Bearer {server.state.token}"}, timeout=10
        ).ok
        connection.sendall(body[5:])
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.endswith(b'{"predictions": [1]}')
    assert server.process.wait(20) == 0


@pytest.mark.slow
def test_lifecycle_one_of_three_that_start_at_once_serves(tmp_path):
    command = [sys.executable, "-m", "aip_magics.server", "--data-dir", str(tmp_path / "data")]
    racing = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) for _ in range(3)]
    try:
        wait_until(lambda: sum(process.poll() is None for process in racing) == 1)
        (winner,) = (process for process in racing if process.poll() is None)
        assert sorted(process.returncode for process in racing if process is not winner) == [3, 3]
        wait_until(lambda: ServerState.read(tmp_path / "data"))
        state = ServerState.read(tmp_path / "data")
        assert state.pid == winner.pid
        assert requests.get(f"{state.url}/healthz", timeout=10).json()["pid"] == winner.pid
    finally:
        for process in racing:
            process.terminate()
            process.wait(30)
