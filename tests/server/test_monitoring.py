"""Statistics and logs of versions, over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import sys
from datetime import datetime, timezone

import pytest
from server_process import wait_until

from aip_magics.server.app import App, Serving
from aip_magics.server.names import VersionKey
from aip_magics.server.serving import request_queue
from aip_magics.server.serving.node_spec import NodeSpec

V = "/v1/projects/proj/models/m/versions/v1"


@pytest.fixture
def server(cleared_server):
    return cleared_server


class Chatty:
    CODE = """
from sklearn.base import BaseEstimator
class Chatty(BaseEstimator):
    def predict(self, rows):
        print('asked for', rows)
        return [row[0] for row in rows]
Chatty.__module__ = 'sklearn.chatty'
"""

    def __reduce__(self):
        return eval, (f"[exec({self.CODE!r}, space), space['Chatty']()][1]", {"space": {}})


@pytest.fixture
def chatty(server, tmp_path):
    """A server with a version that prints; three requests were answered."""
    (tmp_path / "chatty").mkdir()
    (tmp_path / "chatty" / "model.pkl").write_bytes(pickle.dumps(Chatty()))
    assert "response" in server.deploy(tmp_path / "chatty", framework="SCIKIT_LEARN", trusted=True)
    for number in (1, 2):
        server.ok("POST", f"{V}:predict", {"instances": [[number]]})
    assert server.call("POST", f"{V}:predict", {"instances": 3}).status == 400
    return server


def test_monitoring_stats_of_a_version(chatty):
    stats = chatty.ok("GET", f"{V}:stats")
    assert stats["name"] == "projects/proj/models/m/versions/v1"
    assert (stats["requests"], stats["errors"], stats["errorsByStatus"]) == (3, 1, {"400": 1})
    assert 0 < stats["latencyMs"]["p50"] <= stats["latencyMs"]["p95"] <= stats["latencyMs"]["max"]
    nodes = stats["nodes"]
    assert (nodes["running"], nodes["busy"], nodes["least"], nodes["most"]) == (1, 0, 0, 1)
    os.kill(*nodes["pids"], 0)


def test_monitoring_logs_of_a_version(chatty):
    logs = chatty.ok("GET", f"{V}:logs")
    assert logs["nodes"][:2] == ["asked for [[1]]", "asked for [[2]]"]  # then the traceback of the third
    lines = [json.loads(line) for line in logs["access"]]
    assert [line["status"] for line in lines] == [200, 200, 400]
    assert "asked" not in json.dumps(lines)
    assert logs["requests"] == []
    last = chatty.ok("GET", f"{V}:logs?lines=1")
    assert last["access"] == logs["access"][-1:]
    assert len(last["nodes"]) == 1


def test_monitoring_logs_take_a_number_of_lines(chatty):
    for lines in ("-1", "x", "1" * 20, "٣"):
        answer = chatty.call("GET", f"{V}:logs?lines={lines}")
        assert (answer.status, answer.body["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_monitoring_of_a_missing_version(server):
    for what in ("stats", "logs"):
        assert server.call("GET", f"{V}:{what}").status == 404
        assert server.call("GET", f"{V}:{what}", Authorization=None).status == 401


def test_monitoring_logs_survive_a_restart_and_go_with_the_version(chatty, new_server):
    chatty.stop()
    again = new_server(data_dir=chatty.data_dir).start()
    assert len(again.ok("GET", f"{V}:logs")["access"]) == 3
    stats = again.ok("GET", f"{V}:stats")
    assert (stats["requests"], stats["nodes"]["running"]) == (0, 0)  # looking starts nothing
    again.ok("POST", f"{V}:predict", {"instances": [[5]]})
    assert again.ok("GET", f"{V}:logs")["nodes"][-1] == "asked for [[5]]"
    folder = again.data_dir / "logs"
    assert len(list(folder.iterdir())) == 1
    again.ok("DELETE", V)
    wait_until(lambda: list(folder.iterdir()) == [])


def test_monitoring_logs_bodies_where_the_version_asks_for_it(chatty):
    config = {"requestLoggingConfig": {"bigqueryTableName": "p.d.t", "samplingPercentage": 1}}
    chatty.ok("PATCH", f"{V}?updateMask=requestLoggingConfig", config)
    chatty.ok("POST", f"{V}:predict", {"instances": [[7]]})
    (row,) = [json.loads(line) for line in chatty.ok("GET", f"{V}:logs")["requests"]]
    assert json.loads(row["raw_data"]) == {"instances": [[7]]}
    assert json.loads(row["raw_prediction"]) == {"predictions": [7]}


def test_predict_tells_the_rejected_when_to_retry(tmp_path, monkeypatch):
    monkeypatch.setattr(request_queue, "QUEUE_REQUESTS", 0)

    def clock():
        return datetime.now(timezone.utc)

    async def main():
        app = App(
            tmp_path, token="t" * 32, python=sys.executable, version="1", clock=clock, stop=clock, serving=Serving()
        )
        key = VersionKey("global", "proj", "m", "v1")
        app.service.nodes.group(NodeSpec(key, tmp_path, None, sys.executable)).ready = True
        sent = []

        async def receive():
            return {"type": "http.request", "body": b'{"instances": [1]}'}

        async def send(message):
            sent.append(message)

        headers = [(b"host", b"127.0.0.1"), (b"authorization", b"Bearer " + b"t" * 32)]
        path = f"{V}:predict"
        scope = {"type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b""}
        async with app.running():
            await app.asgi({**scope, "headers": headers}, receive, send)
        return sent

    start, body = asyncio.run(main())
    assert start["status"] == 429
    assert dict(start["headers"])[b"retry-after"] == b"1"
    assert json.loads(body["body"])["error"]["status"] == "RESOURCE_EXHAUSTED"
