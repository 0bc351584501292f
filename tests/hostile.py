"""An HTTP server that never stops talking, and how much memory it can take of whoever listens."""

from __future__ import annotations

import contextlib
import functools
import gzip
import itertools
import os
import re
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

OK = b"HTTP/1.1 200 OK\r\n"
JSON = OK + b"Content-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
BLOCK = b"x" * (64 << 10)
Answer = Callable[[bytes], Iterable[bytes]]  # the request's head → pieces of the answer


def forever(piece: bytes, *first: bytes) -> Iterator[bytes]:
    yield from first
    yield from itertools.repeat(piece)


def bomb() -> Iterator[bytes]:
    """Zeros without end, gzip, chunked: each chunk becomes a thousand times as much."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    yield JSON + b"Content-Encoding: gzip\r\n" + CHUNKED
    while True:
        piece = b"".join(packer.compress(bytes(1 << 20)) for _ in range(16))
        if piece:
            yield b"%x\r\n%b\r\n" % (len(piece), piece)


def small_bomb() -> Iterator[bytes]:
    """64 MB of blanks in 64 kB, with its length: after a blank comes the JSON that was asked for."""
    packed = blanks_packed()
    yield JSON + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(packed), packed)


@functools.cache
def blanks_packed() -> bytes:
    return gzip.compress(b" " * (64 << 20) + b"{}")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


ENDLESS: dict[str, Callable[[], Iterable[bytes]]] = {
    "chunks": lambda: forever(chunk(BLOCK), JSON + CHUNKED),
    "no length": lambda: forever(BLOCK, JSON + b"Connection: close\r\n\r\n"),
    "a length of 10 GB": lambda: forever(BLOCK, JSON + b"Content-Length: 10000000000\r\n\r\n"),
    "a header's value": lambda: forever(BLOCK, OK + b"X-Long: "),
    "headers": lambda: forever(b"".join(b"X-%d: %b\r\n" % (n, b"y" * 100) for n in range(100)), OK),
    "100 Continue": lambda: forever(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "the status line": lambda: forever(BLOCK, b"HTTP/1.1 200 "),
    "a chunk's head": lambda: forever(BLOCK, JSON + CHUNKED + b"1;"),
    "chunks of one byte with long heads": lambda: forever(b"1;" + b"e" * 2000 + b"\r\n \r\n", JSON + CHUNKED),
    "trailers": lambda: forever(b"X-Trailer: y\r\n" * 1000, JSON + CHUNKED + chunk(b"{}") + b"0\r\n"),
    "compressed zeros": bomb,
    "compressed blanks": small_bomb,
    "nested lists": lambda: [JSON + b"Content-Length: 2000000\r\n\r\n", b"[" * 2_000_000],
    "an error's text": lambda: forever(chunk(BLOCK), b"HTTP/1.1 404 Not Found\r\n" + CHUNKED),
}


class Hostile:
    """`answer` makes the pieces that go out after a request's head; `asked` are the heads."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.answer: Answer = lambda _head: [OK + b"Content-Length: 2\r\n\r\n{}"]
        self.asked: list[bytes] = []
        self.sent = 0
        self._ended = False
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while not self._ended:
            with contextlib.suppress(OSError):
                connection, _ = self._listener.accept()
                self._connections.append(connection)
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(20)
            head = b""
            while b"\r\n\r\n" not in head:
                data = connection.recv(65536)
                if not data:
                    return
                head += data
            self.asked.append(head)
            self._drain(connection, head)
            for piece in self.answer(head):
                if self._ended:
                    return
                connection.sendall(piece)
                self.sent += len(piece)

    @staticmethod
    def _drain(connection: socket.socket, head: bytes) -> None:
        """Read the body, too: what is closed with bytes unread is reset, and the answer lost."""
        head, _, body = head.partition(b"\r\n\r\n")
        found = re.search(rb"(?i)content-length: *(\d+)", head)
        left = int(found[1]) - len(body) if found else 0
        while left > 0 and (data := connection.recv(min(left, 65536))):
            left -= len(data)

    def close(self) -> None:
        self._ended = True
        with contextlib.suppress(OSError):
            socket.create_connection(self._listener.getsockname(), 1).close()
        self._listener.close()
        for connection in self._connections:
            # A client that shut its end down and closed it is not noticed by a thread that waits for room to send.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()


@contextlib.contextmanager
def hostile() -> Iterator[Hostile]:
    server = Hostile()
    try:
        yield server
    finally:
        server.close()


@contextlib.contextmanager
def memory(most: int = 100 << 20) -> Iterator[None]:
    """This process grows by less than `most` bytes meanwhile."""
    ended = threading.Event()
    before, peak = _resident(), [0]

    def look() -> None:
        while not ended.wait(0.005):
            peak[0] = max(peak[0], _resident())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert peak[0] - before < most, f"it took {(peak[0] - before) >> 20} MB"


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds
