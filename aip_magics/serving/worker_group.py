"""The worker processes of a container: as many as processors and memory permit, each replaced when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path

from aip_magics.errors import AipError, PredictionError, WorkerError
from aip_magics.i18n import gettext as _
from aip_magics.prediction import AsyncWorkerClient, ForkServerPool, LoadedModel, WorkerSpec, machine
from aip_magics.prediction.process_memory import memory_of
from aip_magics.serving.worker_logs import WorkerLogs

log = logging.getLogger(__name__)

LOAD_SECONDS = 7200.0  # the longest deployment timeout of the platform, which ends the container before
PREDICT_SECONDS = 3600.0  # its longest request
MOST_WAITING = 512  # requests that wait for a worker or are predicted
MEMORY_SHARE = 0.8  # of the container's, for workers: the rest is for requests
RETRY_SECONDS = (0.0, 1.0, 5.0, 30.0)  # before a worker is started again whose successor did not load


class TooManyRequests(Exception):
    """More requests wait than a worker could answer in time."""


class NotReady(Exception):
    """No worker has the model loaded."""


@dataclasses.dataclass(eq=False)
class _Slot:
    """A place for one worker: `client` is None while it starts. `pending` are its requests."""

    client: AsyncWorkerClient | None = None
    pending: int = 0
    starting: asyncio.Task[None] | None = None


class WorkerGroup:
    """Workers of one event loop that hold the same model.

    Args:
        spec: What each worker holds.
        count: The number of workers; None chooses it by processors and memory after the first has loaded.
        log_dir: The directory of the workers' logs.
        fork_servers: The pool that forks the workers.
        fail: Called when no worker is left and none can be started.
    """

    def __init__(
        self,
        spec: WorkerSpec,
        count: int | None,
        log_dir: Path,
        fork_servers: ForkServerPool,
        fail: Callable[[AipError], None],
    ) -> None:
        self._spec = spec
        self._count = count
        self._log_dir = log_dir
        self._fork_servers = fork_servers
        self._fail = fail
        self._slots: list[_Slot] = []
        self._closed = False
        self._logs = WorkerLogs()
        self._pending = 0

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
        count = self._count or _permitted(memory_of(slot.client.pid))
        for _number in range(count - 1):
            other = _Slot()
            self._slots.append(other)
            self._restart(other)
        return loaded

    async def predict(self, body: bytes) -> bytes:
        """Predict by the worker with the fewest requests.

        Raises:
            PredictionError: The model or the request is faulty; WorkerError if the worker died.
            TooManyRequests, NotReady: No worker can be asked.
        """
        self._replace_ended()
        slot = min((slot for slot in self._slots if slot.client), key=lambda slot: slot.pending, default=None)
        if slot is None or slot.client is None:
            raise NotReady
        if self._pending >= MOST_WAITING:
            raise TooManyRequests
        self._pending += 1
        slot.pending += 1
        try:
            return await slot.client.predict(body, PREDICT_SECONDS)
        finally:
            slot.pending -= 1
            self._pending -= 1

    async def close(self) -> None:
        """End all workers."""
        self._closed = True
        for slot in self._slots:
            if slot.starting is not None:
                slot.starting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await slot.starting
            if slot.client is not None:
                await slot.client.close()
        await self._logs.close()

    async def _start(self, slot: _Slot) -> LoadedModel:
        client = await AsyncWorkerClient.start(self._spec, log_dir=self._log_dir, fork_servers=self._fork_servers)
        try:
            loaded = await client.load(LOAD_SECONDS)
        except BaseException:
            await client.close()
            raise
        self._logs.follow(client.log)
        slot.client = client
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
        reason: AipError = WorkerError(_("the worker process ended"), where=str(self._spec.model_dir))
        for number in range(1_000_000):
            await asyncio.sleep(RETRY_SECONDS[min(number, len(RETRY_SECONDS) - 1)])
            try:
                await self._start(slot)
                return
            except AipError as error:
                reason = error
            except OSError as error:
                reason = WorkerError(str(error), where=str(self._spec.model_dir))
            if not any(other.client for other in self._slots):
                self._fail(reason)
                return
            text = reason.detail if isinstance(reason, PredictionError) else reason.message
            log.warning("a further worker process did not start: %s", text)


def _permitted(worker_bytes: int) -> int:
    """How many workers of this size processors and memory permit."""
    limit = machine.available()
    by_memory = int(limit * MEMORY_SHARE) // worker_bytes if limit and worker_bytes else 1_000_000
    return max(1, min(machine.processors(), by_memory))
