"""The worker processes of a container: as many as processors and memory permit, each replaced when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections import deque
from collections.abc import Callable
from pathlib import Path

from aip_magics.errors import AipError, PredictionError, WorkerError
from aip_magics.i18n import gettext as _
from aip_magics.prediction import AsyncWorkerClient, ForkServerPool, LoadedModel, WorkerSpec, batching, machine
from aip_magics.prediction.process_memory import memory_of
from aip_magics.serving.worker_logs import WorkerLogs

log = logging.getLogger(__name__)

LOAD_SECONDS = 7200.0  # the longest deployment timeout of the platform, which ends the container before
MOST_WAITING = 512  # requests that wait for a worker
MOST_WAITING_BYTES = 64 << 20  # of their bodies, beside the first
MEMORY_SHARE = 0.8  # of the container's, for workers: the rest is for requests
RETRY_SECONDS = (0.0, 1.0, 5.0, 30.0)  # before a worker is started again whose successor did not load


class TooManyRequests(Exception):
    """More requests wait than a worker could answer in time."""


class NotReady(Exception):
    """No worker has the model loaded."""


@dataclasses.dataclass(eq=False)
class _Slot:
    """A place for one worker: `client` is None while it starts. `busy`: a request has it."""

    client: AsyncWorkerClient | None = None
    busy: bool = False
    starting: asyncio.Task[None] | None = None


@dataclasses.dataclass(eq=False)
class _Waiting(batching.WaitingRequest):
    """A request without a worker. Its `turn` yields the slot that it may use, until `end` by the loop's clock."""

    turn: asyncio.Future[_Slot | bytes] = dataclasses.field(kw_only=True)
    end: float = dataclasses.field(kw_only=True)


class WorkerGroup:
    """Workers of one event loop that hold the same model.

    Args:
        spec: What each worker holds.
        count: The number of workers; None chooses it by processors and memory after the first has loaded.
        log_dir: The directory of the workers' logs.
        fork_servers: The pool that forks the workers.
        fail: Called when no worker is left and none can be started.
        predict_seconds: How long a prediction may take before its worker is replaced. Requests that have waited as
            long are not predicted any more: whoever sent them has given up.
        coalesce: Whether requests that wait are predicted in one batch, where their instances make arrays of one kind
            (`batching.number_kind`) and the code is not custom: a step of a pipeline may look at all rows of a batch.
            None: where the model is row-wise.
    """

    def __init__(
        self,
        spec: WorkerSpec,
        count: int | None,
        log_dir: Path,
        fork_servers: ForkServerPool,
        fail: Callable[[AipError], None],
        *,
        predict_seconds: float,
        coalesce: bool | None = None,
    ) -> None:
        self._spec = spec
        self._count = count
        self._log_dir = log_dir
        self._fork_servers = fork_servers
        self._fail = fail
        self._predict_seconds = predict_seconds
        self._coalesce = False if spec.prediction_class or spec.packages else coalesce
        self._slots: list[_Slot] = []
        self._waiting: deque[_Waiting] = deque()
        self._closed = False
        self._logs = WorkerLogs()

    @property
    def ready(self) -> bool:
        """Whether a worker has the model loaded. Notices workers that ended meanwhile, which are then replaced."""
        self._replace_ended()
        return any(slot.client is not None for slot in self._slots)

    async def start(self) -> LoadedModel:
        """Start the first worker and load the model; the others follow in the background.

        PredictionError (WorkerError) or ModelDirError if the model does not load.
        """
        slot = _Slot()
        loaded = await self._start(slot)
        self._slots.append(slot)
        assert slot.client is not None
        if self._coalesce is None:
            self._coalesce = loaded.row_wise
        self._coalesce = self._coalesce and loaded.framework in ("SCIKIT_LEARN", "XGBOOST")
        count = self._count or _permitted(memory_of(slot.client.pid))
        for _number in range(count - 1):
            other = _Slot()
            self._slots.append(other)
            self._restart(other)
        return loaded

    async def predict(self, body: bytes) -> bytes:
        """Predict by a free worker, or wait for one.

        Raises:
            PredictionError: The model or the request is faulty; WorkerError if the worker died.
            TooManyRequests, NotReady: No worker can be asked, or none was free in time.
        """
        if not self.ready:
            raise NotReady
        loop = asyncio.get_running_loop()
        request = _Waiting(body, turn=loop.create_future(), end=loop.time() + self._predict_seconds)
        slot = next((slot for slot in self._slots if slot.client and not slot.busy), None)
        if slot is not None:
            slot.busy = True
        else:
            if len(self._waiting) >= MOST_WAITING or self._too_large(body):
                raise TooManyRequests
            self._waiting.append(request)
            turn = await self._wait_for_turn(request)
            if isinstance(turn, bytes):
                return turn
            slot = turn
        try:
            if self._coalesce and not request.turn.done():
                await asyncio.sleep(0)  # it has not waited: requests that came with it take their places in the queue
            return await self._predict_by(slot, request)
        finally:
            self._pass_on(slot)

    async def close(self) -> None:
        """End all workers."""
        self._closed = True
        await asyncio.gather(*map(_end, self._slots))  # together: a busy one takes a second
        await self._logs.close()

    def _too_large(self, body: bytes) -> bool:
        return bool(self._waiting) and sum(len(one.body) for one in self._waiting) + len(body) > MOST_WAITING_BYTES

    async def _wait_for_turn(self, request: _Waiting) -> _Slot | bytes:
        try:
            return await request.turn
        except asyncio.CancelledError:
            if request.turn.done() and not request.turn.cancelled() and not request.turn.exception():
                turn = request.turn.result()
                if isinstance(turn, _Slot):
                    self._pass_on(turn)  # it came too late
            raise

    async def _predict_by(self, slot: _Slot, request: _Waiting) -> bytes:
        """The answer to a request by the worker of a slot, with the waiting requests that can go along."""
        client = slot.client
        if client is None:
            raise NotReady
        others = self._pop_batch(request)
        if not others:
            return await client.predict(request.body, self._predict_seconds)
        return await batching.predict_batch(
            request,
            others,
            lambda body: client.predict(body, self._predict_seconds),
            lambda: self._put_back(others),
        )

    def _pop_batch(self, request: _Waiting) -> list[_Waiting]:
        """Remove and return the waiting requests that can be batched with this one."""
        batch = batching.find_batch(request, self._waiting, numbers_only=True) if self._coalesce else []
        for other in batch:
            self._waiting.remove(other)
        return batch

    def _put_back(self, others: list[_Waiting]) -> None:
        """A batch failed: each of its requests goes alone, before those that came later."""
        for other in reversed(others):
            other.alone = True
            self._waiting.appendleft(other)
        self._serve_waiting()

    def _pass_on(self, slot: _Slot) -> None:
        """Give a slot that has become free to the request that waits longest."""
        slot.busy = False
        self._serve_waiting()

    def _serve_waiting(self) -> None:
        """Give each free slot to a request, the one that waits longest first."""
        self._replace_ended()
        for slot in self._slots:
            while self._waiting and slot.client is not None and slot.client.alive and not slot.busy:
                request = self._waiting.popleft()
                if request.turn.done():
                    continue  # its task was cancelled
                if request.end < asyncio.get_running_loop().time():
                    request.turn.set_exception(TooManyRequests())
                    continue
                slot.busy = True
                request.turn.set_result(slot)

    async def _start(self, slot: _Slot) -> LoadedModel:
        client = await AsyncWorkerClient.start(self._spec, log_dir=self._log_dir, fork_servers=self._fork_servers)
        try:
            loaded = await client.load(LOAD_SECONDS)
        except BaseException:
            await client.close()
            client.log.unlink(missing_ok=True)  # it is tried again and again; the error says why it did not load
            raise
        self._logs.follow(client.log)
        slot.client = client
        self._pass_on(slot)
        return loaded

    def _replace_ended(self) -> None:
        for slot in self._slots:
            if slot.client is not None and not slot.client.alive and not self._closed:
                client, slot.client = slot.client, None
                log.warning("worker process %d ended; starting another", client.pid)
                self._restart(slot, client)

    def _restart(self, slot: _Slot, ended: AsyncWorkerClient | None = None) -> None:
        slot.starting = asyncio.get_running_loop().create_task(self._start_again(slot, ended))

    async def _start_again(self, slot: _Slot, ended: AsyncWorkerClient | None) -> None:
        if ended is not None:
            await ended.close()
            self._logs.end(ended.log)
        attempt = 0
        while True:
            await asyncio.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
            attempt += 1
            try:
                await self._start(slot)
                return
            except AipError as error:
                reason = error
            except OSError as error:
                reason = WorkerError(str(error), where=str(self._spec.model_dir))
            if not any(other.client for other in self._slots):
                self._give_up(reason)
                return
            text = reason.detail if isinstance(reason, PredictionError) else reason.message
            log.warning("a further worker process did not start: %s", text)

    def _give_up(self, reason: AipError) -> None:
        for request in self._waiting:
            if not request.turn.done():
                request.turn.set_exception(WorkerError(_("no worker process is left")))
        self._waiting.clear()
        self._fail(reason)


async def _end(slot: _Slot) -> None:
    if slot.starting is not None:
        slot.starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await slot.starting
    if slot.client is not None:
        await slot.client.close()


def _permitted(worker_bytes: int) -> int:
    """How many workers of this size processors and memory permit."""
    limit = machine.available()
    by_memory = int(limit * MEMORY_SHARE) // worker_bytes if limit and worker_bytes else 1_000_000
    return max(1, min(machine.processors(), by_memory))
