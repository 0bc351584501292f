"""What is computed over a file's bytes: CRC32C as Cloud Storage writes it, and a strong hash for copies.

The strong hash is BLAKE3 over the BLAKE3 values of the file's blocks of 8 MiB: unlike a plain one it can be computed of
parts that are sent in parallel, and unlike CRC32C (32 bits) it says that two contents are the same. SHA-256 would take
as long as all else that an upload does.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import google_crc32c
from blake3 import blake3

from aip_magics.crc32c import combine_crc32c, encode_crc32c

BLOCK = 8 << 20  # bytes of a block of the strong hash; a part of an upload is a whole number of them
_READERS = min(4, os.cpu_count() or 1)  # threads that read one file
SLICE = 256 << 10  # bytes that are sent at a time, and by many threads also read and hashed
_LONG_SLICE = 1 << 20  # bytes that the few threads which only read take at a time


@dataclasses.dataclass(frozen=True)
class Digest:
    """`crc32c` base64 as the API writes it, `strong` the strong hash in hexadecimal, `size` in bytes."""

    crc32c: str
    strong: str
    size: int


class Hasher:
    """Digests of bytes that come one slice after the other, beginning at a block's start.

    Without `strong` only CRC32C.
    """

    def __init__(self, *, strong: bool = True) -> None:
        self._strong = strong
        self.crc = 0
        self.size = 0
        self._blocks: list[bytes] = []
        self._block = blake3()
        self._room = BLOCK

    def update(self, data: bytes) -> None:
        self.crc = google_crc32c.extend(self.crc, data)
        self.size += len(data)
        if self._strong:
            self._add_to_blocks(memoryview(data))

    def _add_to_blocks(self, left: memoryview) -> None:
        while len(left) >= self._room:
            self._block.update(left[: self._room])
            left = left[self._room :]
            self._end_block()
        if left:
            self._block.update(left)
            self._room -= len(left)

    @property
    def crc32c(self) -> str:
        return encode_crc32c(self.crc)

    def blocks(self) -> list[bytes]:
        """The BLAKE3 value of every block, the last one maybe short. Nothing may be added afterwards."""
        if self._room < BLOCK:
            self._end_block()
        return self._blocks

    def digest(self) -> Digest:
        return Digest(self.crc32c, strong_hash(self.blocks()), self.size)

    def _end_block(self) -> None:
        self._blocks.append(self._block.digest())
        self._block = blake3()
        self._room = BLOCK


def strong_hash(blocks: Iterable[bytes]) -> str:
    """The strong hash of a file from the BLAKE3 values of its blocks."""
    return blake3(b"".join(blocks)).hexdigest()


def file_digest(path: Path, check: Callable[[], None] = lambda: None) -> Digest:
    """Read a file once, a big one by several threads. OSError where it cannot be read, and what `check` raises.

    `check` is called often. A file that changes meanwhile gives a digest of another size, or of no content it had.
    """
    size = os.stat(path).st_size

    def block(start: int) -> Hasher:
        hasher = Hasher()
        for data in slices(path, start, BLOCK, _LONG_SLICE):
            check()
            hasher.update(data)
        return hasher

    starts = range(0, size, BLOCK)
    if len(starts) < 2:
        return block(0).digest()  # to combine costs more than to read a small file
    from concurrent.futures import ThreadPoolExecutor  # most files are small

    with ThreadPoolExecutor(min(len(starts), _READERS), "digest") as threads:
        return _whole(list(threads.map(block, starts)))


def _whole(parts: list[Hasher]) -> Digest:
    """The digest of a file from those of its blocks."""
    crc32c = combine_crc32c((part.crc32c, part.size) for part in parts)
    return Digest(crc32c, strong_hash(block for part in parts for block in part.blocks()), sum(p.size for p in parts))


def file_crc32c(path: Path) -> str:
    """CRC32C of a file, base64. OSError where it cannot be read."""
    crc = 0
    for data in slices(path):
        crc = google_crc32c.extend(crc, data)
    return encode_crc32c(crc)


def slices(path: Path, start: int = 0, size: int | None = None, most: int = SLICE) -> Iterator[bytes]:
    """The bytes `start` to `start + size` of a file (to its end), up to `most` at a time. Ends where the file does."""
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        while size is None or size > 0:
            data = file.read(most if size is None else min(most, size))
            if not data:
                return
            yield data
            if size is not None:
                size -= len(data)
