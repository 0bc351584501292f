"""HTTP responses with bounds on size and time, so that no server can exhaust the memory of this process.

`http.client` bounds the lines of a head and the number of headers. Neither `http.client` nor urllib3 bounds the heads
of chunks, the trailers, the number of `100 Continue` responses, or the time that a response takes. The reader below
does, below both libraries; a caller has to bound the content only, with `content`.
"""

from __future__ import annotations

import http.client
import io
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import urllib3

HEAD_BYTES = 256 << 10  # limit for the head of a response and everything before the head
LINE_BYTES = 4 << 10  # limit for the head of a chunk, or a trailer
LINES_BYTES = 4 << 20  # limit for all of these lines in one response
PIECE = 64 << 10  # bytes read at a time; decompressed, they may become a thousand times as many


class EndlessResponse(http.client.HTTPException):
    """A response exceeds a limit; the text names the part that does."""


class BoundedResponse(http.client.HTTPResponse):
    """An `HTTPResponse` that reads through a reader with bounds.

    `patience` is the time for a whole response as a multiple of the timeout of the socket; None bounds the head only.
    """

    patience: ClassVar[float | None] = None

    def __init__(self, sock: Any, *arguments: Any, **options: Any) -> None:
        super().__init__(sock, *arguments, **options)
        self._bounded = self.fp = _Reader(self.fp.detach())
        self._seconds = sock.gettimeout()

    def begin(self) -> None:
        reader = self._bounded
        if self._seconds is not None:
            reader.set_deadline(2 * self._seconds)
        reader.set_limit(HEAD_BYTES, "response head")
        super().begin()
        reader.set_limit(None, "")
        reader.set_deadline(None if self._seconds is None or self.patience is None else self.patience * self._seconds)


class WholeResponse(BoundedResponse):
    """A response whose content has to arrive in time, too: that of an API call, which is small."""

    patience = 2.0


class _Raw(io.RawIOBase):
    """Bytes of a socket, up to a deadline and a number of bytes."""

    def __init__(self, inner: io.RawIOBase) -> None:
        self._inner = inner
        self.deadline = float("inf")
        self.remaining = float("inf")
        self.part = ""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if time.monotonic() > self.deadline:
            raise EndlessResponse("response time exceeded")
        count = self._inner.readinto(buffer)
        self.remaining -= count or 0
        if self.remaining < 0:
            raise EndlessResponse(self.part)
        return int(count) if count is not None else None

    def close(self) -> None:
        self._inner.close()
        super().close()

    def fileno(self) -> int:
        return self._inner.fileno()


class _Reader(io.BufferedReader):
    """A buffered reader that bounds each line and all lines together."""

    def __init__(self, inner: Any) -> None:
        self._source = _Raw(inner)
        self._lines = 0
        super().__init__(self._source)

    def set_deadline(self, seconds: float | None) -> None:
        self._source.deadline = float("inf") if seconds is None else time.monotonic() + seconds

    def set_limit(self, size: int | None, part: str) -> None:
        # Content in the buffer does not count; it is smaller than the buffer.
        self._source.remaining = float("inf") if size is None else size + io.DEFAULT_BUFFER_SIZE
        self._source.part = part

    def readline(self, size: int | None = -1, /) -> bytes:
        # http.client requests one byte more than it accepts, urllib3 sets no limit.
        requested = size if size is not None and size >= 0 else LINE_BYTES + 1
        line = super().readline(requested)
        if self._source.part:
            return line  # the limit for the whole head applies
        self._lines += len(line)
        if len(line) > LINE_BYTES or self._lines > LINES_BYTES:
            raise EndlessResponse("chunk heads and trailers")
        return line


def content(
    response: urllib3.BaseHTTPResponse, max_bytes: int, on_piece: Callable[[], None] = lambda: None
) -> tuple[bytes, bool]:
    """Read and decompress the content of a response, up to a number of bytes.

    A response that was not read to its end keeps its connection: close it.

    Args:
        response: A response whose content has not been read yet.
        max_bytes: The maximum number of bytes to return.
        on_piece: Called after each piece.

    Returns:
        The content, and whether that is all of it.
    """
    data = bytearray()
    while len(data) <= max_bytes:
        piece = response.read(min(PIECE, max_bytes + 1 - len(data)), decode_content=True)
        if not piece:
            return bytes(data), True
        data += piece
        on_piece()
    return bytes(data[:max_bytes]), False
