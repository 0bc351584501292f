"""Registry of the sockets in use, so that a stop or a stall can abort their requests at once."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any


class SocketRegistry:
    """The socket of every thread, and when a byte moved on it last."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._in_use: dict[int, tuple[Any, float]] = {}
        self._silence: dict[int, float] = {}  # seconds that a thread's server may take for its response

    def register(self, used: Any) -> None:
        """Note that the current thread uses this socket."""
        with self._lock:
            self._in_use[threading.get_ident()] = (used, self._clock())

    def allow_silence(self, seconds: float) -> None:
        """Note that the response to the current thread's next request may take so much longer."""
        with self._lock:
            self._silence[threading.get_ident()] = seconds

    def touch(self) -> None:
        """Note that a byte moved on the current thread's socket."""
        ident = threading.get_ident()
        with self._lock:
            if ident in self._in_use:
                self._in_use[ident] = (self._in_use[ident][0], self._clock())

    def unregister(self) -> None:
        """Note that the current thread's request is over."""
        with self._lock:
            self._in_use.pop(threading.get_ident(), None)
            self._silence.pop(threading.get_ident(), None)

    def interrupt(self, idle: float = 0.0) -> None:
        """Abort all requests in which no byte moved for `idle` seconds; their threads get a connection error.

        With 0, a stop, no request is spared.
        """
        limit = self._clock() - idle
        with self._lock:
            allowed = self._silence if idle else {}
            stalled = [
                used
                for thread, (used, moved_at) in self._in_use.items()
                if moved_at + allowed.get(thread, 0.0) <= limit
            ]
        for used in stalled:
            plain = used if isinstance(used, socket.socket) else getattr(used, "socket", None)
            if isinstance(plain, socket.socket):
                with contextlib.suppress(OSError):
                    # Not SSLSocket's own, which clears the state that the other thread is using.
                    socket.socket.shutdown(plain, socket.SHUT_RDWR)
