"""The budget of all nodes: who gets room, who ends for it, who waits. Versions without processes; real ones are in
test_bounded_nodes.py."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aip_magics.errors import FailedPrecondition, ResourceExhausted
from aip_magics.server.serving import node_budget as module
from aip_magics.server.serving.memory import NODE_BYTES
from aip_magics.server.serving.node_budget import Amounts, Claim, NodeBudget, NodeShare, nodes_to_end

MB = 1 << 20
LIMITS = Amounts(330 * MB, 100)
NOON = datetime(2026, 1, 2, 12, tzinfo=timezone.utc)
amounts = st.builds(Amounts, st.integers(0, 50), st.integers(0, 50))


@given(amounts, amounts, st.lists(amounts))
def test_nodes_to_end_are_the_fewest_that_suffice_from_the_first_on(needs, free, idle):
    count = nodes_to_end(needs, free, idle)
    enough = [not sum(idle[:n], free).short_of(needs) for n in range(len(idle) + 1)]
    assert count == (enough.index(True) if True in enough else None)


@dataclasses.dataclass(eq=False)
class FakeNode:
    share: NodeShare


class FakeVersion:
    """The nodes of a version: `sizes` maps the process of each to what it holds."""

    def __init__(self, budget, sizes, real=100 * MB):
        self.budget, self.sizes, self.real = budget, sizes, real
        self.nodes, self.idle, self.known = [], [], None
        budget.add(self)

    def idle_nodes(self):
        return self.idle

    def end_for_room(self, node, resource):
        async def end():
            await asyncio.sleep(0.01)  # a process takes a while to end
            self.nodes.remove(node)
            del self.sizes[node.share.pid]
            self.budget.release(node.share)

        self.idle.remove(node)
        return asyncio.get_running_loop().create_task(end())

    async def start(self, claim=Claim.REQUEST, files=10 * MB):
        share = await self.budget.take(files, self.known, claim)
        pid = max(self.sizes, default=0) + 1
        self.sizes[pid] = self.real
        await asyncio.sleep(0.001)  # loading
        self.known = await self.budget.loaded(share, pid)
        node = FakeNode(share)
        self.nodes.append(node)
        return node

    def rest(self, node):
        self.idle.append(node)
        node.share.used = asyncio.get_running_loop().time()
        if self.budget.needs_idle_nodes:
            self.budget.rebalance()


@pytest.fixture
def run():
    """Run a test's coroutine with a budget and a function that builds versions."""

    def start(test, limits=LIMITS, **options):
        async def whole():
            sizes = {}
            budget = NodeBudget(
                limits,
                measure=lambda pids: {pid: sizes[pid] for pid in pids if pid in sizes},
                clock=lambda: NOON,
                start_descriptors=6,
                node_descriptors=2,
                **options,
            )
            try:
                await test(budget, lambda real=100 * MB: FakeVersion(budget, sizes, real))
            finally:
                budget.close()

        asyncio.run(whole())

    return start


def test_budget_ends_the_idle_node_that_was_used_longest_ago(run):
    async def test(budget, version):
        versions = [version() for _ in range(3)]
        for one in versions:
            one.rest(await one.start())
            await asyncio.sleep(0.001)
        versions[0].idle.clear()
        versions[0].rest(versions[0].nodes[0])  # it was used again
        await version().start()
        assert [len(one.nodes) for one in versions] == [1, 0, 1]
        told = budget.to_json()
        assert told["ended"] == {"memory": 1, "descriptors": 0, "last": "2026-01-02T12:00:00Z"}
        assert (told["nodes"], told["memoryBytes"], told["memoryBudgetBytes"]) == (3, 300 * MB, 330 * MB)

    run(test)


def test_budget_of_descriptors_counts_what_a_node_costs_while_it_starts_and_later(run):
    async def test(budget, version):
        nodes = version()
        for _ in range(3):
            nodes.rest(await nodes.start())
        assert budget.held.descriptors == 6
        nodes.rest(await nodes.start())  # 6 + 6 are more than 10
        assert len(nodes.nodes) == 3
        assert budget.ended.to_json()["descriptors"] == 1

    run(test, Amounts(descriptors=10, memory=float("inf")))


def test_budget_never_ends_busy_nodes_and_waits_until_one_is_idle(run):
    async def test(budget, version):
        busy, late = version(), version()
        nodes = [await busy.start() for _ in range(3)]
        waiting = asyncio.ensure_future(late.start())
        await asyncio.sleep(0.02)
        assert not waiting.done()
        assert budget.needs_idle_nodes
        busy.rest(nodes[1])
        await waiting
        assert busy.nodes == [nodes[0], nodes[2]]
        assert not budget.needs_idle_nodes

    run(test)


def test_budget_tells_why_there_is_no_room(run, monkeypatch):
    async def test(budget, version):
        busy = version()
        for _ in range(3):
            await busy.start()
        monkeypatch.setattr(Claim, "wait_seconds", 0.01)
        with pytest.raises(ResourceExhausted, match=r"of the memory budget of 346\.0 MB.*--memory-budget") as caught:
            await version().start()
        assert caught.value.details[0]["retryDelay"] == "1s"
        assert not budget._waiting
        assert budget.held.memory == 300 * MB

    run(test)

    async def few(budget, version):
        busy = version()
        await busy.start()
        monkeypatch.setattr(Claim, "wait_seconds", 0.01)
        with pytest.raises(ResourceExhausted, match=r"1 nodes use all file descriptors.*ulimit -n"):
            await version().start()

    run(few, Amounts(descriptors=7, memory=float("inf")))


def test_budget_ends_nothing_for_what_does_not_fit_anyway(run, monkeypatch):
    async def test(budget, version):
        busy, idle, large = version(200 * MB), version(), version()
        await busy.start()
        idle.rest(await idle.start())
        large.known = 300 * MB
        monkeypatch.setattr(Claim, "wait_seconds", 0.01)
        with pytest.raises(ResourceExhausted):
            await large.start()
        assert len(idle.nodes) == 1

    run(test)


def test_budget_minimum_nodes_take_free_room_only_and_growth_what_rested(run):
    async def test(budget, version):
        idle = version()
        for _ in range(3):
            idle.rest(await idle.start())
        other = version()
        for claim in (Claim.MINIMUM, Claim.GROWTH):
            with pytest.raises(ResourceExhausted):
                await other.start(claim)
        for node in idle.nodes:
            node.share.used -= module.GROWTH_IDLE_SECONDS
        with pytest.raises(ResourceExhausted):
            await other.start(Claim.MINIMUM)
        await other.start(Claim.GROWTH)
        assert len(idle.nodes) == 2

    run(test)


def test_budget_load_starts_after_those_that_end_for_it_are_gone(run):
    async def test(budget, version):
        idle, other = version(), version()
        for _ in range(3):
            idle.rest(await idle.start())
        other.known = 100 * MB
        await asyncio.gather(*(budget.take(MB, 100 * MB, Claim.REQUEST) for _ in range(2)))
        assert len(idle.nodes) == 1

    run(test)


def test_budget_counts_what_was_measured_and_ends_surplus_idle_nodes(run):
    async def test(budget, version):
        small, surprise = version(), version(320 * MB)  # of files of 10 MB
        for _ in range(3):
            small.rest(await small.start())
        await surprise.start()
        await asyncio.sleep(0.05)
        assert (len(small.nodes), len(surprise.nodes)) == (0, 1)
        assert budget.held.memory == 320 * MB

    run(test)


def test_budget_guessed_loads_go_one_after_the_other_where_they_might_exceed_it(run):
    async def test(budget, version):
        most = 0

        async def watch():
            nonlocal most
            while True:
                most = max(most, sum(sizes.values()))
                await asyncio.sleep(0)

        versions = [version(320 * MB) for _ in range(4)]
        sizes = versions[0].sizes
        watching = asyncio.ensure_future(watch())

        async def use(one):
            one.rest(await one.start(files=80 * MB))

        await asyncio.gather(*map(use, versions))
        watching.cancel()
        assert most <= budget.limits.memory + 320 * MB
        assert budget.limits.memory < 4 * (80 * MB + NODE_BYTES)  # together they would have been above by far

    run(test)


def test_budget_measures_nodes_that_grew_when_room_is_needed(run, monkeypatch):
    async def test(budget, version):
        monkeypatch.setattr(module, "FRESH_SECONDS", 0.0)
        first, second, third = version(), version(), version()
        for one in (first, second):
            one.rest(await one.start())
            await asyncio.sleep(0.002)
        first.sizes[first.nodes[0].share.pid] = 10 * MB  # it has freed some
        first.nodes[0].share.used += 0.001
        third.known = 200 * MB
        third.real = 200 * MB
        await third.start()
        assert (len(first.nodes), len(second.nodes)) == (1, 1)

    run(test)


def test_budget_looks_at_nodes_in_use_now_and_then(run, monkeypatch):
    async def test(budget, version):
        idle, grown = version(), version()
        idle.rest(await idle.start())
        grown.rest(await grown.start())
        grown.sizes[grown.nodes[0].share.pid] = 330 * MB
        grown.nodes[0].share.used += 0.001
        end = asyncio.get_running_loop().time() + 10
        while idle.nodes:
            assert asyncio.get_running_loop().time() < end
            await asyncio.sleep(0.01)
        assert len(grown.nodes) == 1

    monkeypatch.setattr(module, "MEASURE_SECONDS", 0.02)
    monkeypatch.setattr(module, "FRESH_SECONDS", 0.0)
    run(test)


def test_budget_refuses_a_model_that_is_larger(run):
    async def test(budget, version):
        budget.check_model(330 * MB)
        with pytest.raises(FailedPrecondition, match=r"files have 346\.0 MB, the budget is 346\.0 MB"):
            budget.check_model(330 * MB + 1)

    run(test)


def test_budget_lets_a_node_start_that_was_measured_above_it(run):
    async def test(budget, version):
        one = version()
        one.known = 500 * MB
        one.rest(await one.start())
        two = version()
        two.known = 500 * MB
        await two.start()
        assert (len(one.nodes), len(two.nodes)) == (0, 1)

    run(test)


def test_budget_cancelled_waiter_leaves_nothing(run):
    async def test(budget, version):
        busy, late = version(), version()
        nodes = [await busy.start() for _ in range(3)]
        waiting = asyncio.ensure_future(late.start())
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        busy.rest(nodes[0])
        assert len(busy.nodes) == 3
        assert budget.held.memory == 300 * MB

    run(test)


def test_budget_waiter_cancelled_as_its_turn_comes_passes_the_room_on(run):
    async def test(budget, version):
        busy, late, later = version(), version(), version()
        late.known = later.known = 100 * MB
        nodes = [await busy.start() for _ in range(3)]
        waiting = [asyncio.ensure_future(one.start()) for one in (late, later)]
        await asyncio.sleep(0.01)
        busy.rest(nodes[0])
        waiting[0].cancel()
        await asyncio.wait_for(waiting[1], 10.0)
        assert len(budget._shares) == 3

    run(test)


def test_budget_waiter_gets_the_room_of_a_load_that_failed(run):
    async def test(budget, version):
        late = version()
        share = await budget.take(MB, 300 * MB, Claim.REQUEST)
        waiting = asyncio.ensure_future(late.start())
        await asyncio.sleep(0.01)
        assert budget.needs_idle_nodes
        budget.release(share)
        await asyncio.wait_for(waiting, 10.0)

    run(test)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 30), st.booleans()), max_size=25))
@pytest.mark.slow
def test_budget_holds_at_most_its_limit_whatever_comes(steps):
    """Versions with measured sizes load one after the other, and stay busy or idle."""

    async def whole():
        sizes = {}
        budget = NodeBudget(Amounts(100, 20), measure=lambda pids: {}, start_descriptors=6, node_descriptors=2)
        versions = [FakeVersion(budget, sizes) for _ in range(6)]
        for index, size, busy in steps:
            one = versions[index]
            one.known = size
            try:
                node = await one.start(Claim.MINIMUM if busy else Claim.GROWTH)
            except ResourceExhausted:
                continue
            assert budget.held.memory <= 100
            assert budget.held.descriptors <= 20
            if not busy:
                one.rest(node)
                node.share.used -= 2 * module.GROWTH_IDLE_SECONDS
        budget.close()

    asyncio.run(whole())


@given(st.lists(st.tuples(st.sampled_from(["start", "start", "cancel", "turn"]), st.integers(0, 20)), max_size=30))
def test_budget_loses_no_share_and_forgets_no_waiter_whatever_comes(steps):
    """Loads of versions start, wait, fail and are cancelled at any point; each node that loaded rests after a while."""

    async def use(one, size, *, fails):
        share = await one.budget.take(size, size or None, Claim.REQUEST)
        pid = max(one.sizes, default=0) + 1
        one.sizes[pid] = size
        try:
            if fails:
                raise OSError("it does not start")
            await asyncio.sleep(0)
            await one.budget.loaded(share, pid)
            await asyncio.sleep(0)
        except BaseException:
            one.budget.release(share)
            raise
        node = FakeNode(share)
        one.nodes.append(node)
        one.rest(node)

    async def whole():
        sizes = {}
        budget = NodeBudget(Amounts(NODE_BYTES + 50, 14), measure=lambda pids: {}, start_descriptors=6)
        versions = [FakeVersion(budget, sizes) for _ in range(3)]
        tasks = []
        for what, number in steps:
            if what == "start":
                tasks.append(asyncio.ensure_future(use(versions[number % 3], 2 * number, fails=number % 5 == 1)))
            elif what == "cancel" and tasks:
                tasks[number % len(tasks)].cancel()
            else:
                await asyncio.sleep(0)
            assert budget.needs_idle_nodes or not budget._waiting
        ends = asyncio.gather(*tasks, return_exceptions=True)
        for outcome in await asyncio.wait_for(ends, 20.0):
            assert outcome is None or isinstance(outcome, (OSError, asyncio.CancelledError)), outcome
        while budget._ending:
            await asyncio.wait(budget._ending)
        assert budget._shares == {node.share for one in versions for node in one.nodes}
        assert not budget._waiting
        budget.close()

    asyncio.run(whole())
