"""Answers that do not end: what every connection to another machine reads through, so that none can fill this one.

`http.client` bounds the lines of a head and the number of headers. Neither it nor urllib3 bounds the head of a chunk or
the trailers, the answers `100 Continue` before the answer, or the time that all of it takes. The reader below does,
under both; whoever reads an answer has to bound its content only, which is what `content` is for.
"""

from __future__ import annotations

import http.client
import io
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import urllib3

HEAD_BYTES = 256 << 10  # of an answer's head, with all that comes before it
LINE_BYTES = 4 << 10  # of the head of a chunk, or a trailer
LINES_BYTES = 4 << 20  # of all of them in one answer
PIECE = 64 << 10  # bytes read at a time; compressed, they may become a thousand times as many


class EndlessResponse(http.client.HTTPException):
    """An answer is longer than anything that could be meant; its text says which part of it."""


class BoundedResponse(http.client.HTTPResponse):
    """http.client's, over a reader with bounds. `patience`: the time for a whole answer, in timeouts."""

    patience: ClassVar[float | None] = None  # None: only the head has to come in time

    def __init__(self, sock: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self._bounded = self.fp = _Reader(self.fp.detach())
        self._seconds = sock.gettimeout()

    def begin(self) -> None:
        reader = self._bounded
        if self._seconds is not None:
            reader.within(2 * self._seconds)
        reader.bound(HEAD_BYTES, "its head")
        super().begin()
        reader.bound(None, "")
        reader.within(None if self._seconds is None or self.patience is None else self.patience * self._seconds)


class WholeResponse(BoundedResponse):
    """One whose content has to come in time, too: that of a call, which is small."""

    patience = 2.0


class _Raw(io.RawIOBase):
    """The socket's bytes, until the time is up or there are too many."""

    def __init__(self, inner: io.RawIOBase) -> None:
        self._inner = inner
        self.until = float("inf")
        self.left = float("inf")
        self.part = ""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if time.monotonic() > self.until:
            raise EndlessResponse("it takes too long")
        count = self._inner.readinto(buffer)
        self.left -= count or 0
        if self.left < 0:
            raise EndlessResponse(self.part)
        return int(count) if count is not None else None

    def close(self) -> None:
        self._inner.close()
        super().close()

    def fileno(self) -> int:
        return self._inner.fileno()


class _Reader(io.BufferedReader):
    """Lines have an end, and all of them together, too."""

    def __init__(self, inner: Any) -> None:
        self._source = _Raw(inner)
        self._lines = 0
        super().__init__(self._source)

    def within(self, seconds: float | None) -> None:
        self._source.until = float("inf") if seconds is None else time.monotonic() + seconds

    def bound(self, size: int | None, part: str) -> None:
        # What was buffered of the content does not count: it is less than the buffer.
        self._source.left = float("inf") if size is None else size + io.DEFAULT_BUFFER_SIZE
        self._source.part = part

    def readline(self, size: int | None = -1, /) -> bytes:
        # http.client asks for one byte more than it takes, urllib3 for whatever comes.
        asked = size if size is not None and size >= 0 else LINE_BYTES + 1
        line = super().readline(asked)
        if self._source.part:
            return line  # the head is bounded as a whole
        self._lines += len(line)
        if len(line) > LINE_BYTES or self._lines > LINES_BYTES:
            raise EndlessResponse("the lines between its content")
        return line


def content(
    response: urllib3.BaseHTTPResponse, most: int, got: Callable[[], None] = lambda: None
) -> tuple[bytes, bool]:
    """The content of an answer that was not read yet, unpacked, and whether that is all of it: at most `most` bytes.

    `got` is called for each piece. An answer that was not read to its end keeps its connection: close it.
    """
    data = bytearray()
    while len(data) <= most:
        piece = response.read(min(PIECE, most + 1 - len(data)), decode_content=True)
        if not piece:
            return bytes(data), True
        data += piece
        got()
    return bytes(data[:most]), False
