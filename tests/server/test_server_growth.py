"""What a server holds in memory and in its tables after many versions have come and gone: what it held before."""

from __future__ import annotations

import asyncio
import collections
import gc
import json
import sys
import weakref
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from aip_magics.server.app import App, Serving
from aip_magics.server.state import operations_table

CYCLES = 100
AT_ONCE = 4
P = "/v1/projects/proj"
CONTAINERS = (dict, list, set, frozenset, tuple, collections.deque, weakref.WeakSet)


class AppCalls:
    """Requests to an application in this process."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        content = b"" if body is None else json.dumps(body).encode()
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": content}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"host", b"127.0.0.1"), (b"authorization", b"Bearer " + b"t" * 32)]
        path, _, query = path.partition("?")
        scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode(), "headers": headers}
        await self.app.asgi({**scope, "query_string": query.encode()}, receive, send)
        text = b"".join(message.get("body", b"") for message in sent[1:])
        return sent[0]["status"], json.loads(text or b"null")

    async def ok(self, method: str, path: str, body: Any = None) -> Any:
        status, answer = await self(method, path, body)
        assert status == 200, answer
        return answer

    async def cycle(self, version: str) -> None:
        """A version is created, predicts, logs, changes and is deleted; names that do not exist are asked for."""
        name = f"{P}/models/m/versions/{version}"
        fields = {"name": version, "deploymentUri": "gs://bucket/model/", "framework": "SCIKIT_LEARN"}
        operation = await self.ok("POST", f"{P}/models/m/versions", fields)
        while not operation.get("done"):
            await asyncio.sleep(0.005)
            operation = await self.ok("GET", f"/v1/{operation['name']}")
        assert operation["response"]["state"] == "READY"
        await self.ok("POST", f"{name}:predict", {"instances": [[1.0, 2.0]]})
        assert (await self("POST", f"{name}:predict", {"instances": [["x"]]}))[0] == 400
        await self.ok("GET", f"{name}:logs")
        await self.ok("PATCH", f"{name}?updateMask=description", {"description": "d"})
        if version != "v0":
            await self.ok("DELETE", f"/v1/{name.removeprefix('/v1/')}")
            assert (await self("POST", f"{name}:predict", {"instances": []}))[0] == 404
        for path in (f"models/{version}-none", f"models/m/versions/{version}-none", f"operations/{version}-none"):
            assert (await self("GET", f"{P}/{path}"))[0] == 404
            assert (await self("POST", f"{P}/{path}:predict", {"instances": []}))[0] == 404
        assert (await self("GET", f"/storage/v1/b/bucket/o/{version}-none"))[0] == 404


def sizes(root: object) -> dict[str, int]:
    """The total length of all containers of each attribute of our objects that the root refers to."""
    found: Counter[str] = Counter()
    seen: set[int] = set()
    todo: list[tuple[str, Any]] = [("App", root)]
    while todo:
        path, value = todo.pop()
        if id(value) in seen or isinstance(value, type):
            continue
        seen.add(id(value))
        if isinstance(value, CONTAINERS):
            found[path] += len(value)
            values = [*value.keys(), *value.values()] if isinstance(value, dict) else list(value)
            todo += [(path, one) for one in values]
        elif type(value).__module__.startswith("aip_magics.") and hasattr(value, "__dict__"):
            todo += [(f"{type(value).__name__}.{name}", one) for name, one in vars(value).items()]
    return {path: length for path, length in found.items() if length}


def new_app(data_dir: Path) -> App:
    return App(
        data_dir,
        token="t" * 32,
        python=sys.executable,
        version="1",
        clock=lambda: datetime.now(timezone.utc),
        stop=lambda: None,
        serving=Serving(),
    )


async def run(data_dir: Path, model: bytes) -> tuple[dict[str, int], dict[str, int], list[str]]:
    app = new_app(data_dir)
    calls = AppCalls(app)
    store = app.service.object_store
    store.buckets.create("proj", {"name": "bucket"})
    store.commit("bucket", "model/model.joblib", store.writer(), [model])
    async with app.running():
        await calls.ok("POST", f"{P}/models", {"name": "m"})
        await calls.cycle("v0")  # the default version, which stays
        before, after = {}, {}
        for first in range(1, CYCLES, AT_ONCE):
            await asyncio.gather(*(calls.cycle(f"v{number}") for number in range(first, first + AT_ONCE)))
            if first == 1 + 4 * AT_ONCE:
                before = await at_rest(app)
        after = await at_rest(app)
        files = [path.name for part in ("artifacts", "logs") for path in (data_dir / part).iterdir()]
    return before, after, files


async def at_rest(app: App) -> dict[str, int]:
    """The sizes once what the last requests have started is done."""
    app.service.request_logs.flush()
    await asyncio.sleep(0.5)
    gc.collect()
    return sizes(app)


def test_server_containers_are_as_before_after_many_versions_came_and_went(
    tmp_path: Path, sklearn_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations_table, "MAX_FINISHED_OPERATIONS", 20)
    before, after, files = asyncio.run(run(tmp_path, (sklearn_dir / "model.joblib").read_bytes()))
    # Up to a number that these requests do not reach.
    bounded = {"PredictApp._resolvers", "AccessMiddleware._locations"}
    grown = {path: (before.get(path, 0), length) for path, length in after.items() if length > before.get(path, 0)}
    assert {path: lengths for path, lengths in grown.items() if path not in bounded} == {}
    assert {"NodeGroups._groups", "RequestLogs._open", "LastUseTimes._used"} <= before.keys()  # it was seen
    assert len(files) == 2  # one snapshot and one directory of logs


def test_server_forgets_old_operations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations_table, "MAX_FINISHED_OPERATIONS", 20)

    async def main() -> None:
        app = new_app(tmp_path)
        calls = AppCalls(app)
        async with app.running():
            await calls.ok("POST", f"{P}/models", {"name": "m"})
            names = []
            for number in range(25):
                body = {"description": str(number)}
                names.append((await calls.ok("PATCH", f"{P}/models/m?updateMask=description", body))["name"])
            listed = await calls.ok("GET", f"{P}/operations?pageSize=100")
            assert [one["name"] for one in listed["operations"]] == names[:4:-1]
            assert (await calls.ok("GET", f"/v1/{names[5]}"))["done"] is True
            status, answer = await calls("GET", f"/v1/{names[4]}")
            unknown = await calls("GET", f"{P}/operations/none")
            assert (status, answer["error"]["status"]) == (404, "NOT_FOUND")
            assert (unknown[0], unknown[1]["error"]["status"]) == (status, answer["error"]["status"])

    asyncio.run(main())
