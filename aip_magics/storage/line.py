"""Connections that nothing waits for: a request goes out and its answer comes in as the kernel has room and bytes."""

from __future__ import annotations

import contextlib
import queue
import socket
import ssl
from typing import TYPE_CHECKING

import httptools

from aip_magics.i18n import gettext as _
from aip_magics.storage.crew import Crew
from aip_magics.storage.retry import Again
from aip_magics.storage.store import Answer, Store, connection_reason

if TYPE_CHECKING:
    from urllib3.connection import HTTPConnection

_READ = 64 << 10  # bytes asked for at a time; an answer is one kilobyte
_MOST = 1 << 20  # bytes of one answer, its head with it
_WOULD_WAIT = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Line:
    """`connection` of a store's pool (see `Store.connect`), used without urllib3 as long as the line has it.

    `fit` tells whether the line can carry another request.
    """

    def __init__(self, connection: HTTPConnection) -> None:
        self.connection = connection
        self.socket: socket.socket = connection.sock
        self.socket.setblocking(False)
        self.fit = True
        self._unsent = memoryview(b"")
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._content = b""
        self._kept = False  # by the other end
        self._complete = False
        self._received = 0

    @property
    def sending(self) -> bool:
        """Whether bytes of the request are left that the kernel had no room for."""
        return bool(self._unsent)

    def send(self, request: bytes) -> int:
        """Begin a request; how many of its bytes left. Again for a fault of the connection, as in the following."""
        self.fit = False
        self._unsent = memoryview(request)
        self._headers, self._content, self._complete, self._received = {}, b"", False, 0
        return self.go_on()

    def go_on(self) -> int:
        """Send what there is room for; how many bytes left."""
        before = len(self._unsent)
        try:
            while self._unsent:
                self._unsent = self._unsent[self.socket.send(self._unsent) :]
        except _WOULD_WAIT:
            pass
        except OSError as error:
            raise Again(connection_reason(error)) from error
        return before - len(self._unsent)

    def receive(self) -> Answer | None:
        """The answer when it is whole. Again too where the other end closes before that, or does not speak HTTP."""
        try:
            while not self._complete:
                data = self.socket.recv(_READ)
                if not data:
                    raise Again("RemoteDisconnected")
                self._received += len(data)
                if self._received > _MOST:
                    raise Again(_("the answer was longer than asked for"))
                self._parser.feed_data(data)
        except _WOULD_WAIT:
            return None
        except (OSError, httptools.HttpParserError) as error:
            raise Again(connection_reason(error)) from error
        self.fit = self._kept and not self.sending
        return Answer(self._parser.get_status_code(), self._headers, self._content)

    # What httptools calls

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self._kept = self._parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        self._content += data

    def on_message_complete(self) -> None:
        self._complete = True


class Connecting:
    """Connections that threads of the crew make: each takes several round trips."""

    def __init__(self, store: Store, crew: Crew) -> None:
        self._store = store
        self._crew = crew
        self._made: queue.SimpleQueue[HTTPConnection | None] = queue.SimpleQueue()
        self._coming = 0
        self._failed = False
        self._ended = False

    @property
    def hopeless(self) -> bool:
        """One could not be made, and none is coming any more."""
        return self._failed and not self._coming

    def more(self, wanted: int, wait: float) -> list[HTTPConnection]:
        """What was made meanwhile, and have `wanted` made if none failed. Waits up to `wait` seconds for the first."""
        missing = 0 if self._failed else wanted - self._coming
        if missing > 0:
            self._coming += missing
            self._crew.add([self._connect] * missing, first=True)
        return self._taken(wait)

    def end(self) -> None:
        """Nobody takes what is still coming: it goes to the store."""
        self._ended = True
        for connection in self._taken():
            self._store.give_back(connection)

    def _taken(self, wait: float = 0.0) -> list[HTTPConnection]:
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                connection = self._made.get(wait > 0, wait)
                wait = 0.0
                self._coming -= 1
                if connection is None:
                    self._failed = True
                else:
                    found.append(connection)
        return found

    def _connect(self) -> None:
        made: HTTPConnection | None = None
        try:
            if not self._ended:
                made = self._store.connect()
        except Again as fault:
            self._crew.fault(fault)
        finally:
            self._made.put(made)
            if self._ended:
                self.end()
