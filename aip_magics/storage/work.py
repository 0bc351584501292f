"""What an upload and a download have in common: the threads, the progress, and how both are stopped."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from aip_magics.errors import Interrupted
from aip_magics.storage.crew import Crew, Pace, Task, first_limit
from aip_magics.storage.meter import Meter, OnProgress, Standing
from aip_magics.storage.store import Store


class Work:
    """Runs tasks against `store`, whose calls end when the work does. `total` bytes are to be moved for `files` files.

    `progress` is called on the thread that waits; `stopped` makes the error for when `cancel` was set.
    """

    def __init__(
        self,
        store: Store,
        total: int,
        files: int,
        progress: OnProgress | None,
        cancel: threading.Event | None,
        stopped: Callable[[], Interrupted],
    ) -> None:
        self.meter = Meter(total, files, store.clock)
        pace = Pace(store.clock, first_limit(store.soonest), store.connections)
        self.crew = Crew(pace, store.sockets.interrupt, store.clock)
        self.store = store.within(self.crew.pause, self.crew.fault)
        self._progress = progress
        self._cancel = cancel
        self._stopped = stopped
        self._shown: Standing | None = None

    def run(self, tasks: Iterable[Task]) -> None:
        """Until all of them, and those they add, are done; raises what the first that failed raised."""
        self.crew.add(tasks)
        self.crew.run(self._tick, lambda: self.meter.moved)
        self._show()

    def _tick(self) -> None:
        if self._cancel is not None and self._cancel.is_set():
            raise self._stopped()
        self.store.sockets.interrupt(self.store.policy.stall)
        self._show()

    def _show(self) -> None:
        if self._progress is not None and (now := self.meter.standing()) != self._shown:
            self._shown = now
            self._progress(now)
