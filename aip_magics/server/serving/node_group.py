"""The nodes of one version: which node gets a request, how many nodes there are, what happens when one dies.

A worker predicts one request at a time, so a node is either idle or busy; requests wait in one queue for the next idle
node.

Predict is idempotent in this API: when a worker dies in the middle, the request is tried once more elsewhere, and a
request that takes two workers down is answered with an error that says so.

Nodes start within the budget of all versions (`node_budget`), which may end idle ones, too.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from aip_magics.errors import AipError, ApiError, ResourceExhausted, WorkerError
from aip_magics.prediction import batching
from aip_magics.prediction.deadlines import Deadlines
from aip_magics.server.serving import autoscaler
from aip_magics.server.serving.autoscaler import IDLE_SECONDS, LoadSnapshot, ScalingBounds
from aip_magics.server.serving.node_budget import Claim, NodeBudget, Resource
from aip_magics.server.serving.node_spec import NodeSpec
from aip_magics.server.serving.node_start import NodeStarter, StartWorker, start_error
from aip_magics.server.serving.request_queue import (
    Node,
    QueuedRequest,
    RequestQueue,
    deadline_exceeded,
    queue_full,
    taken_down,
)
from aip_magics.server.serving.statistics import EndedNodes, Statistics

if TYPE_CHECKING:
    from aip_magics.prediction import LoadedModel

log = logging.getLogger(__name__)

ATTEMPTS = 2
DRAIN_POLL_SECONDS = 0.02
NO_ROOM_SECONDS = 5.0  # before a group that has nodes asks for room again


class NodeGroup:
    """The nodes of one version, between `scale.min_nodes` and `scale.max_nodes`; the first request starts them.

    With `batching`, requests that wait go to a node together where `node_spec` allows it.
    """

    def __init__(
        self,
        node_spec: NodeSpec,
        start_worker: StartWorker,
        on_loaded: Callable[[LoadedModel], None],
        *,
        budget: NodeBudget | None = None,
        idle_seconds: float = IDLE_SECONDS,
        batching: bool = False,
    ) -> None:
        budget = budget or NodeBudget()
        self.node_spec = node_spec
        self.ready = False  # whether the version is known to be READY, so that requests need not ask the store
        self.statistics = Statistics()
        self._starter = NodeStarter(start_worker, budget)
        self._on_loaded = on_loaded
        self._budget = budget
        self._budget.add(self)
        self._idle_seconds = idle_seconds
        self._batching = batching
        self._ended = EndedNodes(self._budget.clock)  # for want of room
        self._left: int | None = None  # how many nodes the budget left; None: as many as the scale asks for
        self._ask_again = 0.0  # when the budget may be asked for a further node
        self._nodes: list[Node] = []  # all that are loaded, idle or busy
        self._idle: list[Node] = []
        self._queue = RequestQueue()
        self._deadlines = Deadlines()  # of the requests in the queue; a worker's client ends those at a node
        self._outstanding = 0
        self._used = self._needed = 0.0
        self._check_timer: asyncio.TimerHandle | None = None
        self._starting = 0
        self._starts: set[asyncio.Task[None]] = set()
        self._ends: set[asyncio.Task[None]] = set()
        self._closed = False

    async def start(self) -> LoadedModel:
        """Start one node and load the model; PredictionError (WorkerError when its process failed) if that fails.

        The others that the scale asks for follow in the background: where one loads, they do.
        """
        node = await self._new_node(Claim.CREATION)
        self._used = self._needed = self._loop.time()
        self._release(node)
        self._start_missing()
        self._schedule_check()
        return node.loaded

    async def predict(self, body: bytes, seconds: float) -> bytes:
        """The answer's body for a request's body.

        PredictionError for what the model made of the request; ApiError 500, 503 or 504 when the node is at fault,
        ResourceExhausted when too many requests wait.
        """
        now = self._loop.time()
        self._outstanding += 1
        self._used = now
        if autoscaler.nodes_needed(self._outstanding) >= len(self._nodes):
            self._needed = now
        try:
            return await self._predict_with_retry(QueuedRequest(body, deadline=now + seconds))
        finally:
            self._outstanding -= 1
            if self._check_timer is None and len(self._nodes) > self.node_spec.scale.min_nodes:
                self._schedule_check()

    @functools.cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()  # which makes a system call every time

    def rescale(self, scale: ScalingBounds) -> None:
        """Use other bounds from now on; surplus nodes end when they are idle. A group without nodes stays so."""
        self.node_spec = dataclasses.replace(self.node_spec, scale=scale)
        if self._nodes:
            self._left, self._ask_again = None, 0.0
            self._start_missing()
            self._stop_surplus()
            self._schedule_check()

    def to_json(self) -> dict[str, Any]:
        """Counters, latencies and nodes, for people."""
        nodes = [node for node in self._nodes if node.worker.alive]
        held = sum(node.share.amounts.memory for node in nodes)
        return {
            **self.statistics.to_json(),
            "nodes": {
                "running": len(nodes),
                "busy": len(self._nodes) - len(self._idle),
                "least": self.node_spec.scale.min_nodes,
                "most": self.node_spec.scale.max_nodes,
                "pids": sorted(node.worker.pid for node in nodes),
                **({"memoryBytes": int(held)} if self._starter.measured else {}),
            },
            "ended": self._ended.to_json(),
            "waiting": len(self._queue),
        }

    async def drain(self, seconds: float) -> None:
        """Wait until all requests are answered, at most so long."""
        end = self._loop.time() + seconds
        while self._outstanding and self._loop.time() < end:
            await asyncio.sleep(DRAIN_POLL_SECONDS)

    async def close(self) -> None:
        """End the workers; requests that wait for one fail."""
        self._closed = True
        self._budget.remove(self)
        if self._check_timer is not None:
            self._check_timer.cancel()
        for task in self._starts:
            task.cancel()
        await asyncio.gather(*self._starts, *self._ends, return_exceptions=True)
        self._fail_waiting(taken_down())
        self._deadlines.stop()
        nodes, self._nodes, self._idle = self._nodes, [], []
        await asyncio.gather(*map(self._end, nodes))

    def idle_nodes(self) -> list[Node]:
        """The nodes that the budget may end."""
        return self._idle

    def end_for_room(self, node: Node, resource: Resource) -> asyncio.Task[None]:
        """End an idle node for want of the resource. The group does not replace it before a request needs a node."""
        self._idle.remove(node)
        self._nodes.remove(node)
        self._left = len(self._nodes) + self._starting
        self._ended.record(resource)
        seconds = self._loop.time() - node.share.used
        log.info("%s: ended a node that was idle for %.0f s, for want of %s", self._name, seconds, resource)
        return _spawn(self._end(node), self._ends)

    # --- one request

    async def _predict_with_retry(self, request: QueuedRequest) -> bytes:
        attempt, again = 0, False
        while True:
            node = self._idle_node() or await self._wait_for_node(request, again=again)
            if isinstance(node, bytes):
                return node  # the answer: another request took this one along
            was_alone = request.alone
            try:
                return await self._ask(node, request)
            except WorkerError as error:
                if self._loop.time() >= request.deadline:
                    raise deadline_exceeded() from error
                again = True
                attempt += was_alone == request.alone  # a batch that failed is the fault of none of its requests
                log.warning("%s: a worker failed (attempt %d): %s", self._name, attempt, error.detail)
                if attempt == ATTEMPTS:
                    text = f"This request ended {ATTEMPTS} nodes, one after the other: {error.detail}"
                    raise ApiError(text, code=500, status="INTERNAL") from error
            finally:
                self._release(node)

    def _idle_node(self) -> Node | None:
        if self._closed:
            raise taken_down()
        while self._idle:
            node = self._idle.pop()  # the one used last: its caches are warm
            if node.worker.alive:
                return node
            self._drop(node)
        return None

    async def _wait_for_node(self, request: QueuedRequest, *, again: bool) -> Node | bytes:
        """Wait in the queue for a node, or for the answer if another request takes this one along.

        A request that is tried `again` comes first. ResourceExhausted when the queue is full, 504 at the deadline.
        """
        if not again and self._queue.is_full(request.body):
            raise queue_full(len(self._queue))
        turn: asyncio.Future[Node | bytes] = self._loop.create_future()
        request.turn = turn
        self._queue.add(request, first=again)
        self._left = None
        self._start_missing()
        self._deadlines.add(turn, request.deadline - self._loop.time())
        try:
            return await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled() and not turn.exception():
                got = turn.result()  # cancelled just when its turn came
                if isinstance(got, Node):
                    self._release(got)
            self._queue.remove(request)
            if isinstance(error, asyncio.TimeoutError):
                raise deadline_exceeded() from None
            raise
        finally:
            self._deadlines.remove(turn)

    async def _ask(self, node: Node, request: QueuedRequest) -> bytes:
        """The node's answer to this request, which takes along waiting requests that can be batched with it."""
        time = self._loop.time
        others = self._queue.pop_batch(request) if self._batching and self._queue and self.node_spec.batchable else []
        if not others:
            return await node.worker.predict(request.body, request.deadline - time())
        return await batching.predict_batch(
            request,
            others,
            lambda body: node.worker.predict(body, request.deadline - time()),
            lambda: self._put_back(request, others),
        )

    def _put_back(self, request: QueuedRequest, others: list[QueuedRequest]) -> None:
        """A batch failed: each of its requests goes alone, before those that came later."""
        request.alone = True
        for other in reversed(others):
            other.alone = True
            if other.is_waiting:
                self._queue.add(other, first=True)
        if self._closed:
            self._fail_waiting(taken_down())
        while self._queue and self._idle:
            self._release(self._idle.pop())

    # --- nodes

    def _release(self, node: Node) -> None:
        """Give the node to the request that waits longest, or let it idle. A dead one is replaced."""
        if self._closed or not node.worker.alive or len(self._nodes) > self.node_spec.scale.max_nodes:
            self._drop(node)
            return
        while self._queue:
            request = self._queue.pop()
            if request.turn and not request.turn.done():
                request.turn.set_result(node)
                return
        self._idle.append(node)
        self._used = node.share.used = self._loop.time()
        if self._budget.needs_idle_nodes:
            self._budget.rebalance()

    def _drop(self, node: Node) -> None:
        if node in self._nodes:
            self._nodes.remove(node)
        _spawn(self._replace(node), self._ends)
        if self._queue:
            self._start_missing()

    async def _replace(self, node: Node) -> None:
        await self._end(node)
        self._left, self._ask_again = None, 0.0  # there is the room of the one that is gone
        self._start_missing()

    async def _end(self, node: Node) -> None:
        try:
            await node.worker.close()
        finally:
            self._budget.release(node.share)

    @property
    def _name(self) -> str:
        return self.node_spec.key.name

    @property
    def _scale(self) -> ScalingBounds:
        """The bounds of the version, without nodes that the budget ended and no request needed since."""
        scale = self.node_spec.scale
        return scale if self._left is None else ScalingBounds(min(scale.min_nodes, self._left), scale.max_nodes)

    def _load_snapshot(self) -> LoadSnapshot:
        return LoadSnapshot(len(self._nodes) + self._starting, self._outstanding, self._used, self._needed)

    def _desired_nodes(self) -> int:
        now = self._loop.time()
        return autoscaler.desired_nodes(now, self._scale, self._load_snapshot(), self._idle_seconds)

    def _start_missing(self) -> None:
        if self._closed:
            return
        for _ in range(self._desired_nodes() - len(self._nodes) - self._starting):
            claim = Claim.GROWTH if self._queue else Claim.MINIMUM
            if self._queue and not self._nodes and not self._starting:
                claim = Claim.REQUEST
            elif self._loop.time() < self._ask_again:
                return
            self._starting += 1
            _spawn(self._start_one(claim), self._starts)

    def _stop_surplus(self) -> None:
        """End idle nodes that are not wanted any more; busy ones stay until the next look."""
        for _ in range(len(self._nodes) + self._starting - self._desired_nodes()):
            if not self._idle:
                return
            node = self._idle.pop(0)  # the one that has idled longest
            self._nodes.remove(node)
            _spawn(self._end(node), self._ends)
            self._needed = self._loop.time()

    def _schedule_check(self) -> None:
        if self._check_timer is not None:
            self._check_timer.cancel()
        loop = self._loop
        due = autoscaler.next_check_at(loop.time(), self._scale, self._load_snapshot(), self._idle_seconds)
        self._check_timer = loop.call_at(due, self._check) if due is not None and not self._closed else None

    def _check(self) -> None:
        self._check_timer = None
        self._stop_surplus()
        self._schedule_check()

    async def _start_one(self, claim: Claim) -> None:
        failed: ApiError | None = None
        try:
            self._release(await self._new_node(claim))
        except (AipError, OSError) as error:
            failed = start_error(error)
            if isinstance(error, ResourceExhausted) and not claim.wait_seconds:
                self._ask_again = self._loop.time() + NO_ROOM_SECONDS
                self._left = len(self._nodes) + self._starting - 1
                log.info("%s: no room for a further node", self._name)
            else:
                log.warning("%s: a node could not be started: %s", self._name, failed.message)
        finally:
            self._starting -= 1
        if failed and not self._nodes and not self._starting:  # neither this one nor another will come
            if claim.wait_seconds:
                self._fail_waiting(failed)
            elif self._queue:
                self._start_missing()

    async def _new_node(self, claim: Claim) -> Node:
        node = await self._starter.start(self.node_spec, claim)
        self._nodes.append(node)
        self._on_loaded(node.loaded)
        return node

    def _fail_waiting(self, error: ApiError) -> None:
        for request in self._queue.clear():
            if request.turn and not request.turn.done():
                request.turn.set_exception(error)


def _spawn(work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]) -> asyncio.Task[None]:
    task = asyncio.get_running_loop().create_task(work)
    tasks.add(task)  # the loop itself keeps only weak references
    task.add_done_callback(tasks.discard)
    return task
