"""A group of nodes with real workers: deadlines, the queue, more than one node."""

import asyncio
import json
import os
import pickle
import signal
import time

import pytest

from aip_magics.errors import ApiError, PredictionError, Unavailable
from aip_magics.prediction import AsyncWorker, ParentPool, WorkerSpec
from aip_magics.server.names import VersionKey
from aip_magics.server.nodes import NodeGroup, Nodes, Recipe

KEY = VersionKey("global", "p", "m", "v")


class Act:
    """A model: `sleep` seconds, then the process id."""

    CODE = """
import os, time
class Act:
    def predict(self, rows):
        time.sleep(rows[0][0])
        return [os.getpid()]
Act.__module__ = 'sklearn.act'
"""

    def __reduce__(self):
        return eval, (f"[exec({self.CODE!r}, space), space['Act']()][1]", {"space": {}})


@pytest.fixture(scope="module")
def parents():
    with ParentPool() as pool:
        yield pool


@pytest.fixture
def recipe(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.pkl").write_bytes(pickle.dumps(Act()))
    return Recipe(KEY, tmp_path / "model", "SCIKIT_LEARN", WorkerSpec(tmp_path).python)


@pytest.fixture
def with_group(recipe, parents, tmp_path):
    """Run a test's coroutine with a group of `size` nodes; `loaded` collects what was loaded."""

    async def start(recipe):
        (tmp_path / "logs").mkdir(exist_ok=True)
        spec = WorkerSpec(recipe.model_dir, recipe.framework, recipe.python)
        return await AsyncWorker.start(spec, log_dir=tmp_path / "logs", parents=parents)

    def run(test, size=1):
        async def whole():
            loaded = []
            group = NodeGroup(recipe, start, loaded.append, size)
            try:
                await test(group, loaded)
            finally:
                await group.close()

        asyncio.run(whole())

    return run


def body(seconds=0.0):
    return json.dumps({"instances": [[seconds]]}).encode()


async def pid(group, seconds=0.0, deadline=30.0):
    return json.loads(await group.predict(body(seconds), deadline))["predictions"][0]


def test_the_first_request_starts_the_node(with_group):
    async def test(group, loaded):
        assert loaded == []
        first = await pid(group)
        assert await pid(group) == first
        assert len(loaded) == 1

    with_group(test)


def test_a_request_past_its_deadline_is_ended_and_the_node_replaced(with_group):
    async def test(group, loaded):
        first = await pid(group)
        begun = time.monotonic()
        with pytest.raises(ApiError) as caught:
            await pid(group, 60, deadline=0.3)
        assert time.monotonic() - begun < 20
        assert (caught.value.code, caught.value.status) == (504, "DEADLINE_EXCEEDED")
        assert await pid(group) != first
        assert len(loaded) == 2

    with_group(test)


def test_a_request_that_waits_too_long_for_a_node_disturbs_nobody(with_group):
    async def test(group, loaded):
        await pid(group)
        busy = asyncio.ensure_future(pid(group, 1.0))
        await asyncio.sleep(0.1)
        with pytest.raises(ApiError, match="Deadline expired"):
            await pid(group, deadline=0.1)
        last = asyncio.ensure_future(pid(group))
        assert await last == await busy
        assert len(loaded) == 1

    with_group(test)


def test_a_cancelled_request_gives_its_place_away(with_group):
    async def test(group, loaded):
        await pid(group)
        busy = asyncio.ensure_future(pid(group, 0.5))
        await asyncio.sleep(0.1)
        waiting = asyncio.ensure_future(pid(group))
        after = asyncio.ensure_future(pid(group))
        await asyncio.sleep(0)
        waiting.cancel()
        assert await after == await busy
        assert waiting.cancelled()

    with_group(test)


def test_two_nodes_share_the_work_and_a_dead_one_is_replaced(with_group):
    async def test(group, loaded):
        pids = set(await asyncio.gather(*(pid(group, 0.3) for _ in range(2))))
        if len(pids) == 1:  # the second node came up after both were answered
            pids = set(await asyncio.gather(*(pid(group, 0.3) for _ in range(2))))
        assert len(pids) == 2
        os.kill(min(pids), signal.SIGKILL)
        again = set(await asyncio.gather(*(pid(group, 0.5) for _ in range(4))))
        assert max(pids) in again
        assert min(pids) not in again
        assert len(loaded) == 3

    with_group(test, size=2)


def test_closing_tells_those_who_wait(with_group):
    async def test(group, loaded):
        await pid(group)
        busy = asyncio.ensure_future(pid(group, 30))
        await asyncio.sleep(0.1)
        waiting = asyncio.ensure_future(pid(group))
        await asyncio.sleep(0)
        await group.close()
        for request in (busy, waiting, asyncio.ensure_future(pid(group))):
            with pytest.raises(Unavailable, match="being taken down"):
                await request

    with_group(test)


def test_what_the_model_refuses_is_not_tried_again(with_group):
    async def test(group, loaded):
        with pytest.raises(PredictionError) as caught:
            await group.predict(b'{"instances": [["x"]]}', 30)
        assert caught.value.kind == "FAILED_TO_RUN_MODEL"
        await pid(group)
        assert len(loaded) == 1

    with_group(test)


def test_a_version_has_one_group_until_it_is_closed(recipe):
    async def test():
        nodes = Nodes(start_worker=None, on_loaded=None)  # neither is asked for before a request comes
        group = nodes.group(recipe)
        assert nodes.group(recipe) is group
        assert nodes.find(KEY) is group
        await nodes.close(KEY)
        await nodes.close(KEY)
        assert nodes.find(KEY) is None

    asyncio.run(test())
