"""The nodes of one version: which one gets a request, how many there are, what happens when one dies.

A worker predicts one request at a time, so a node is either idle or busy; requests wait in one queue for the next idle
node. A small one may wait at a node whose last answers came at once: a worker that finds its next request need not be
woken for it, which saves a quarter of all the processor time. If that takes long all the same, another node gets it.

Predict is idempotent in this API: when a worker dies in the middle, the request is tried once more elsewhere, and a
request that takes two workers down is answered with an error that says so.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from aip_magics.errors import AipError, ApiError, PredictionError, RequestNotStarted, WorkerError
from aip_magics.server.serving import merging, scaling
from aip_magics.server.serving.recipe import Recipe
from aip_magics.server.serving.scaling import IDLE_SECONDS, Load, Scale
from aip_magics.server.serving.statistics import Statistics
from aip_magics.server.serving.waiting import Node, Queue, Quick, Ticket, expire, taken_down, too_late, too_many

if TYPE_CHECKING:
    from aip_magics.prediction import AsyncWorker, Loaded

log = logging.getLogger(__name__)

LOAD_SECONDS = 600.0
ATTEMPTS = 2
PATIENCE_SECONDS = 0.05  # that a request waits at a node, unless that gets on

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
        self._queue = Queue(lambda ticket: self._refuse(ticket, too_late()))
        self._outstanding = 0
        self._used = self._needed = 0.0
        self._look: asyncio.TimerHandle | None = None
        self._rescue: asyncio.TimerHandle | None = None
        self._starting = 0
        self._starts: set[asyncio.Task[None]] = set()
        self._ends: set[asyncio.Task[None]] = set()
        self._closed = False

    async def start(self) -> Loaded:
        """Start one node and load the model; PredictionError (WorkerError when its process failed) if that fails.

        The others that the scale asks for follow in the background: where one loads, they do.
        """
        node = await self._new_node()
        self._used = self._needed = self._loop.time()
        self._offer(node)
        self._start_missing()
        self._look_later()
        return node.loaded

    async def predict(self, body: bytes, seconds: float) -> bytes:
        """The answer's body for a request's body.

        PredictionError for what the model made of the request; ApiError 500, 503 or 504 when the node is at fault,
        ResourceExhausted when too many requests wait.
        """
        ticket = Ticket(body, self._begun() + seconds)
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
        """As `predict`, without a task that waits: False where it takes more.

        `then` gets the answer's body. When anything else comes of it, `otherwise` gets the rest of `predict`, to be
        awaited.
        """
        node = self._idle_node()
        if node is None and (self._merge or self._queue.is_full(body)):
            return False
        ticket = Quick(body, self._begun() + seconds, then=then, otherwise=otherwise)
        if node is not None:
            self._ask_soon(node, ticket)
        else:
            self._queue.add(ticket)
            if len(self._nodes) < self.recipe.scale.most:
                self._start_missing()
        return True

    def _begun(self) -> float:
        """Count a request; the time now."""
        now = self._loop.time()
        self._outstanding += 1
        self._used = now
        if scaling.enough(self._outstanding) >= len(self._nodes):
            self._needed = now
        return now

    def _done(self) -> None:
        self._outstanding -= 1
        self._used = self._loop.time()
        if self._look is None and len(self._nodes) > self.recipe.scale.least:
            self._look_later()

    @functools.cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()  # which makes a system call every time

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
        self._queue.close()
        for timer in (self._look, self._rescue):
            if timer is not None:
                timer.cancel()
        for task in self._starts:
            task.cancel()
        await asyncio.gather(*self._starts, *self._ends, return_exceptions=True)
        self._fail_waiting(taken_down())
        nodes, self._nodes, self._idle = self._nodes, [], []
        await asyncio.gather(*(node.worker.close() for node in nodes))

    # --- a request's way

    async def _answer(self, ticket: Ticket, asked: tuple[Node, Coroutine[Any, Any, bytes]] | None = None) -> bytes:
        """The answer's body; the first attempt is `asked` already, of this node, or is begun here."""
        time = self._loop.time
        attempt, again = 0, False
        while True:
            node = asked[0] if asked else self._taken_node(ticket) or await self._turn(ticket, again=again)
            if isinstance(node, bytes):
                return node
            was_alone = ticket.alone
            try:
                return await (asked[1] if asked else self._ask(node, ticket))
            except RequestNotStarted:
                again, asked = True, None
            except WorkerError as error:
                if time() >= ticket.end:
                    raise too_late() from error
                again, asked = True, None
                attempt += was_alone == ticket.alone  # what went wrong with several at once is no request's fault
                log.warning("%s: a worker failed (attempt %d): %s", self.recipe.key.name, attempt, error.detail)
                if attempt == ATTEMPTS:
                    text = f"This request ended {ATTEMPTS} nodes, one after the other: {error.detail}"
                    raise ApiError(text, code=500, status="INTERNAL") from error
            finally:
                self._give(node)

    def _ask_soon(self, node: Node, ticket: Quick) -> None:
        time = self._loop.time
        ticket.tries += 1
        this = ticket.tries
        node.take(ticket, time())

        def then(answer: bytes) -> None:
            node.took = time() - node.since
            self._give(node)
            if ticket.tries == this:
                self._done()
                ticket.then(answer)

        def otherwise(asked: Coroutine[Any, Any, bytes]) -> None:
            if ticket.tries == this:
                ticket.otherwise(self._rest(ticket, node, asked))
            else:
                asked.close()
                self._give(node)

        node.worker.predict_soon(ticket.body, ticket.end - time(), then, otherwise)

    async def _rest(self, ticket: Quick, node: Node, asked: Coroutine[Any, Any, bytes]) -> bytes:
        try:
            return await self._answer(Ticket(ticket.body, ticket.end), (node, asked))
        finally:
            self._done()

    async def _refused(self, error: ApiError) -> bytes:
        self._done()
        raise error

    def _refuse(self, ticket: Ticket, error: ApiError) -> None:
        """Tell it to one that was taken out of the queue."""
        if isinstance(ticket, Quick):
            ticket.otherwise(self._refused(error))
        elif ticket.turn and not ticket.turn.done():
            ticket.turn.set_exception(error)

    def _taken_node(self, ticket: Ticket) -> Node | None:
        node = self._idle_node()
        if node is not None:
            node.take(ticket, self._loop.time())
        return node

    def _idle_node(self) -> Node | None:
        if self._closed:
            raise taken_down()
        while self._idle:
            node = self._idle.pop()  # the one used last: its caches are warm
            if node.worker.alive:
                return node
            self._drop(node)
        return None

    async def _turn(self, ticket: Ticket, *, again: bool) -> Node | bytes:
        """Wait for a node, or for the answer when another request has taken this one along.

        A request that is tried `again` comes first. ResourceExhausted when the queue is full, 504 at the ticket's end.
        """
        if not again and self._queue.is_full(ticket.body):
            raise too_many(len(self._queue))
        loop = self._loop
        turn: asyncio.Future[Node | bytes] = loop.create_future()
        ticket.turn = turn
        self._queue.add(ticket, first=again)
        self._start_missing()
        timer = loop.call_at(ticket.end, expire, turn)
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
            self._queue.remove(ticket)

    async def _ask(self, node: Node, ticket: Ticket) -> bytes:
        """The node's answer to this request, which takes along those that wait and fit."""
        time = self._loop.time
        others = self._queue.companions(ticket) if self._merge and self._queue and self.recipe.mergeable else []
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

    def _put_back(self, ticket: Ticket, others: list[Ticket]) -> None:
        """What was merged did not work: each goes alone, before those that came later."""
        ticket.alone = True
        for other in reversed(others):
            other.alone = True
            if other.waits:
                self._queue.add(other, first=True)
        if self._closed:
            self._fail_waiting(taken_down())
        self._offer_idle()

    # --- nodes

    def _give(self, node: Node) -> None:
        """The node has answered a request: it goes on with the one that waits at it, and may have another."""
        node.asked -= 1
        behind, node.behind = node.behind, None
        if node.asked:
            node.begin(behind, self._loop.time())
        self._offer(node)

    def _offer(self, node: Node) -> None:
        """The node can take a request: from whoever waits longest, or it idles. A dead one is replaced."""
        if self._closed or not node.worker.alive or len(self._nodes) > self.recipe.scale.most:
            if not node.asked:
                self._drop(node)
            return
        while self._queue:
            ticket = self._queue.first
            if node.asked and not (node.asked == 1 and node.brisk and ticket.small):
                return
            self._queue.pop()
            if isinstance(ticket, Quick):
                if node.asked:
                    node.behind = ticket
                    self._rescue_later()
                self._ask_soon(node, ticket)
            elif ticket.waits and ticket.turn:
                node.take(ticket, self._loop.time())
                ticket.turn.set_result(node)
        if not node.asked:
            self._idle.append(node)

    def _offer_idle(self) -> None:
        while self._queue and self._idle:
            self._offer(self._idle.pop())

    def _rescue_later(self) -> None:
        if self._rescue is None:
            self._rescue = self._loop.call_later(PATIENCE_SECONDS, self._rescue_now)

    def _rescue_now(self) -> None:
        """Those that wait at a node for too long go to the first one that is idle."""
        self._rescue = None
        now = self._loop.time()
        for node in self._nodes:
            if node.behind and now - node.since >= PATIENCE_SECONDS:
                ticket, node.behind, node.brisk = node.behind, None, False
                ticket.tries += 1
                self._queue.add(ticket, first=True)
        self._offer_idle()
        self._start_missing()
        if any(node.behind for node in self._nodes):
            self._rescue_later()

    def _drop(self, node: Node) -> None:
        if node in self._nodes:
            self._nodes.remove(node)
        _spawn(node.worker.close(), self._ends)
        self._start_missing()

    def _load(self) -> Load:
        return Load(len(self._nodes) + self._starting, self._outstanding, self._used, self._needed)

    def _wanted(self) -> int:
        now = self._loop.time()
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
            self._needed = self._loop.time()

    def _look_later(self) -> None:
        if self._look is not None:
            self._look.cancel()
        loop = self._loop
        due = scaling.next_look(loop.time(), self.recipe.scale, self._load(), self._idle_seconds)
        self._look = loop.call_at(due, self._look_now) if due is not None and not self._closed else None

    def _look_now(self) -> None:
        self._look = None
        self._stop_surplus()
        self._look_later()

    async def _start_one(self) -> None:
        try:
            self._offer(await self._new_node())
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
            node = Node(worker, await worker.load(LOAD_SECONDS), self.recipe.mergeable)
        except BaseException:
            await worker.close()
            raise
        self._nodes.append(node)
        self._on_loaded(node.loaded)
        return node

    def _fail_waiting(self, error: ApiError) -> None:
        for ticket in self._queue.clear():
            self._refuse(ticket, error)


def _spawn(work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]) -> None:
    task = asyncio.get_running_loop().create_task(work)
    tasks.add(task)  # the loop itself keeps only weak references
    task.add_done_callback(tasks.discard)
