"""A group of nodes with real workers: deadlines, the queue, more than one node."""

import asyncio
import dataclasses
import json
import os
import pickle
import signal
import time
from pathlib import Path

import pytest

from aip_magics.errors import ApiError, PredictionError, ResourceExhausted, Unavailable
from aip_magics.prediction import AsyncWorkerClient, ForkServerPool, WorkerSpec
from aip_magics.server.names import VersionKey
from aip_magics.server.serving import request_queue as module
from aip_magics.server.serving.autoscaler import ScalingBounds
from aip_magics.server.serving.node_groups import NodeGroup, NodeGroups, NodeSpec
from aip_magics.spec import ManualScaling, Version

KEY = VersionKey("global", "p", "m", "v")


class Act:
    """A model: sleep that many seconds, then the process id; or give texts back, the number of calls for `calls`."""

    CODE = """
import os, time
class Act:
    calls = 0
    def predict(self, rows):
        Act.calls += 1
        if isinstance(rows[0][0], (int, float)):
            time.sleep(rows[0][0])
            return [os.getpid()]
        if any(row[0] == 'die' for row in rows):
            os._exit(1)
        if any(row[0] == 'fail' for row in rows):
            raise ValueError('as wanted')
        return [Act.calls if row[0] == 'calls' else row[0] for row in rows]
Act.__module__ = 'sklearn.act'
"""

    def __reduce__(self):
        return eval, (f"[exec({self.CODE!r}, space), space['Act']()][1]", {"space": {}})


@pytest.fixture(scope="module")
def parents():
    with ForkServerPool() as pool:
        yield pool


@pytest.fixture
def node_spec(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.pkl").write_bytes(pickle.dumps(Act()))
    return NodeSpec(KEY, tmp_path / "model", "SCIKIT_LEARN", WorkerSpec(tmp_path).python)


@pytest.fixture
def start_worker(parents, tmp_path):
    async def start(node_spec):
        (tmp_path / "logs").mkdir(exist_ok=True)
        spec = WorkerSpec(node_spec.model_dir, node_spec.framework, node_spec.python, trusted=True)
        return await AsyncWorkerClient.start(spec, log_dir=tmp_path / "logs", fork_servers=parents)

    return start


@pytest.fixture
def with_group(node_spec, start_worker):
    """Run a test's coroutine with a group of `size` nodes; `loaded` collects what was loaded."""

    def run(test, size=1, scale=None, **options):
        async def whole():
            loaded = []
            scaled = dataclasses.replace(node_spec, scale=scale or ScalingBounds(0 if size == 1 else size, size))
            group = NodeGroup(scaled, start_worker, loaded.append, **options)
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


async def until(done):
    end = time.monotonic() + 30
    while not done():
        assert time.monotonic() < end, "it takes too long"
        await asyncio.sleep(0.01)


def exists(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def test_node_group_starts_the_node_at_the_first_request(with_group):
    async def test(group, loaded):
        assert loaded == []
        first = await pid(group)
        assert await pid(group) == first
        assert len(loaded) == 1

    with_group(test)


def test_node_group_replaces_the_node_of_a_request_past_its_deadline(with_group):
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


def test_node_group_request_that_waits_too_long_disturbs_nobody(with_group):
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


def test_node_group_gives_the_place_of_a_cancelled_request_away(with_group):
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


def test_node_group_of_two_shares_the_work_and_replaces_a_dead_node(with_group):
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


def test_node_group_tells_those_who_wait_when_it_closes(with_group):
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


def test_node_group_does_not_retry_what_the_model_refuses(with_group):
    async def test(group, loaded):
        with pytest.raises(PredictionError) as caught:
            await group.predict(b'{"instances": [["fail"]]}', 30)
        assert caught.value.kind == "FAILED_TO_RUN_MODEL"
        await pid(group)
        assert len(loaded) == 1

    with_group(test)


def test_node_group_grows_with_the_queue_and_shrinks_when_idle(with_group):
    async def test(group, loaded):
        await group.start()
        assert len(group.to_json()["nodes"]["pids"]) == 1
        pids = set(await asyncio.gather(*(pid(group, 0.2) for _ in range(12))))
        assert len(pids) == len(loaded) == 3
        await until(lambda: group.to_json()["nodes"]["running"] == 0)  # the look is of the group's own
        await until(lambda: not any(map(exists, pids)))
        assert await pid(group) not in pids

    with_group(test, scale=ScalingBounds(0, 3), idle_seconds=0.5)


def test_node_group_has_as_many_nodes_as_are_fixed_from_the_start(with_group):
    async def test(group, loaded):
        await group.start()
        await until(lambda: group.to_json()["nodes"]["running"] == 3)
        assert len(loaded) == 3
        assert group.to_json()["nodes"]["least"] == 3

    with_group(test, size=3)


def test_node_group_takes_a_change_of_the_scaling_at_once(with_group):
    async def test(group, loaded):
        group.rescale(ScalingBounds(2, 2))
        assert not loaded  # a group that serves nobody stays asleep
        await group.start()
        await until(lambda: group.to_json()["nodes"]["running"] == 2)
        group.rescale(ScalingBounds(3, 3))
        await until(lambda: group.to_json()["nodes"]["running"] == 3)
        busy = asyncio.gather(*(pid(group, 0.3) for _ in range(3)))
        await asyncio.sleep(0.1)
        group.rescale(ScalingBounds(1, 1))
        assert len(set(await busy)) == 3  # what runs is finished first
        await until(lambda: group.to_json()["nodes"]["running"] == 1)
        assert len(loaded) == 3

    with_group(test, size=1)


def test_node_group_rejects_too_many_that_wait(with_group, monkeypatch):
    async def test(group, loaded):
        await pid(group)
        busy = [asyncio.ensure_future(pid(group, 0.5)) for _ in range(4)]
        await asyncio.sleep(0.1)
        with pytest.raises(ResourceExhausted, match="3 of them wait") as caught:
            await pid(group)
        assert caught.value.details[0]["retryDelay"] == "1s"
        monkeypatch.setattr(module, "QUEUE_REQUESTS", 100)
        monkeypatch.setattr(module, "QUEUE_BYTES", 3 * len(body(0.5)) + 10)
        with pytest.raises(ResourceExhausted):
            await pid(group)
        assert len(await asyncio.gather(*busy)) == 4
        await pid(group)

    monkeypatch.setattr(module, "QUEUE_REQUESTS", 3)
    with_group(test)


def test_node_group_batches_waiting_requests_where_that_is_on(with_group):
    async def test(group, loaded):
        await group.predict(b'{"instances": [["calls"]]}', 30)
        waiting = [asyncio.ensure_future(group.predict(b'{"instances": [[0.2]]}', 30))]
        await asyncio.sleep(0.05)
        waiting += [
            asyncio.ensure_future(group.predict(b'{"instances": [["echo %d"], ["x"]]}' % n, 30)) for n in range(5)
        ]
        waiting += [asyncio.ensure_future(group.predict(b'{"instances": [["echo"]], "a": 1}', 30))]  # goes alone
        _, *answers, last = await asyncio.gather(*waiting, return_exceptions=True)
        assert answers == [b'{"predictions": ["echo %d", "x"]}' % n for n in range(5)]
        assert isinstance(last, PredictionError)  # it takes no `a`
        assert json.loads(await group.predict(b'{"instances": [["calls"]]}', 30))["predictions"] == [4]

    with_group(test, batching=True)


def test_node_group_bad_request_spoils_no_other_of_its_batch(with_group):
    async def test(group, loaded):
        waiting = [asyncio.ensure_future(group.predict(b'{"instances": [[0.3]]}', 30))]
        await asyncio.sleep(0.1)
        bodies = [b'{"instances": [["echo 1"]]}', b'{"instances": [["fail"]]}', b'{"instances": [["echo 2"]]}']
        waiting += [asyncio.ensure_future(group.predict(one, 30)) for one in bodies]
        _, first, bad, second = await asyncio.gather(*waiting, return_exceptions=True)
        assert (first, second) == (b'{"predictions": ["echo 1"]}', b'{"predictions": ["echo 2"]}')
        assert isinstance(bad, PredictionError)

    with_group(test, batching=True)


def test_node_group_request_that_ends_its_node_ends_no_other_request(with_group):
    async def test(group, loaded):
        waiting = [asyncio.ensure_future(group.predict(b'{"instances": [[0.3]]}', 30))]
        await asyncio.sleep(0.1)
        bodies = [b'{"instances": [["echo 1"]]}', b'{"instances": [["die"]]}', b'{"instances": [["echo 2"]]}']
        waiting += [asyncio.ensure_future(group.predict(one, 30)) for one in bodies]
        _, first, bad, second = await asyncio.gather(*waiting, return_exceptions=True)
        assert (first, second) == (b'{"predictions": ["echo 1"]}', b'{"predictions": ["echo 2"]}')
        assert isinstance(bad, ApiError)
        assert bad.message.startswith("This request ended 2 nodes, one after the other: ")
        assert group.to_json()["waiting"] == 0

    with_group(test, batching=True)


def ask(group, *row, deadline=30.0):
    """A request that is on its way."""
    return asyncio.ensure_future(group.predict(json.dumps({"instances": [row]}).encode(), deadline))


def echoed(text):
    return json.dumps({"predictions": [text]}).encode()


def test_node_group_answers_a_queue_in_order(with_group):
    async def test(group, loaded):
        await pid(group)
        order = []
        waiting = [ask(group, f"echo {n}") for n in range(50)]
        for n, answer in enumerate(waiting):
            answer.add_done_callback(lambda _, n=n: order.append(n))
        assert await asyncio.gather(*waiting) == [echoed(f"echo {n}") for n in range(50)]
        await asyncio.sleep(0)
        assert order == sorted(order)
        assert group.to_json()["nodes"]["busy"] == group.to_json()["waiting"] == 0

    with_group(test)


def test_node_group_gives_waiting_requests_to_the_first_free_node(with_group):
    async def test(group, loaded):
        await pid(group)
        await until(lambda: group.to_json()["nodes"]["running"] == 2)
        begun = time.monotonic()
        busy = [ask(group, "echo"), ask(group, "echo")]
        slow, behind, other = ask(group, 3.0), ask(group, "behind"), ask(group, "other")
        assert await asyncio.gather(*busy, behind, other) == [*[echoed("echo")] * 2, echoed("behind"), echoed("other")]
        assert time.monotonic() - begun < 2
        assert not slow.done()
        await slow
        await until(lambda: group.to_json()["nodes"]["busy"] == 0)
        assert await ask(group, "after") == echoed("after")

    with_group(test, size=2)


def test_node_group_request_that_ends_its_node_ends_none_that_waits(with_group):
    async def test(group, loaded):
        await pid(group)
        waiting = [ask(group, text) for text in ("echo 0", "die", "echo 1", "echo 2")]
        first, died, *others = await asyncio.gather(*waiting, return_exceptions=True)
        assert [first, *others] == [echoed(f"echo {n}") for n in range(3)]
        assert isinstance(died, ApiError)
        assert died.message.startswith("This request ended 2 nodes, one after the other: ")

    with_group(test)


def test_node_group_waiting_requests_end_at_the_deadline_and_with_it(with_group):
    async def test(group, loaded):
        await pid(group)
        slow = asyncio.ensure_future(pid(group, 1.0))
        await asyncio.sleep(0.1)
        begun = time.monotonic()
        late, left = ask(group, "late", deadline=0.2), ask(group, "left")
        with pytest.raises(ApiError) as caught:
            await late
        assert time.monotonic() - begun < 0.8
        assert (caught.value.code, caught.value.status) == (504, "DEADLINE_EXCEEDED")
        await group.close()
        with pytest.raises(Unavailable, match="taken down"):
            await left
        with pytest.raises(ApiError):
            await slow

    with_group(test)


@pytest.mark.parametrize("custom", [{"prediction_class": "m.C"}, {"packages": (Path("x.tar.gz"),)}])
def test_node_group_never_batches_requests_to_custom_code(node_spec, custom):
    assert node_spec.batchable
    assert not dataclasses.replace(node_spec, **custom).batchable


def test_node_groups_threads_of_all_nodes_fit_the_processors(node_spec):
    nodes = NodeGroups(start_worker=None, on_loaded=None, cores=8)
    shares = [nodes.threads(dataclasses.replace(node_spec, scale=ScalingBounds(0, most))) for most in (1, 2, 3, 8, 30)]
    assert shares == [8, 4, 2, 1, 1]


def test_node_groups_start_no_more_nodes_than_make_sense(node_spec, caplog):
    nodes = NodeGroups(start_worker=None, on_loaded=None, cores=2)
    group = nodes.group(dataclasses.replace(node_spec, scale=ScalingBounds(50, 50)))
    assert group.node_spec.scale == ScalingBounds(8, 8)
    assert "at most 8 nodes serve on 2 processors, not 50" in caplog.text
    nodes.rescale(KEY, Version(manualScaling=ManualScaling(3)))
    assert group.node_spec.scale == ScalingBounds(3, 3)
    assert "up to 3 nodes share 2 processors" in caplog.text
    nodes.rescale(VersionKey("global", "p", "m", "other"), Version())


def test_node_groups_have_one_for_a_version_until_it_is_closed(node_spec):
    async def test():
        nodes = NodeGroups(start_worker=None, on_loaded=None)  # neither is asked for before a request comes
        group = nodes.group(node_spec)
        assert nodes.group(node_spec) is group
        assert nodes.find(KEY) is group
        await nodes.close(KEY)
        await nodes.close(KEY)
        assert nodes.find(KEY) is None

    asyncio.run(test())


def test_node_groups_end_with_the_nodes_of_a_version_that_was_being_closed(node_spec, start_worker):
    async def test():
        nodes = NodeGroups(start_worker, on_loaded=lambda *_: None)
        group = nodes.group(node_spec)
        node = await pid(group)
        request = asyncio.create_task(pid(group, 60.0, deadline=90.0))
        await until(lambda: group.to_json()["nodes"]["busy"] == 1)
        closing = asyncio.create_task(nodes.close(KEY, drain_seconds=60.0))
        await asyncio.sleep(0)
        closing.cancel()  # as a server does that is stopped meanwhile
        await asyncio.wait({closing})
        await nodes.close_all()
        assert not exists(node)
        with pytest.raises(Unavailable):
            await request

    asyncio.run(test())
