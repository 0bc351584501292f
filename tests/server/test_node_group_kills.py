"""kill -9 of workers while many ask: every request is answered, and rightly."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
import time

import pytest
from server_process import descendants, wait_until

PREDICT = "/v1/projects/proj/models/m/versions/v1:predict"
BODY = b'{"instances": [[3, 3], [0, 0]]}'
CLIENTS, REQUESTS, KILLS = 8, 10_000, 10


class Client(threading.Thread):
    """Asks over one connection, again and again."""

    def __init__(self, server, count):
        super().__init__()
        self.server, self.count = server, count
        self.right, self.wrong = 0, []

    def run(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.state.port, timeout=60)
        headers = {"Authorization": f"Bearer {self.server.state.token}"}
        try:
            for _ in range(self.count):
                connection.request("POST", PREDICT, BODY, headers)
                answer = connection.getresponse()
                found = answer.read()
                if answer.status == 200 and found == b'{"predictions": [1, 0]}':
                    self.right += 1
                else:
                    self.wrong.append((answer.status, found))
        except (OSError, http.client.HTTPException) as error:
            self.wrong.append(error)
        finally:
            connection.close()


@pytest.mark.parametrize("options", [(), ("--coalesce",)], ids=["one by one", "batched"])
def test_node_group_loses_no_request_when_workers_are_killed(new_server, sklearn_dir, options):
    server = new_server(*options).start()
    done = server.deploy(sklearn_dir, framework="SCIKIT_LEARN", manualScaling={"nodes": 2})
    assert done["response"]["state"] == "READY"
    count = REQUESTS // (1 if not options else 4)
    clients = [Client(server, count // CLIENTS) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    killed = 0
    while any(client.is_alive() for client in clients):
        done = sum(client.right for client in clients)
        if killed < KILLS and done > killed * count / (KILLS + 2):
            pids = server.ok("GET", "/v1/projects/proj/models/m/versions/v1:stats")["nodes"]["pids"]
            for pid in pids[: 1 + killed % 2]:  # now one of them, now both at once
                os.kill(pid, signal.SIGKILL)
                killed += 1
        time.sleep(0.02)
    assert [client.wrong for client in clients if client.wrong] == []
    assert sum(client.right for client in clients) == count // CLIENTS * CLIENTS
    assert killed >= KILLS
    stats = server.ok("GET", "/v1/projects/proj/models/m/versions/v1:stats")
    assert (stats["requests"], stats["errors"]) == (count // CLIENTS * CLIENTS, 0)
    wait_until(lambda: len(server.ok("GET", "/v1/projects/proj/models/m/versions/v1:stats")["nodes"]["pids"]) == 2)
    assert len(descendants(server.process.pid)) == 3  # two nodes and their parent: the killed ones are gone
    log = json.dumps(server.log())
    assert "a worker failed" in log
    assert "Traceback" not in log
