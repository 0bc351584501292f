"""Blob files: opaque names, written once, never changed.

`blobs/ab/<id>` are contents that a row of the index names, `incoming/<id>` is what is still arriving. A file gets to
`blobs/` by a rename and counts only once its row is committed: whatever a kill leaves behind is an orphan, removed at
the next start.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import secrets
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from aip_magics.server.gcs.object_checksums import ChecksumHasher

BLOCK = 1 << 20  # bytes: how much is read, hashed and written at a time


@dataclasses.dataclass(frozen=True)
class Blob:
    """A finished blob file. `size` in bytes, checksums base64; `md5` None when it was not computed."""

    id: str
    size: int
    crc32c: str
    md5: str | None


class Blobs:
    """The two folders under `root`. All methods may be called from any thread."""

    def __init__(self, root: Path) -> None:
        self._blobs = root / "blobs"
        self._incoming = root / "incoming"
        for folder in (root, self._blobs, self._incoming):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, blob: str) -> Path:
        """Where a finished blob is."""
        return self._blobs / blob[:2] / blob

    def incoming(self, file: str) -> Path:
        """Where a file that is still arriving is."""
        return self._incoming / file

    def publish(self, file: str) -> str:
        """Move a complete incoming file among the blobs; returns the blob's id. The file is read-only from now on."""
        source, target = self.incoming(file), self.path(file)
        if os.name == "posix":
            source.chmod(0o400)  # models are hard-linked out of here: nobody may change a blob in place by mistake
        try:
            os.rename(source, target)
        except FileNotFoundError:
            target.parent.mkdir(mode=0o700, exist_ok=True)
            os.rename(source, target)
        return file

    def remove(self, blobs: Iterable[str]) -> None:
        """Delete blobs that no row names any more."""
        for blob in blobs:
            _unlink(self.path(blob))

    def discard(self, files: Iterable[str]) -> None:
        """Delete incoming files."""
        for file in files:
            _unlink(self.incoming(file))

    def concatenate(self, sources: Iterable[Path]) -> tuple[str, int]:
        """Copy files one after the other into a new incoming file; returns its name and size in bytes."""
        file, wanted = new_id(), 0
        try:
            with open_new(self.incoming(file)) as target:
                for source in sources:
                    with source.open("rb") as part:
                        wanted += os.fstat(part.fileno()).st_size
                        _append(part, target)
                if target.tell() != wanted:
                    raise OSError(errno.EIO, "the kernel copied less than it was asked to")
                return file, wanted
        except BaseException:
            self.discard([file])
            raise

    def sweep(self, blobs: Mapping[str, int], incoming: Collection[str]) -> set[str]:
        """Remove every file that is not named here or is cut short; returns the blobs (id → size) not there whole."""
        whole: set[str] = set()
        for entry in _files(self._blobs):
            if entry.name in blobs and entry.stat().st_size == blobs[entry.name]:
                whole.add(entry.name)
            else:
                _unlink(Path(entry.path))
        for entry in os.scandir(self._incoming):
            if entry.name not in incoming:
                _unlink(Path(entry.path))
        return set(blobs) - whole


class BlobWriter:
    """One content that is arriving: to an incoming file, with its checksums computed on the way."""

    def __init__(self, blobs: Blobs, file: str | None = None, *, md5: bool = True) -> None:
        self.file = file or new_id()
        self.size = 0
        self._blobs = blobs
        self._digest = ChecksumHasher(md5=md5)
        self._handle: BinaryIO | None = None
        self._made = False  # whether there is a file

    @classmethod
    def resume(cls, blobs: Blobs, file: str) -> BlobWriter:
        """Go on with a file that an earlier process left: what it holds is read once for the checksums."""
        writer = cls(blobs, file)
        path = blobs.incoming(file)
        if path.exists():
            writer._made = True
            with path.open("rb") as handle:
                while block := handle.read(BLOCK):
                    writer._digest.update(block)
                    writer.size += len(block)
        return writer

    def write(self, blocks: Iterable[bytes]) -> None:
        """Append; when it returns the bytes are the operating system's and survive a kill of this process."""
        if self._handle is None:
            path = self._blobs.incoming(self.file)
            self._handle = path.open("ab") if self._made else open_new(path)
            self._made = True
        data = b"".join(blocks)  # few big calls: after each of them a thread has to wait for its turn (GIL)
        self._handle.write(data)
        self._handle.flush()
        self._digest.update(data)
        self.size += len(data)

    def pause(self) -> None:
        """Close the file; the next `write` opens it again. An upload that is abandoned must not hold a file open."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None

    def finish(self) -> Blob:
        """Close the file (it stays among the incoming ones) and say what it holds."""
        if not self._made:
            self.write([])
        self.pause()
        return Blob(self.file, self.size, self._digest.crc32c, self._digest.md5)

    def discard(self) -> None:
        """Close and delete; nothing happens when the file was published."""
        with contextlib.suppress(OSError):
            self.pause()
        if self._made:
            self._blobs.discard([self.file])


def new_id() -> str:
    return secrets.token_hex(16)


def open_new(path: Path) -> BinaryIO:
    """A new file for writing that only this user may read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600), "wb")


def _append(source: BinaryIO, target: BinaryIO) -> None:
    copy = getattr(os, "copy_file_range", None)  # Linux: the bytes stay in the kernel, or are shared (btrfs, xfs)
    if copy is not None:
        target.flush()
        try:
            while copy(source.fileno(), target.fileno(), 1 << 30):
                pass
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF):
                raise
        else:
            target.seek(0, os.SEEK_END)
            return
    shutil.copyfileobj(source, target, BLOCK)


def _files(folder: Path) -> Iterator[os.DirEntry[str]]:
    for entry in os.scandir(folder):
        if entry.is_dir():
            yield from os.scandir(entry.path)


def _unlink(path: Path) -> None:
    # On Windows an open file cannot be deleted: it is an orphan then, and goes at the next start.
    with contextlib.suppress(FileNotFoundError, PermissionError):
        path.unlink()
