"""The listening socket: connections are accepted a few at a time, and not at all while no descriptor is left.

asyncio accepts until nothing waits, up to the whole backlog, before the first of these connections can be refused. When
no descriptor is left it tries once for each place in the backlog, logs each failure with its traceback, and does all of
that again each second.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import time
from typing import Any

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.5  # less than asyncio's, which looks again after one second
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Listener(socket.socket):
    """A listening socket for one event loop; takes the place of the socket it is built from."""

    def __init__(self, listening: socket.socket, burst: int) -> None:
        super().__init__(fileno=listening.detach())
        self._burst = burst
        self._accepted = 0  # since the event loop last turned
        self._paused_until = 0.0

    def accept(self) -> tuple[socket.socket, Any]:
        """Accept a connection. BlockingIOError: none now; OSError for the first of several failures only."""
        if self._accepted >= self._burst or time.monotonic() < self._paused_until:
            raise BlockingIOError
        try:
            accepted = super().accept()
        except OSError as error:
            if error.errno in _EXHAUSTED:
                self._paused_until = time.monotonic() + PAUSE_SECONDS
            raise
        if self._accepted == 0:
            asyncio.get_running_loop().call_soon(self._turn)
        self._accepted += 1
        return accepted

    def _turn(self) -> None:
        self._accepted = 0


def handle_loop_exception(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log a pause in one line, and what else the event loop reports as it does by default."""
    error = context.get("exception")
    if "socket" in context and isinstance(error, OSError) and error.errno in _EXHAUSTED:  # accepting failed
        log.warning("no connection is accepted for a second: %s", error.strerror)
    else:
        loop.default_exception_handler(context)
