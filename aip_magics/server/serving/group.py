"""The nodes of one version: which one gets a request, how many there are, what happens when one dies.

A worker predicts one request at a time, so a node is either idle or busy; requests wait in one queue for the next idle
node, and none is sent to a node that has another to do. Predict is idempotent in this API: when a worker dies in the
middle, the request is tried once more elsewhere, and a request that takes two workers down is answered with an error
that says so.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from aip_magics.errors import AipError, ApiError, PredictionError, ResourceExhausted, Unavailable, WorkerError
from aip_magics.server.serving import merging, scaling
from aip_magics.server.serving.recipe import Recipe
from aip_magics.server.serving.scaling import IDLE_SECONDS, Load, Scale
from aip_magics.server.serving.statistics import Statistics

if TYPE_CHECKING:
    from aip_magics.prediction import AsyncWorker, Loaded

log = logging.getLogger(__name__)

LOAD_SECONDS = 600.0
ATTEMPTS = 2
QUEUE_REQUESTS = 500
QUEUE_BYTES = 64 << 20


@dataclasses.dataclass
class Node:
    """One worker with the model loaded."""

    worker: AsyncWorker
    loaded: Loaded


@dataclasses.dataclass(eq=False)
class _Ticket:
    """A request on its way. While it waits, `turn` becomes its node, or its answer when it went with another's."""

    body: bytes
    end: float
    alone: bool = False  # not to be merged (again)
    turn: asyncio.Future[Node | bytes] | None = None
    part: merging.Part | None = None

    @property
    def waits(self) -> bool:
        return self.turn is not None and not self.turn.done()


StartWorker = Callable[[Recipe], Awaitable["AsyncWorker"]]


class NodeGroup:
    """The nodes of one version, between `scale.least` and `scale.most`; the first request starts them.

    With `merge`, requests that wait are merged where the recipe allows it.
    """

    def __init__(
        self,
        recipe: Recipe,
        start_worker: StartWorker,
        on_loaded: Callable[[Loaded], None],
        *,
        idle_seconds: float = IDLE_SECONDS,
        merge: bool = False,
    ) -> None:
        self.recipe = recipe
        self.ready = False  # whether the version is known to be READY, so that requests need not ask the store
        self.statistics = Statistics()
        self._start_worker = start_worker
        self._on_loaded = on_loaded
        self._idle_seconds = idle_seconds
        self._merge = merge
        self._nodes: list[Node] = []  # all that are loaded, idle or busy
        self._idle: list[Node] = []
        self._queue: collections.deque[_Ticket] = collections.deque()
        self._queued_bytes = 0
        self._outstanding = 0
        self._used = self._needed = 0.0
        self._look: asyncio.TimerHandle | None = None
        self._starting = 0
        self._starts: set[asyncio.Task[None]] = set()
        self._ends: set[asyncio.Task[None]] = set()
        self._closed = False

    async def start(self) -> Loaded:
        """Start one node and load the model; PredictionError (WorkerError when its process failed) if that fails.

        The others that the scale asks for follow in the background: where one loads, they do.
        """
        node = await self._new_node()
        self._used = self._needed = asyncio.get_running_loop().time()
        self._give(node)
        self._start_missing()
        self._look_later()
        return node.loaded

    async def predict(self, body: bytes, seconds: float) -> bytes:
        """The answer's body for a request's body.

        PredictionError for what the model made of the request; ApiError 500, 503 or 504 when the node is at fault,
        ResourceExhausted when too many requests wait.
        """
        ticket = self._begun(body, seconds)
        try:
            return await self._answer(ticket)
        finally:
            self._done()

    def predict_soon(
        self,
        body: bytes,
        seconds: float,
        then: Callable[[bytes], None],
        otherwise: Callable[[Coroutine[Any, Any, bytes]], None],
    ) -> bool:
        """As `predict`, without a task that waits: False where no node is idle.

        `then` gets the answer's body. When the node answers with anything else, `otherwise` gets the rest of `predict`,
        to be awaited.
        """
        node = self._idle_node()
        if node is None:
            return False
        ticket = self._begun(body, seconds)

        def good(answer: bytes) -> None:
            self._give(node)
            self._done()
            then(answer)

        async def rest(asked: Coroutine[Any, Any, bytes]) -> bytes:
            try:
                return await self._answer(ticket, (node, asked))
            finally:
                self._done()

        node.worker.predict_soon(body, seconds, good, lambda asked: otherwise(rest(asked)))
        return True

    def _begun(self, body: bytes, seconds: float) -> _Ticket:
        now = asyncio.get_running_loop().time()
        self._outstanding += 1
        self._used = now
        if scaling.enough(self._outstanding) >= len(self._nodes):
            self._needed = now
        return _Ticket(body, now + seconds)

    def _done(self) -> None:
        self._outstanding -= 1
        self._used = asyncio.get_running_loop().time()
        if self._look is None and len(self._nodes) > self.recipe.scale.least:
            self._look_later()

    def rescale(self, scale: Scale) -> None:
        """Use other bounds from now on; surplus nodes end when they are idle. A group without nodes stays so."""
        self.recipe = dataclasses.replace(self.recipe, scale=scale)
        if self._nodes:
            self._start_missing()
            self._stop_surplus()
            self._look_later()

    def to_json(self) -> dict[str, Any]:
        """Counters, latencies and nodes, for people."""
        nodes = [node for node in self._nodes if node.worker.alive]
        return {
            **self.statistics.to_json(),
            "nodes": {
                "running": len(nodes),
                "busy": len(self._nodes) - len(self._idle),
                "least": self.recipe.scale.least,
                "most": self.recipe.scale.most,
                "pids": sorted(node.worker.pid for node in nodes),
            },
            "waiting": len(self._queue),
        }

    async def close(self) -> None:
        """End the workers; whoever waits for one is told."""
        self._closed = True
        if self._look is not None:
            self._look.cancel()
        for task in self._starts:
            task.cancel()
        await asyncio.gather(*self._starts, *self._ends, return_exceptions=True)
        self._fail_waiting(_taken_down())
        nodes, self._nodes, self._idle = self._nodes, [], []
        await asyncio.gather(*(node.worker.close() for node in nodes))

    # --- a request's way

    async def _answer(self, ticket: _Ticket, asked: tuple[Node, Coroutine[Any, Any, bytes]] | None = None) -> bytes:
        """The answer's body; the first attempt is `asked` already, of this node, or is begun here."""
        time = asyncio.get_running_loop().time
        attempt, again = 0, False
        while True:
            node = asked[0] if asked else self._idle_node() or await self._turn(ticket, again=again)
            if isinstance(node, bytes):
                return node
            was_alone = ticket.alone
            try:
                return await (asked[1] if asked else self._ask(node, ticket))
            except WorkerError as error:
                if time() >= ticket.end:
                    raise _too_late() from error
                again, asked = True, None
                attempt += was_alone == ticket.alone  # what went wrong with several at once is no request's fault
                log.warning("%s: a worker failed (attempt %d): %s", self.recipe.key.name, attempt, error.detail)
                if attempt == ATTEMPTS:
                    text = f"This request ended {ATTEMPTS} nodes, one after the other: {error.detail}"
                    raise ApiError(text, code=500, status="INTERNAL") from error
            finally:
                self._give(node)

    def _idle_node(self) -> Node | None:
        if self._closed:
            raise _taken_down()
        while self._idle:
            node = self._idle.pop()  # the one used last: its caches are warm
            if node.worker.alive:
                return node
            self._drop(node)
        return None

    async def _turn(self, ticket: _Ticket, *, again: bool) -> Node | bytes:
        """Wait for a node, or for the answer when another request has taken this one along.

        A request that is tried `again` comes first. ResourceExhausted when the queue is full, 504 at the ticket's end.
        """
        full = len(self._queue) >= QUEUE_REQUESTS or self._queued_bytes + len(ticket.body) > QUEUE_BYTES
        if full and not again:
            raise _too_many(len(self._queue))
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[Node | bytes] = loop.create_future()
        ticket.turn = turn
        (self._queue.appendleft if again else self._queue.append)(ticket)
        self._queued_bytes += len(ticket.body)
        self._start_missing()
        timer = loop.call_at(ticket.end, _expire, turn)
        try:
            return await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and not turn.exception():
                got = turn.result()  # cancelled just when its turn came
                if isinstance(got, Node):
                    self._give(got)
            raise
        finally:
            timer.cancel()
            self._queued_bytes -= len(ticket.body)
            if ticket in self._queue:
                self._queue.remove(ticket)

    async def _ask(self, node: Node, ticket: _Ticket) -> bytes:
        """The node's answer to this request, which takes along those that wait and fit."""
        time = asyncio.get_running_loop().time
        others = self._companions(ticket) if self._merge and self._queue and self.recipe.mergeable else []
        if not others:
            return await node.worker.predict(ticket.body, ticket.end - time())
        parts = [one.part for one in (ticket, *others) if one.part]
        try:
            answer = await node.worker.predict(merging.merged(parts), ticket.end - time())
            mine, *theirs = merging.split(answer, parts)
        except (PredictionError, ValueError) as error:
            self._put_back(ticket, others)
            if isinstance(error, WorkerError):
                raise
            return await node.worker.predict(ticket.body, ticket.end - time())  # one of them was bad: each alone
        except BaseException:
            self._put_back(ticket, others)
            raise
        for other, body in zip(others, theirs, strict=True):
            if other.turn and not other.turn.done():
                other.turn.set_result(body)
        return mine

    def _companions(self, ticket: _Ticket) -> list[_Ticket]:
        """Take those out of the queue that go with this request; both get their `part`."""
        if ticket.alone:
            return []
        ticket.part = ticket.part or merging.part_of(ticket.body)
        if ticket.part is None:
            return []
        found: list[_Ticket] = []
        room = merging.MOST_INSTANCES - len(ticket.part.instances)
        for other in self._queue:
            if room <= 0:
                break
            if other.alone or not other.waits:
                continue
            other.part = other.part or merging.part_of(other.body)
            if other.part is None:
                other.alone = True
            elif other.part.rest == ticket.part.rest and len(other.part.instances) <= room:
                found.append(other)
                room -= len(other.part.instances)
        for other in found:
            self._queue.remove(other)
        return found

    def _put_back(self, ticket: _Ticket, others: list[_Ticket]) -> None:
        """What was merged did not work: each goes alone, before those that came later."""
        ticket.alone = True
        for other in reversed(others):
            other.alone = True
            if other.waits:
                self._queue.appendleft(other)
        if self._closed:
            self._fail_waiting(_taken_down())
        while self._queue and self._idle:
            self._give(self._idle.pop())

    # --- nodes

    def _give(self, node: Node) -> None:
        """A node is free: it goes to whoever waits longest, or idles. A dead one is replaced."""
        if self._closed or not node.worker.alive or len(self._nodes) > self.recipe.scale.most:
            self._drop(node)
            return
        while self._queue:
            turn = self._queue.popleft().turn
            if turn and not turn.done():
                turn.set_result(node)
                return
        self._idle.append(node)

    def _drop(self, node: Node) -> None:
        if node in self._nodes:
            self._nodes.remove(node)
        _spawn(node.worker.close(), self._ends)
        self._start_missing()

    def _load(self) -> Load:
        return Load(len(self._nodes) + self._starting, self._outstanding, self._used, self._needed)

    def _wanted(self) -> int:
        now = asyncio.get_running_loop().time()
        return scaling.wanted(now, self.recipe.scale, self._load(), self._idle_seconds)

    def _start_missing(self) -> None:
        if not self._closed:
            for _ in range(self._wanted() - len(self._nodes) - self._starting):
                self._starting += 1
                _spawn(self._start_one(), self._starts)

    def _stop_surplus(self) -> None:
        """End idle nodes that are not wanted any more; busy ones stay until the next look."""
        for _ in range(len(self._nodes) + self._starting - self._wanted()):
            if not self._idle:
                return
            node = self._idle.pop(0)  # the one that has idled longest
            self._nodes.remove(node)
            _spawn(node.worker.close(), self._ends)
            self._needed = asyncio.get_running_loop().time()

    def _look_later(self) -> None:
        if self._look is not None:
            self._look.cancel()
        loop = asyncio.get_running_loop()
        due = scaling.next_look(loop.time(), self.recipe.scale, self._load(), self._idle_seconds)
        self._look = loop.call_at(due, self._look_now) if due is not None and not self._closed else None

    def _look_now(self) -> None:
        self._look = None
        self._stop_surplus()
        self._look_later()

    async def _start_one(self) -> None:
        try:
            self._give(await self._new_node())
        except AipError as error:
            reason = error.detail if isinstance(error, PredictionError) else error.message
            log.warning("%s: a node could not be started: %s", self.recipe.key.name, reason)
            if not self._nodes and self._starting == 1:  # neither this one nor another will come
                text = f"No node could be started for this version: {reason}"
                self._fail_waiting(ApiError(text, code=500, status="INTERNAL"))
        finally:
            self._starting -= 1

    async def _new_node(self) -> Node:
        worker = await self._start_worker(self.recipe)
        try:
            node = Node(worker, await worker.load(LOAD_SECONDS))
        except BaseException:
            await worker.close()
            raise
        self._nodes.append(node)
        self._on_loaded(node.loaded)
        return node

    def _fail_waiting(self, error: ApiError) -> None:
        waiting, self._queue = self._queue, collections.deque()
        for ticket in waiting:
            if ticket.turn and not ticket.turn.done():
                ticket.turn.set_exception(error)


def _taken_down() -> ApiError:
    return Unavailable("The version is being taken down.")


def _too_late() -> ApiError:
    return ApiError("Deadline expired before operation could complete.", code=504, status="DEADLINE_EXCEEDED")


def _too_many(waiting: int) -> ApiError:
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s"}
    text = f"Rate of requests is too high: {waiting} of them wait for a node of this version. Please retry later."
    return ResourceExhausted(text, details=[retry])


def _expire(turn: asyncio.Future[Node | bytes]) -> None:
    if not turn.done():
        turn.set_exception(_too_late())


def _spawn(work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]) -> None:
    task = asyncio.get_running_loop().create_task(work)
    tasks.add(task)  # the loop itself keeps only weak references
    task.add_done_callback(tasks.discard)
