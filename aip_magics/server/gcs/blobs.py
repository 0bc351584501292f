"""Blob files: opaque names, written once, never changed.

`blobs/ab/<id>` are contents that database rows refer to, `incoming/<id>` are contents that are still being received. A
file moves to `blobs/` by a rename and counts only once its row is committed: a file that a killed process leaves behind
is an orphan and is removed at the next start.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import io
import os
import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from aip_magics.data_directory import check_reserve
from aip_magics.server.gcs.object_checksums import ChecksumHasher

BLOCK = 1 << 20  # bytes to read, hash and write at a time


@dataclasses.dataclass(frozen=True)
class Blob:
    """A finished blob file. `size` is in bytes, checksums are base64; `md5` is None when it was not computed."""

    id: str
    size: int
    crc32c: str
    md5: str | None


class Blobs:
    """The two directories under `root`. All methods are thread-safe."""

    def __init__(self, root: Path) -> None:
        self._blobs = root / "blobs"
        self._incoming = root / "incoming"
        for directory in (root, self._blobs, self._incoming):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, blob: str) -> Path:
        """Return the path of a finished blob."""
        return self._blobs / blob[:2] / blob

    def incoming(self, file: str) -> Path:
        """Return the path of a file that is still being received."""
        return self._incoming / file

    def publish(self, file: str) -> str:
        """Move a complete incoming file to the blobs, read-only; return the id of the blob."""
        source, target = self.incoming(file), self.path(file)
        try:
            os.rename(source, target)
        except FileNotFoundError:
            target.parent.mkdir(mode=0o700, exist_ok=True)
            os.rename(source, target)
        if os.name == "posix":
            target.chmod(0o400)  # models are hard links to blobs: a blob must not be changed in place by mistake
        return file

    def withdraw(self, blob: str) -> None:
        """Undo `publish` of a blob that no row refers to: the file is an incoming one again."""
        if os.name == "posix":
            self.path(blob).chmod(0o600)
        os.rename(self.path(blob), self.incoming(blob))

    def remove(self, blobs: Iterable[str]) -> None:
        """Delete blobs that no row refers to."""
        for blob in blobs:
            _unlink(self.path(blob))

    def discard(self, files: Iterable[str]) -> None:
        """Delete incoming files."""
        for file in files:
            _unlink(self.incoming(file))

    def concatenate(self, sources: Iterable[Path]) -> tuple[str, int]:
        """Concatenate files into a new incoming file; return its name and size in bytes."""
        file, expected = new_id(), 0
        try:
            with os.fdopen(_create(self.incoming(file)), "wb", buffering=0) as target:
                for source in sources:
                    size = source.stat().st_size
                    append_range(target, source, 0, size)
                    expected += size
                return file, expected
        except BaseException:
            self.discard([file])
            raise

    def sweep(self, blobs: Mapping[str, int], incoming: Collection[str]) -> set[str]:
        """Remove files that are unlisted or truncated; return those of `blobs` (id → size) that are not complete.

        A file of `incoming` that a killed process had moved to the blobs, without its row, is moved back.
        """
        complete: set[str] = set()
        for entry in _files(self._blobs):
            if entry.name in blobs and entry.stat().st_size == blobs[entry.name]:
                complete.add(entry.name)
            elif entry.name in incoming:
                self.withdraw(entry.name)
            else:
                _unlink(Path(entry.path))
        for entry in os.scandir(self._incoming):
            if entry.name not in incoming:
                _unlink(Path(entry.path))
        return set(blobs) - complete


class BlobWriter:
    """Writes received content to an incoming file and computes its checksums along the way."""

    def __init__(self, blobs: Blobs, file: str | None = None, *, md5: bool = True) -> None:
        self.file = file or new_id()
        self.size = 0
        self._blobs = blobs
        self._digest = ChecksumHasher(md5=md5)
        self._handle: BinaryIO | None = None
        self._exists = False  # whether the file was created

    @classmethod
    def resume(cls, blobs: Blobs, file: str) -> BlobWriter:
        """Resume a file of an earlier process: its content is read once for the checksums."""
        writer = cls(blobs, file)
        path = blobs.incoming(file)
        if path.exists():
            writer._exists = True
            with path.open("rb") as handle:
                while block := handle.read(BLOCK):
                    writer._digest.update(block)
                    writer.size += len(block)
        return writer

    def write(self, blocks: Iterable[bytes]) -> None:
        """Append blocks. After the return the operating system has the bytes: they survive a kill of this process.

        OSError (ENOSPC) when the reserve would be used; the writer can be used again once there is space.
        """
        data = b"".join(blocks)  # few large calls: after each of them the thread waits for the GIL
        if data:  # small ones as well: many of them would use up the reserve
            check_reserve(self._blobs.incoming(self.file).parent, len(data))
        try:
            if self._handle is None:
                path = self._blobs.incoming(self.file)
                self._handle = path.open("ab") if self._exists else open_new(path)
                self._exists = True
            self._handle.write(data)
            self._handle.flush()
        except OSError:
            self._truncate()
            raise
        self._digest.update(data)
        self.size += len(data)

    def _truncate(self) -> None:
        """Remove what a failed write left behind the bytes that count: the next write must not append to it."""
        with contextlib.suppress(OSError):
            self.pause()
        self._handle = None
        if self._exists:
            with contextlib.suppress(OSError):
                os.truncate(self._blobs.incoming(self.file), self.size)

    def pause(self) -> None:
        """Close the file until the next `write`: an abandoned upload must not hold a file open."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None

    def finish(self) -> Blob:
        """Close the incoming file and return its size and checksums."""
        if not self._exists:
            self.write([])
        self.pause()
        return Blob(self.file, self.size, self._digest.crc32c, self._digest.md5)

    def discard(self) -> None:
        """Close and delete the file; no effect after the file was published."""
        with contextlib.suppress(OSError):
            self.pause()
        if self._exists:
            self._blobs.discard([self.file])


def new_id() -> str:
    """Return a random id for a file or an upload."""
    return secrets.token_hex(16)


def open_new(path: Path) -> BinaryIO:
    """Create a file for writing that only this user may read."""
    return os.fdopen(_create(path), "wb")


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)


def append_range(target: io.FileIO, source: Path, start: int, count: int) -> None:
    """Append `count` bytes of `source`, from byte `start`, to a file that is at its end; EOFError if there are fewer.

    After a failure the file has some of the bytes, always the first ones.
    """
    with source.open("rb", buffering=0) as part:
        part.seek(start)
        while count:
            copied = _copy_in_kernel(part.fileno(), target.fileno(), count) or _copy_block(part, target, count)
            if not copied:
                raise EOFError(f"the file {source.name} is truncated")
            count -= copied


def _copy_in_kernel(source: int, target: int, count: int) -> int:
    """Copy at most `count` bytes at the positions of the files; 0 at the end, and where the system cannot.

    Some file systems do not say that they cannot, but copy nothing.
    """
    copy = getattr(os, "copy_file_range", None)  # Linux: the bytes stay in the kernel, or are shared (btrfs, xfs)
    try:
        return copy(source, target, count) if copy is not None else 0
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF):
            raise
        return 0


def _copy_block(source: io.FileIO, target: io.FileIO, count: int) -> int:
    data = memoryview(source.read(min(count, BLOCK)))
    written = 0
    while written < len(data):
        written += target.write(data[written:])
    return written


def _files(directory: Path) -> Iterator[os.DirEntry[str]]:
    for entry in os.scandir(directory):
        if entry.is_dir():
            yield from os.scandir(entry.path)


def _unlink(path: Path) -> None:
    # On Windows an open file cannot be deleted: the file is then an orphan, removed at the next start.
    with contextlib.suppress(FileNotFoundError, PermissionError):
        path.unlink()
