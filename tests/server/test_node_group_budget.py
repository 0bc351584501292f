"""The nodes of two versions that share a budget, with real workers."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import math
import os
import pickle
import signal
import time

import pytest
from test_node_group import KEY, Act, pid, until

from aip_magics.errors import ApiError, FailedPrecondition, ResourceExhausted
from aip_magics.prediction import AsyncWorkerClient, ForkServerPool, WorkerSpec
from aip_magics.server.serving.autoscaler import ScalingBounds
from aip_magics.server.serving.memory import measure
from aip_magics.server.serving.node_budget import Amounts, Claim, NodeBudget
from aip_magics.server.serving.node_group import NodeGroup
from aip_magics.server.serving.node_spec import NodeSpec


@pytest.fixture(scope="module")
def parents():
    with ForkServerPool() as pool:
        yield pool


@pytest.fixture
def with_groups(parents, tmp_path):
    """Run a test's coroutine with a function that builds groups; they share a budget of `limits`."""
    (tmp_path / "model").mkdir()
    (tmp_path / "logs").mkdir()
    (tmp_path / "model" / "model.pkl").write_bytes(pickle.dumps(Act()))

    async def start(node_spec):
        spec = WorkerSpec(node_spec.model_dir, node_spec.framework, node_spec.python, trusted=True)
        return await AsyncWorkerClient.start(spec, log_dir=tmp_path / "logs", fork_servers=parents)

    def run(test, limits):
        async def whole():
            budget = NodeBudget(limits, start_descriptors=6, node_descriptors=2, measure=measure)
            groups = []

            def new_group(name, least=0, most=1):
                spec = NodeSpec(
                    dataclasses.replace(KEY, version=name),
                    tmp_path / "model",
                    "SCIKIT_LEARN",
                    WorkerSpec(tmp_path).python,
                    scale=ScalingBounds(least, most),
                )
                groups.append(NodeGroup(spec, start, lambda loaded: None, budget=budget))
                return groups[-1]

            try:
                await test(new_group, budget)
            finally:
                for group in groups:
                    await group.close()
                assert budget.held == Amounts()
                budget.close()

        asyncio.run(whole())

    return run


def running(group):
    return group.to_json()["nodes"]["running"]


FEW = Amounts(math.inf, 8)  # two nodes, or one that is loaded and one that starts


def test_node_group_minimum_that_the_budget_ended_waits_for_a_request(with_groups):
    async def test(new_group, budget):
        first, second = new_group("first", 2, 2), new_group("second")
        await first.start()
        await until(lambda: running(first) == 2)
        await second.start()
        assert running(first) == 1
        assert first.to_json()["ended"]["descriptors"] == 1
        await second.close()  # there is room again
        await pid(first)
        first._schedule_check()
        await asyncio.sleep(0.3)
        assert running(first) == 1
        await asyncio.gather(*(pid(first, 0.3) for _ in range(3)))  # one of them has to wait
        await until(lambda: running(first) == 2)

    with_groups(test, FEW)


def test_node_group_replaces_a_dead_node_in_the_room_that_it_leaves(with_groups):
    async def test(new_group, budget):
        group = new_group("full", 2, 2)
        await group.start()
        await until(lambda: running(group) == 2)
        working = [asyncio.ensure_future(pid(group, 0.4)) for _ in range(3)]  # one of them waits
        await asyncio.sleep(0.1)
        os.kill(group.to_json()["nodes"]["pids"][0], signal.SIGKILL)
        await asyncio.gather(*working)
        await until(lambda: running(group) == 2)

    with_groups(test, FEW)


def test_node_group_asks_for_room_at_once_when_its_scaling_changes(with_groups):
    async def test(new_group, budget):
        first, second = new_group("first", 2, 2), new_group("second")
        await second.start()
        await first.start()
        await until(lambda: first._ask_again > 0.0)  # there is no room for its other node
        await second.close()
        first.rescale(ScalingBounds(2, 3))
        await until(lambda: running(first) == 2)

    with_groups(test, FEW)


def test_node_groups_of_many_requests_take_turns_within_the_budget(with_groups):
    async def test(new_group, budget):
        groups = [new_group(f"v{number}") for number in range(6)]
        for _ in range(2):
            pids = await asyncio.gather(*(pid(group) for group in groups))
            assert len(set(pids)) == len(groups)
            assert sum(map(running, groups)) <= 4
        assert sum(group.to_json()["ended"]["descriptors"] for group in groups) >= 4

    with_groups(test, FEW)


def test_node_group_tells_requests_why_no_node_has_room(with_groups, monkeypatch):
    async def test(new_group, budget):
        busy, late = new_group("busy"), new_group("late")
        await busy.start()
        working = asyncio.ensure_future(pid(busy, 1.5))
        await asyncio.sleep(0.1)
        begun = time.monotonic()
        waiting = [asyncio.ensure_future(pid(late)) for _ in range(3)]
        for answer in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(answer, ResourceExhausted)
            assert "1 nodes use all file descriptors that nodes may have (7)" in answer.message
        assert time.monotonic() - begun < 1.4
        monkeypatch.undo()
        assert await pid(late) != await working  # it waited until the other was idle

    monkeypatch.setattr(Claim, "wait_seconds", 0.2)
    with_groups(test, Amounts(math.inf, 7))


def test_node_group_larger_than_the_budget_is_told_at_once(with_groups):
    async def test(new_group, budget):
        group = new_group("large")
        with pytest.raises(FailedPrecondition, match="larger than the memory budget"):
            await group.start()
        with pytest.raises(FailedPrecondition, match="--memory-budget"):
            await pid(group)
        assert group.to_json()["nodes"]["running"] == 0

    with_groups(test, Amounts(100, math.inf))


def test_node_group_counts_the_memory_of_its_nodes(with_groups):
    async def test(new_group, budget):
        group = new_group("one")
        await group.start()
        told = group.to_json()["nodes"]
        assert told["memoryBytes"] == budget.held.memory
        assert 2 << 20 < told["memoryBytes"] < 500 << 20

    with_groups(test, Amounts(8 << 30, math.inf))


def test_node_group_gives_back_the_share_of_a_node_that_died_or_did_not_start(with_groups):
    async def test(new_group, budget):
        group = new_group("one")
        await group.start()
        with contextlib.suppress(ApiError):
            await group.predict(json.dumps({"instances": [["die"]]}).encode(), 30)
        await until(lambda: budget.held.descriptors <= 2)
        (group.node_spec.model_dir / "model.pkl").write_bytes(b"\x80\x04")
        broken = new_group("two")
        with pytest.raises(Exception, match="load the model"):
            await broken.start()
        await until(lambda: budget.held.descriptors <= 2)

    with_groups(test, Amounts(math.inf, 100))
