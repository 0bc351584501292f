"""Deadlines of futures, under one timer of the event loop.

Nearly every request is answered long before its deadline. To create and cancel a timer for each of them costs as much
as to send the request to a worker, so one timer stays and checks which futures are due when it fires.
"""

from __future__ import annotations

import asyncio
from typing import Any


class Deadlines:
    """Fail each future with `asyncio.TimeoutError` at its deadline, unless it is done or removed before."""

    def __init__(self) -> None:
        self._due: dict[asyncio.Future[Any], float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, future: asyncio.Future[Any], seconds: float) -> None:
        loop = future.get_loop()
        self._due[future] = due = loop.time() + seconds
        if self._timer is not None and self._timer.when() > due:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = loop.call_at(due, self._check, loop)

    def remove(self, future: asyncio.Future[Any]) -> None:
        self._due.pop(future, None)

    def stop(self) -> None:
        """Leave no timer in the event loop."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        for future in [future for future, due in self._due.items() if due <= now]:
            self.remove(future)
            if not future.done():
                future.set_exception(asyncio.TimeoutError())
        if self._due:
            self._timer = loop.call_at(min(self._due.values()), self._check, loop)
