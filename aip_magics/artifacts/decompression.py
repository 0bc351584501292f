"""The bytes of a model file in pieces, decompressed where joblib compressed them, within bounds.

A model file may be damaged or made to hurt (a small file that decompresses to terabytes): never more than `WINDOW`
bytes are produced from the start, one piece is in memory at a time.
"""

from __future__ import annotations

import bz2
import importlib
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal

from aip_magics.i18n import gettext as _

MB = 1024 * 1024
WINDOW = 64 * MB  # bytes looked at from the start, and from the end of a file that is not compressed
CHUNK = MB
OVERLAP = 512  # repeated at the start of the next piece, so that a short text on the seam is found
_LZMA_MEMORY = 72 * MB  # the dictionary of the highest preset needs 65 MiB; a header may ask for 4 GiB

Compression = Literal["zlib", "gzip", "bz2", "xz", "lzma", "lz4"]
_MAGIC: tuple[tuple[bytes, Compression], ...] = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x5d\x00\x00", "lzma"),
    (b"\x04\x22\x4d\x18", "lz4"),
)
# What the slow ones make in well under a second: bz2 some 30 MB/s, lzma 100, the others 300 and more.
_SLOW: dict[Compression, int] = {"bz2": 12 * MB, "xz": 32 * MB, "lzma": 32 * MB}


def compression_of(head: bytes) -> Compression | None:
    """The compression of a file by its first bytes, as joblib writes it; None for plain bytes."""
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    # zlib has no magic: method 8 in the low bits of the first byte, and both bytes are a multiple of 31.
    if len(head) > 1 and head[0] == 0x78 and (head[0] * 256 + head[1]) % 31 == 0:
        return "zlib"
    return None


def window(compression: Compression | None) -> int:
    """How many bytes are looked at from the start."""
    return min(WINDOW, _SLOW.get(compression, WINDOW)) if compression else WINDOW


class DecompressedChunks(Iterator[bytes]):
    """Iterator over the pieces; after the last one `unread` says what was left out and why, or is empty.

    `bounded`: it is only left out because it is more than is looked at, not because it is damaged. Each piece
    repeats the last `OVERLAP` bytes of the one before: `fresh` is how many at its end are new.
    """

    def __init__(self, path: Path, compression: Compression | None) -> None:
        self.unread = ""
        self.bounded = False
        self.fresh = 0
        self._pieces = self._overlapping(self._plain(path) if compression is None else self._packed(path, compression))

    def __next__(self) -> bytes:
        return next(self._pieces)

    def _overlapping(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        tail = b""
        for piece in pieces:
            self.fresh = len(piece)
            whole = tail + piece
            yield whole
            tail = whole[-OVERLAP:]

    def _plain(self, path: Path) -> Iterator[bytes]:
        size = path.stat().st_size
        with path.open("rb") as file:
            if size <= 2 * WINDOW:
                yield from iter(lambda: file.read(CHUNK), b"")
                return
            # Versions stand in the state of the first estimator or at the very end: the middle is arrays.
            self.unread = _("only the first and last {size} MiB were inspected", size=WINDOW // MB)
            yield from (file.read(CHUNK) for _unused in range(WINDOW // CHUNK))
            file.seek(size - WINDOW)
            yield from iter(lambda: file.read(CHUNK), b"")

    def _packed(self, path: Path, compression: Compression) -> Iterator[bytes]:
        with path.open("rb") as file:
            try:
                yield from self._decompressed(file, compression)
            except (zlib.error, OSError, EOFError, lzma.LZMAError, RuntimeError) as error:  # RuntimeError: lz4's
                self.unread = _("corrupted {compression} data: {error}", compression=compression, error=error)

    def _decompressed(self, file: BinaryIO, compression: Compression) -> Iterator[bytes]:
        unpack = _Unpacker(compression)
        made, most = 0, window(compression)
        while made < most:
            piece = unpack.piece(file)
            if not piece:
                self.unread = "" if unpack.finished else _("truncated {compression} data", compression=compression)
                return
            made += len(piece)
            yield piece
        if not unpack.finished:
            self.bounded = True
            self.unread = _("only the first {size} MiB of the decompressed data were inspected", size=most // MB)


def chunks(path: Path, compression: Compression | None) -> DecompressedChunks:
    """The bytes of a file in pieces of about 1 MiB."""
    return DecompressedChunks(path, compression)


class _Unpacker:
    """One face for the decompressors: `piece(file)` gives the next bytes, at most CHUNK, or none at the end."""

    def __init__(self, compression: Compression) -> None:
        self._zlib = compression in ("zlib", "gzip")
        self._stream: Any
        if self._zlib:
            self._stream = zlib.decompressobj(wbits=47)  # zlib or gzip, by the header
        elif compression == "bz2":
            self._stream = bz2.BZ2Decompressor()
        elif compression == "lz4":
            self._stream = importlib.import_module("lz4.frame").LZ4FrameDecompressor()
        else:
            self._stream = lzma.LZMADecompressor(memlimit=_LZMA_MEMORY)
        self._left = b""

    @property
    def finished(self) -> bool:
        return bool(self._stream.eof)

    def piece(self, file: BinaryIO) -> bytes:
        while not self._stream.eof:
            if self._zlib:
                source = self._left or file.read(CHUNK)
                out: bytes = self._stream.decompress(source, CHUNK)
                self._left = self._stream.unconsumed_tail
            else:
                source = file.read(CHUNK) if self._stream.needs_input else b""
                starved = self._stream.needs_input and not source
                if starved:
                    return b""
                out = self._stream.decompress(source, CHUNK)
                source = source or b"more"
            if out or not source:
                return out
        return b""
