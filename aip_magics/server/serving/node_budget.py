"""The budget of all versions' nodes: how much memory and how many descriptors they may use together.

A node takes its share before its process starts, and gives the share back after its process has ended. What is short
makes room in the same way for both resources: idle nodes end, the one that was used longest ago first, also those that
`minNodes` or `manualScaling` asks for; their versions stay READY, and load again at their next request. Busy nodes
never end. Without enough idle nodes a request waits until one becomes idle, for a while.

What a model needs is known once it was loaded (`measure`); before, the size of its files is the least. A load whose
need is not known takes several times that size if so much is free; else it is the only such load, so that the nodes
never hold more than the budget and one model.
"""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import logging
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any, Literal, Protocol

from aip_magics.errors import FailedPrecondition, ResourceExhausted
from aip_magics.server.conventions.error_responses import retry_later
from aip_magics.server.serving.memory import NODE_BYTES
from aip_magics.server.serving.statistics import EndedNodes
from aip_magics.wording import size_text

log = logging.getLogger(__name__)

Resource = Literal["memory", "descriptors"]
REQUEST_WAIT_SECONDS = 50.0  # less than a request has, so that it is answered with the reason
CREATION_WAIT_SECONDS = 120.0
GROWTH_IDLE_SECONDS = 60.0  # how long a node was idle before another version may grow in its place
MEASURE_SECONDS = 60.0  # between two measurements of nodes in use; without requests they become rare
REST_FACTOR, MOST_REST_SECONDS = 2, 900.0
FRESH_SECONDS = 10.0  # a figure that needs no measuring again
EXPANSION = 4  # how much larger than its files a model may become, by compression above all


@dataclasses.dataclass(frozen=True)
class Amounts:
    """How much of each resource: bytes of memory, file descriptors."""

    memory: float = 0
    descriptors: float = 0

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(self.memory + other.memory, self.descriptors + other.descriptors)

    def __sub__(self, other: Amounts) -> Amounts:
        return Amounts(self.memory - other.memory, self.descriptors - other.descriptors)

    def short_of(self, needs: Amounts) -> Resource | None:
        """The resource of which this is less than `needs`."""
        if self.memory < needs.memory:
            return "memory"
        return "descriptors" if self.descriptors < needs.descriptors else None


UNLIMITED = Amounts(math.inf, math.inf)


def nodes_to_end(needs: Amounts, free: Amounts, idle: Sequence[Amounts]) -> int | None:
    """How many of the idle nodes have to end, from the first on, so that `needs` are free. None: all are too few."""
    for count, one in enumerate([Amounts(), *idle]):
        free += one
        if not free.short_of(needs):
            return count
    return None


class Claim(enum.Enum):
    """Why a node is to start: how long the nodes that end for it have to be idle, and how long it waits for room."""

    REQUEST = (0.0, REQUEST_WAIT_SECONDS)  # without the node no request of this version is answered
    CREATION = (0.0, CREATION_WAIT_SECONDS)
    GROWTH = (GROWTH_IDLE_SECONDS, 0.0)  # requests wait, but the version has nodes
    MINIMUM = (math.inf, 0.0)  # the version's scaling asks for the node, and no request does

    @property
    def idle_seconds(self) -> float:
        return self.value[0]

    @property
    def wait_seconds(self) -> float:
        return self.value[1]


@dataclasses.dataclass(eq=False)
class NodeShare:
    """What one node holds of the budget. Times are seconds of the event loop's clock."""

    amounts: Amounts
    guessed: bool = False  # it may need much more
    pid: int = 0  # of the loaded node's process
    used: float = 0.0  # when the node last became idle
    measured: float = -math.inf


class IdleNode(Protocol):
    share: NodeShare


class NodeOwner(Protocol):
    """The nodes of one version, some of which may end."""

    def idle_nodes(self) -> Iterable[IdleNode]: ...

    def end_for_room(self, node: Any, resource: Resource) -> asyncio.Task[None]:
        """End an idle node for want of the resource; the task is done once its process has ended."""


@dataclasses.dataclass(eq=False)
class _Waiter:
    needs: Sequence[tuple[Amounts, bool]]
    turn: asyncio.Future[NodeShare]


class NodeBudget:
    """What all nodes may use together. `measure` (blocking) tells the bytes of memory of processes.

    `needs_idle_nodes` is true while an idle node is of use; whoever lets a node idle calls `rebalance` then.
    """

    def __init__(
        self,
        limits: Amounts = UNLIMITED,
        *,
        start_descriptors: int = 0,
        node_descriptors: int = 0,
        measure: Callable[[Collection[int]], Mapping[int, int]] = lambda _: {},
        clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self.limits = limits
        self.clock = clock
        self.needs_idle_nodes = False
        self.ended = EndedNodes(clock)
        self._start_descriptors = start_descriptors
        self._node_descriptors = node_descriptors
        self._measure = measure
        self._owners: set[NodeOwner] = set()
        self._shares: set[NodeShare] = set()
        self._waiting: list[_Waiter] = []
        self._ending: set[asyncio.Task[None]] = set()
        self._latest: NodeShare | None = None  # loaded last: not ended at once for what it turned out to need
        self._timer: asyncio.TimerHandle | None = None
        self._measurements: set[asyncio.Task[None]] = set()

    def add(self, owner: NodeOwner) -> None:
        self._owners.add(owner)

    def remove(self, owner: NodeOwner) -> None:
        self._owners.discard(owner)

    @property
    def held(self) -> Amounts:
        """What the nodes hold, those that start included."""
        return sum((share.amounts for share in self._shares), Amounts())

    def to_json(self) -> dict[str, Any]:
        """The state of the budget, for people. Limits are left out where there are none."""
        held, limits = self.held, self.limits
        told: dict[str, Any] = {"nodes": len(self._shares)}
        if limits.memory < math.inf:
            told["memoryBytes"], told["memoryBudgetBytes"] = int(held.memory), int(limits.memory)
        if limits.descriptors < math.inf:
            told["descriptors"], told["descriptorBudget"] = int(held.descriptors), int(limits.descriptors)
        return {**told, "ended": self.ended.to_json()}

    def check_model(self, size: int) -> None:
        """FailedPrecondition for a model that needs at least `size` bytes, more than the whole memory budget."""
        if size > self.limits.memory:
            raise FailedPrecondition(
                f"The model is larger than the memory budget of the server: its files have {size_text(size)}, the "
                f"budget is {size_text(self.limits.memory)}. Restart the server with a larger --memory-budget."
            )

    async def take(self, model_size: int, known: int | None, claim: Claim) -> NodeShare:
        """Take the share of a node that is about to start; idle nodes that make room for it have ended by then.

        Args:
            model_size: The bytes of the model's files.
            known: The bytes of memory that a node with this model was measured to hold; None before.
            claim: Why the node is to start.

        Raises:
            ResourceExhausted: There is no room, or was none in the time that the claim waits.
        """
        needs = self._needs(model_size, known)
        share = self._try(needs, math.inf)
        if share is None and claim.idle_seconds < math.inf:
            await self._measure_used()
            share = self._try(needs, claim.idle_seconds)
        if share is None and claim.wait_seconds:
            share = await self._wait(needs, claim.wait_seconds)
        if share is None:
            raise self._no_room(needs[-1][0])
        try:
            if self._ending:
                await asyncio.wait(self._ending)
        except BaseException:
            self.release(share)
            raise
        return share

    async def loaded(self, share: NodeShare, pid: int) -> int | None:
        """The node's process has loaded its model: its memory, if it can be told, is what counts from now on."""
        share.pid = pid
        share.amounts = dataclasses.replace(share.amounts, descriptors=self._node_descriptors)
        self._latest = share
        share.used = asyncio.get_running_loop().time()
        found = await self._measure_shares([share])
        share.guessed = False
        self.rebalance()
        self._measure_later(MEASURE_SECONDS)
        return found.get(pid)

    def release(self, share: NodeShare) -> None:
        """The node's process has ended, or did not start. Without effect when repeated."""
        if share in self._shares:
            self._shares.discard(share)
            self.rebalance()

    def rebalance(self) -> None:
        """Give room to those who wait, in their order, as far as idle nodes allow; end idle nodes above the budget."""
        for waiter in list(self._waiting):
            if waiter.turn.done():
                continue
            share = self._try(waiter.needs, 0.0)
            if share is not None:
                self._waiting.remove(waiter)
                waiter.turn.set_result(share)
        self._shrink()

    def close(self) -> None:
        """Stop measuring."""
        if self._timer is not None:
            self._timer.cancel()
        for measurement in self._measurements:
            measurement.cancel()

    # --- room

    def _needs(self, model_size: int, known: int | None) -> list[tuple[Amounts, bool]]:
        """What a node may need, and whether that is a guess: the most first."""
        if self.limits.memory == math.inf:
            sizes = [(0.0, False)]
        elif known is not None:
            sizes = [(min(known, self.limits.memory), False)]
        else:
            sizes = [(EXPANSION * model_size + NODE_BYTES, False), (model_size + NODE_BYTES, True)]
        return [(self._clamped(Amounts(size, self._start_descriptors)), guessed) for size, guessed in sizes]

    def _clamped(self, needs: Amounts) -> Amounts:
        """A node fits if it is the only one."""
        limits = self.limits
        return Amounts(min(needs.memory, limits.memory), min(needs.descriptors, limits.descriptors))

    def _try(self, needs: Sequence[tuple[Amounts, bool]], idle_seconds: float) -> NodeShare | None:
        """Take a share at once; nodes that are idle for so long end for it if that is enough."""
        free = self.limits - self.held
        guessing = any(share.guessed for share in self._shares)
        for amounts, guessed in needs:
            if not free.short_of(amounts) and not (guessed and guessing):
                return self._add(amounts, guessed)
        amounts, guessed = needs[-1]
        if idle_seconds == math.inf or (guessed and guessing):
            return None
        idle = self._idle(idle_seconds)
        count = nodes_to_end(amounts, free, [node.share.amounts for _, node in idle])
        if count is None:
            return None
        self._end(idle[:count], free.short_of(amounts) or "memory")
        return self._add(amounts, guessed)

    def _add(self, amounts: Amounts, guessed: bool) -> NodeShare:
        share = NodeShare(amounts, guessed)
        self._shares.add(share)
        return share

    def _idle(self, idle_seconds: float) -> list[tuple[NodeOwner, IdleNode]]:
        """The nodes that are idle for so long, the one used longest ago first."""
        until = asyncio.get_running_loop().time() - idle_seconds
        idle = [(owner, node) for owner in self._owners for node in owner.idle_nodes() if node.share in self._shares]
        return sorted((one for one in idle if one[1].share.used <= until), key=lambda one: one[1].share.used)

    def _end(self, nodes: Iterable[tuple[NodeOwner, IdleNode]], resource: Resource) -> None:
        for owner, node in nodes:
            self._shares.discard(node.share)  # the room is that of the one who ends it, once the process is gone
            self.ended.record(resource)
            task = owner.end_for_room(node, resource)
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def _wait(self, needs: Sequence[tuple[Amounts, bool]], seconds: float) -> NodeShare | None:
        waiter = _Waiter(needs, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        self.needs_idle_nodes = True
        try:
            await asyncio.wait({waiter.turn}, timeout=seconds)
        except BaseException:
            if waiter.turn.done():
                self.release(waiter.turn.result())
            raise
        finally:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
        return waiter.turn.result() if waiter.turn.done() else None

    def _shrink(self) -> None:
        """End idle nodes until the others hold no more than the budget, but not the node that was loaded last."""
        over = self.held.memory - self.limits.memory
        if over > 0:
            for one in [one for one in self._idle(0.0) if one[1].share is not self._latest]:
                if over > 0:
                    over -= one[1].share.amounts.memory
                    self._end([one], "memory")
        self.needs_idle_nodes = bool(self._waiting) or (over > 0 and bool(self._shares - {self._latest}))

    def _no_room(self, needs: Amounts) -> ResourceExhausted:
        limits = self.limits
        if (limits - self.held).short_of(needs) == "descriptors":
            text = (
                f"No node can be started: {len(self._shares)} nodes use all file descriptors that nodes may have "
                f"({limits.descriptors:.0f}), and none of them is idle. Retry later, or restart the server after "
                "raising the limit with `ulimit -n`."
            )
        else:
            text = (
                f"No node can be started: it needs {size_text(needs.memory)} of the memory budget of "
                f"{size_text(limits.memory)}, other nodes hold {size_text(self.held.memory)}, and too few of them are "
                "idle. Retry later, or restart the server with a larger --memory-budget."
            )
        return retry_later(text)

    # --- measuring: never for a single request

    async def _measure_shares(self, shares: Collection[NodeShare]) -> Mapping[int, int]:
        """Measure the nodes of these shares."""
        if self.limits.memory == math.inf or not shares:
            return {}
        now = asyncio.get_running_loop().time()
        found = await asyncio.to_thread(self._measure, [share.pid for share in shares])
        for share in shares:
            share.measured = now
            if share.pid in found:
                share.amounts = dataclasses.replace(share.amounts, memory=found[share.pid])
        return found

    async def _measure_used(self) -> bool:
        """Measure the nodes that were used since they were measured; whether there are some."""
        until = asyncio.get_running_loop().time() - FRESH_SECONDS
        shares = [share for share in self._shares if share.pid and share.measured < min(share.used, until)]
        await self._measure_shares(shares)
        return bool(shares)

    def _measure_later(self, seconds: float) -> None:
        if not self._shares or self.limits.memory == math.inf:
            return
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            if self._timer.when() <= loop.time() + seconds:
                return
            self._timer.cancel()
        self._timer = loop.call_later(seconds, self._start_measuring, seconds)

    def _start_measuring(self, seconds: float) -> None:
        self._timer = None

        async def measure() -> None:
            in_use = await self._measure_used()
            self.rebalance()
            self._measure_later(MEASURE_SECONDS if in_use else min(seconds * REST_FACTOR, MOST_REST_SECONDS))

        task = asyncio.get_running_loop().create_task(measure())
        self._measurements.add(task)
        task.add_done_callback(self._measurements.discard)
