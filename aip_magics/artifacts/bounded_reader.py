"""A pickle file as its reader needs it: read in small pieces, passed over in large ones, within bounds."""

from __future__ import annotations

import contextlib
import io
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from aip_magics.artifacts.decompression import DecompressedChunks, chunks, compression_of
from aip_magics.i18n import gettext as _

# Under a second, and under 100 MB for what one byte may make: a vocabulary of 300,000 words is within both.
OPCODE_BYTES = 8 * 1024 * 1024
READS = 3_000_000
_LINE_BYTES = 64 * 1024


def inspection_limit_message() -> str:
    """Return the message for a file that has more in it than is inspected."""
    return _("exceeds the inspection limit")


class InspectionLimitExceeded(pickle.UnpicklingError):
    """A pickle has more opcodes than are inspected."""

    def __init__(self) -> None:
        super().__init__(inspection_limit_message())


class _Source(Protocol):
    def read(self, size: int, /) -> bytes: ...
    def readline(self, size: int, /) -> bytes: ...
    def seek(self, offset: int, whence: int, /) -> object: ...


class BoundedReader:
    """A file of which only so much is read as opcodes; arrays are passed over without reading them.

    `position` is how far it has got, in bytes; `bounded` whether the source ends before the file does.
    """

    def __init__(self, source: _Source, bounded: Callable[[], bool] = lambda: False) -> None:
        self._source = source
        self._bounded = bounded
        self.position = 0
        self._left = OPCODE_BYTES
        self._reads = READS

    @property
    def bounded(self) -> bool:
        return self._bounded()

    def read(self, size: int) -> bytes:
        self.position += size
        self._left -= size
        self._reads -= 1
        if size < 0 or self._left < 0 or self._reads < 0:
            raise InspectionLimitExceeded
        return self._source.read(size)

    def readline(self) -> bytes:
        line = self._source.readline(_LINE_BYTES)
        if len(line) >= _LINE_BYTES and not line.endswith(b"\n"):
            raise pickle.UnpicklingError("a line that is longer than any that pickle writes")
        self.position += len(line)
        self._left -= len(line)
        self._reads -= 1  # the next `read` finds out
        return line

    def skip(self, size: int) -> None:
        """Pass over this many bytes. Over the end of the file too: the next `read` finds it."""
        if size < 0:
            raise pickle.UnpicklingError("a size below nothing")
        self.position += size
        self._source.seek(size, io.SEEK_CUR)

    def ends(self, size: int, kept: int) -> bytes:
        """The next `size` bytes; of more than twice `kept` only the first and the last, joined."""
        if size <= 2 * kept:
            return self._whole(size)
        head = self._whole(kept)
        self.skip(size - 2 * kept)
        return head + self._whole(kept)

    def _whole(self, size: int) -> bytes:
        data = self.read(size)
        if len(data) < size:
            raise EOFError
        return data


@contextlib.contextmanager
def open_bounded_reader(path: Path) -> Iterator[BoundedReader]:
    """The feed of a pickle file, decompressed where it is compressed. OSError where it cannot be read."""
    with path.open("rb") as file:
        compression = compression_of(file.read(64))
        file.seek(0)
        if compression is None:
            yield BoundedReader(file)
        else:
            pieces = chunks(path, compression)
            yield BoundedReader(Unpacked(pieces, lambda _unused: None), bounded=lambda: pieces.bounded)


class Unpacked:
    """Pieces of decompressed bytes as a file that goes forward only; `see` is shown each piece."""

    def __init__(self, pieces: DecompressedChunks, see: Callable[[bytes], None]) -> None:
        self._pieces = pieces
        self._see = see
        self._buffer = b""
        self._at = 0

    def read(self, size: int, /) -> bytes:
        found = self._buffer[self._at : self._at + size]
        self._at += len(found)
        while len(found) < size and self._next():
            more = self._buffer[: size - len(found)]
            self._at = len(more)
            found += more
        return found

    def readline(self, size: int, /) -> bytes:
        line = b""
        while len(line) < size and not line.endswith(b"\n"):
            if self._at >= len(self._buffer) and not self._next():
                break
            end = self._buffer.find(b"\n", self._at, self._at + size - len(line)) + 1
            line += self.read((end or min(self._at + size - len(line), len(self._buffer))) - self._at)
        return line

    def seek(self, offset: int, _whence: int, /) -> None:
        while offset > len(self._buffer) - self._at:
            offset -= len(self._buffer) - self._at
            if not self._next():
                return
        self._at += offset

    def drain(self) -> None:
        """Go through the rest, to show it."""
        while self._next():
            pass

    def _next(self) -> bool:
        piece = next(self._pieces, None)
        self._at = 0
        self._buffer = piece[len(piece) - self._pieces.fresh :] if piece else b""
        if piece:
            self._see(piece)
        return piece is not None
