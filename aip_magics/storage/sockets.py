"""Which sockets are in use, so that a stop, or a stall, can break requests off at once."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any


class Sockets:
    """Which thread uses which socket, and when a byte moved there for the last time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._busy: dict[int, tuple[Any, float]] = {}

    def use(self, used: Any) -> None:
        """This thread uses this socket now."""
        with self._lock:
            self._busy[threading.get_ident()] = (used, self._clock())

    def touch(self) -> None:
        """A byte moved on this thread's socket."""
        ident = threading.get_ident()
        with self._lock:
            if ident in self._busy:
                self._busy[ident] = (self._busy[ident][0], self._clock())

    def free(self) -> None:
        """This thread's request is over."""
        with self._lock:
            self._busy.pop(threading.get_ident(), None)

    def interrupt(self, idle: float = 0.0) -> None:
        """Break off all requests in which nothing moved for `idle` seconds: their threads get a connection fault."""
        limit = self._clock() - idle
        with self._lock:
            hit = [used for used, moved in self._busy.values() if moved <= limit]
        for used in hit:
            plain = used if isinstance(used, socket.socket) else getattr(used, "socket", None)
            if isinstance(plain, socket.socket):
                with contextlib.suppress(OSError):
                    # Not SSLSocket's own, which takes away the state that the other thread is working with.
                    socket.socket.shutdown(plain, socket.SHUT_RDWR)
