"""Runner of one transfer: thread pool, progress and stop, shared by uploads and downloads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from aip_magics.errors import Interrupted
from aip_magics.storage.http.client import StorageClient
from aip_magics.storage.progress import OnProgress, ProgressSnapshot, ProgressTracker
from aip_magics.storage.thread_pool import ConcurrencyController, Task, TransferThreadPool, initial_concurrency


class TransferRunner:
    """Runs the tasks of one transfer with a client whose requests end when the transfer is stopped.

    Args:
        client: The endpoint.
        total: Bytes to transfer.
        files: Files to transfer.
        progress: Called on the thread that waits.
        cancel: Stops the transfer when set.
        stopped: Creates the error for a transfer that was cancelled.
    """

    def __init__(
        self,
        client: StorageClient,
        total: int,
        files: int,
        progress: OnProgress | None,
        cancel: threading.Event | None,
        stopped: Callable[[], Interrupted],
    ) -> None:
        self.tracker = ProgressTracker(total, files, client.clock)
        concurrency = ConcurrencyController(client.clock, initial_concurrency(client.best_latency), client.connections)
        self.thread_pool = TransferThreadPool(concurrency, client.sockets.interrupt, client.clock)
        self.client = client.bound_to(self.thread_pool.sleep, self.thread_pool.on_retryable_error)
        self._progress = progress
        self._cancel = cancel
        self._stopped = stopped
        self._shown: ProgressSnapshot | None = None

    def run(self, tasks: Iterable[Task]) -> None:
        """Run all tasks, and the tasks that they add; raises the first error of a task."""
        self.thread_pool.add(tasks)
        self.thread_pool.run(self._tick, lambda: self.tracker.bytes_done)
        self._show_progress()

    def _tick(self) -> None:
        if self._cancel is not None and self._cancel.is_set():
            raise self._stopped()
        self.client.sockets.interrupt(self.client.policy.stall_timeout)
        self._show_progress()

    def _show_progress(self) -> None:
        if self._progress is not None and (now := self.tracker.snapshot()) != self._shown:
            self._shown = now
            self._progress(now)
