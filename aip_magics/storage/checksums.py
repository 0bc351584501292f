"""Checksums of files: CRC32C as Cloud Storage has it, and a content hash that allows server-side copies.

The content hash is BLAKE3 over the BLAKE3 values of the file's blocks of 8 MiB: unlike a plain hash it can be computed
from parts that are uploaded in parallel, and unlike CRC32C (32 bits) it proves that two contents are equal. SHA-256
would take as long as the rest of an upload.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import google_crc32c
from blake3 import blake3

from aip_magics.crc32c import combine_crc32c, encode_crc32c

BLOCK_BYTES = 8 << 20  # of a block of the content hash; a part of a multipart upload is a whole number of blocks
_READERS = min(4, os.cpu_count() or 1)  # threads that read one file
SLICE_BYTES = 256 << 10  # sent at a time; many threads also read and hash in slices of this size
_LONG_SLICE_BYTES = 1 << 20  # for the few threads that only read


@dataclasses.dataclass(frozen=True)
class Digest:
    """`crc32c` is base64, as in the API; `content_hash` is hexadecimal; `size` in bytes."""

    crc32c: str
    content_hash: str
    size: int


class Hasher:
    """Computes the digest of slices in order, from the start of a block on.

    `with_content_hash` False: CRC32C only.
    """

    def __init__(self, *, with_content_hash: bool = True) -> None:
        self._with_content_hash = with_content_hash
        self.crc = 0
        self.size = 0
        self._blocks: list[bytes] = []
        self._block = blake3()
        self._room = BLOCK_BYTES

    def update(self, data: bytes) -> None:
        self.crc = google_crc32c.extend(self.crc, data)
        self.size += len(data)
        if self._with_content_hash:
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
        """The BLAKE3 value of every block, the last of which may be short. Ends the hasher."""
        if self._room < BLOCK_BYTES:
            self._end_block()
        return self._blocks

    def digest(self) -> Digest:
        return Digest(self.crc32c, content_hash_of(self.blocks()), self.size)

    def _end_block(self) -> None:
        self._blocks.append(self._block.digest())
        self._block = blake3()
        self._room = BLOCK_BYTES


def content_hash_of(blocks: Iterable[bytes]) -> str:
    """The content hash of a file from the BLAKE3 values of its blocks."""
    return blake3(b"".join(blocks)).hexdigest()


def file_digest(path: Path, check: Callable[[], None] = lambda: None) -> Digest:
    """Read a file once, a large one with several threads. Raises OSError, and whatever `check` raises.

    `check` is called often. If the file changes meanwhile, the digest matches neither its old nor its new content.
    """
    size = os.stat(path).st_size

    def block(start: int) -> Hasher:
        hasher = Hasher()
        for data in read_slices(path, start, BLOCK_BYTES, _LONG_SLICE_BYTES):
            check()
            hasher.update(data)
        return hasher

    starts = range(0, size, BLOCK_BYTES)
    if len(starts) < 2:
        return block(0).digest()  # combining costs more than reading a small file
    from concurrent.futures import ThreadPoolExecutor  # most files are small

    with ThreadPoolExecutor(min(len(starts), _READERS), "digest") as threads:
        return _whole(list(threads.map(block, starts)))


def _whole(parts: list[Hasher]) -> Digest:
    """The digest of a file from the digests of its blocks."""
    crc32c = combine_crc32c((part.crc32c, part.size) for part in parts)
    return Digest(
        crc32c, content_hash_of(block for part in parts for block in part.blocks()), sum(p.size for p in parts)
    )


def file_crc32c(path: Path) -> str:
    """CRC32C of a file in base64. OSError if it cannot be read."""
    crc = 0
    for data in read_slices(path):
        crc = google_crc32c.extend(crc, data)
    return encode_crc32c(crc)


def read_slices(path: Path, start: int = 0, size: int | None = None, max_bytes: int = SLICE_BYTES) -> Iterator[bytes]:
    """Yield the bytes `start` to `start + size` of a file (default: its end), up to `max_bytes` at a time."""
    with path.open("rb", buffering=0) as file:
        file.seek(start)
        while size is None or size > 0:
            data = file.read(max_bytes if size is None else min(max_bytes, size))
            if not data:
                return
            yield data
            if size is not None:
                size -= len(data)
