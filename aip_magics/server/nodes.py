"""The nodes that serve: per READY version one group of worker processes.

A worker predicts one request at a time, so a node is either idle or busy; requests wait in a queue for the next idle
node. Predict is idempotent in this API: when a worker dies in the middle, the request is tried once more elsewhere,
and a request that takes two workers down is answered with an error that says so.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import logging
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aip_magics.errors import AipError, ApiError, PredictionError, Unavailable, WorkerError
from aip_magics.server.names import VersionKey

if TYPE_CHECKING:
    from aip_magics.prediction import AsyncWorker, Loaded

log = logging.getLogger(__name__)

LOAD_SECONDS = 600.0
ATTEMPTS = 2


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What a node is made of. `packages` are the archives to install before, in this order."""

    key: VersionKey
    model_dir: Path
    framework: str | None
    python: str
    packages: tuple[Path, ...] = ()
    prediction_class: str | None = None
    package_uris: tuple[str, ...] = ()


@dataclasses.dataclass
class Node:
    """One worker with the model loaded."""

    worker: AsyncWorker
    loaded: Loaded


StartWorker = Callable[[Recipe], Awaitable["AsyncWorker"]]


class NodeGroup:
    """The nodes of one version. `size` is how many there should be; they are started by the first request."""

    def __init__(
        self, recipe: Recipe, start_worker: StartWorker, on_loaded: Callable[[Loaded], None], size: int = 1
    ) -> None:
        self.recipe = recipe
        self.size = size
        self.ready = False  # whether the version is known to be READY, so that requests need not ask the store
        self._start_worker = start_worker
        self._on_loaded = on_loaded
        self._nodes: list[Node] = []  # all that are loaded, idle or busy
        self._idle: list[Node] = []
        self._waiting: collections.deque[asyncio.Future[Node]] = collections.deque()
        self._starting = 0
        self._starts: set[asyncio.Task[None]] = set()
        self._ends: set[asyncio.Task[None]] = set()
        self._closed = False

    async def start(self) -> Loaded:
        """Start one node and load the model; PredictionError (WorkerError when its process failed) if that fails."""
        node = await self._new_node()
        self._give(node)
        return node.loaded

    async def predict(self, body: bytes, seconds: float) -> bytes:
        """The answer's body for a request's body.

        PredictionError for what the model made of the request; ApiError 500, 503 or 504 when the node is at fault.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        last = ""
        for attempt in range(1, ATTEMPTS + 1):
            node = await self._take(end)
            try:
                return await node.worker.predict(body, end - loop.time())
            except WorkerError as error:
                if loop.time() >= end:
                    raise _too_late() from error
                log.warning("%s: a worker failed (attempt %d): %s", self.recipe.key.name, attempt, error.detail)
                last = error.detail
            finally:
                self._give(node)
        raise ApiError(f"This request ended {ATTEMPTS} nodes, one after the other: {last}", code=500, status="INTERNAL")

    async def close(self) -> None:
        """End the workers; whoever waits for one is told."""
        self._closed = True
        for task in self._starts:
            task.cancel()
        await asyncio.gather(*self._starts, *self._ends, return_exceptions=True)
        self._fail_waiting(_taken_down())
        nodes, self._nodes, self._idle = self._nodes, [], []
        await asyncio.gather(*(node.worker.close() for node in nodes))

    async def _take(self, end: float) -> Node:
        """An idle node, or the next to become idle; the 504 error when there is none before `end`."""
        if self._closed:
            raise _taken_down()
        while self._idle:
            node = self._idle.pop()  # the one used last: its caches are warm
            if node.worker.alive:
                return node
            self._drop(node)
        self._start_missing()
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Node] = loop.create_future()
        self._waiting.append(waiter)
        try:
            await asyncio.wait({waiter}, timeout=max(0.0, end - loop.time()))
        except asyncio.CancelledError:
            if waiter.done() and not waiter.exception():
                self._give(waiter.result())
            waiter.cancel()
            raise
        if not waiter.done():
            waiter.cancel()  # `_give` passes over it
            raise _too_late()
        return waiter.result()

    def _give(self, node: Node) -> None:
        """A node is free: it goes to whoever waits longest, or idles. A dead one is replaced."""
        if self._closed or not node.worker.alive:
            self._drop(node)
            return
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(node)
                return
        self._idle.append(node)

    def _drop(self, node: Node) -> None:
        if node in self._nodes:
            self._nodes.remove(node)
        _spawn(node.worker.close(), self._ends)
        self._start_missing()

    def _start_missing(self) -> None:
        if not self._closed:
            for _ in range(self.size - len(self._nodes) - self._starting):
                self._starting += 1
                _spawn(self._start_one(), self._starts)

    async def _start_one(self) -> None:
        try:
            self._give(await self._new_node())
        except AipError as error:
            reason = error.detail if isinstance(error, PredictionError) else error.message
            log.warning("%s: a node could not be started: %s", self.recipe.key.name, reason)
            if not self._nodes:
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
        waiting, self._waiting = self._waiting, collections.deque()
        for waiter in waiting:
            if not waiter.done():
                waiter.set_exception(error)


class Nodes:
    """The groups of all versions that were asked for since the server started."""

    def __init__(self, start_worker: StartWorker, on_loaded: Callable[[VersionKey, Loaded], None]) -> None:
        self._start_worker = start_worker
        self._on_loaded = on_loaded
        self._groups: dict[VersionKey, NodeGroup] = {}

    def find(self, key: VersionKey) -> NodeGroup | None:
        return self._groups.get(key)

    def group(self, recipe: Recipe) -> NodeGroup:
        """The group of this version, made if need be; no process is started by that."""
        key = recipe.key
        if key not in self._groups:
            self._groups[key] = NodeGroup(recipe, self._start_worker, lambda loaded: self._on_loaded(key, loaded))
        return self._groups[key]

    async def close(self, key: VersionKey) -> None:
        """End the workers of a version."""
        if group := self._groups.pop(key, None):
            await group.close()

    async def close_all(self) -> None:
        await asyncio.gather(*(self.close(key) for key in list(self._groups)))


def _taken_down() -> ApiError:
    return Unavailable("The version is being taken down.")


def _too_late() -> ApiError:
    return ApiError("Deadline expired before operation could complete.", code=504, status="DEADLINE_EXCEEDED")


def _spawn(work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]) -> None:
    task = asyncio.get_running_loop().create_task(work)
    tasks.add(task)  # the loop itself keeps only weak references
    task.add_done_callback(tasks.discard)
