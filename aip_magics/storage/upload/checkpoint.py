"""Checkpoint of an upload: sessions and uploaded parts on disk, from which the next run resumes after a kill.

One file of JSON lines for each run, `DESTINATION-RUN.jsonl`, readable by its owner only (the URL of a session grants
write access), with a lock file that a living run holds. The next run to the same destination takes over what dead runs
left.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import threading
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aip_magics.storage.checksums import Digest

if TYPE_CHECKING:
    import filelock


@dataclasses.dataclass(frozen=True)
class UploadedPart:
    """A part on the server: ETag, CRC32C, size in bytes and the BLAKE3 values (hexadecimal) of its blocks."""

    etag: str
    crc32c: str
    size: int
    blocks: tuple[str, ...]


@dataclasses.dataclass
class PendingObject:
    """An object whose upload is not complete. `file` identifies the local file (see `file_identity`).

    `session` is the URL of a resumable session for the content `digest`; `upload` the id of a multipart upload, empty
    from its request until its response. With neither there is nothing to resume.
    """

    name: str
    file: list[Any]
    session: str = ""
    digest: Digest | None = None
    upload: str = ""
    part_size: int = 0
    parts: dict[int, UploadedPart] = dataclasses.field(default_factory=dict)

    def can_resume(self, path: Path) -> bool:
        """Whether there is something to resume and the file is unchanged."""
        try:
            return bool(self.session or self.upload) and self.file == file_identity(path, os.stat(path))
        except OSError:
            return False


class UploadCheckpoint:
    """The checkpoint of one run, a context manager. `directory` None, or one that cannot be written to: no file.

    Attributes, all by name relative to the destination:
        recovered: What dead runs left.
        active_elsewhere: Ids of the multipart uploads of living runs.
        pending: What this run has in progress.

    The file is deleted at the end unless `preserve` was called.
    """

    def __init__(self, directory: Path | None, destination: str) -> None:
        self._directory = directory
        self._prefix = hashlib.sha256(destination.encode()).hexdigest()[:24]
        self._path = directory / f"{self._prefix}-{uuid.uuid4().hex[:12]}.jsonl" if directory else None
        self._lock = threading.Lock()
        self._file_lock: filelock.BaseFileLock | None = None
        self._handle: int | None = None
        self._preserved = False
        self._closed = False
        self._failed = False
        self.recovered: dict[str, PendingObject] = {}
        self.active_elsewhere: set[str] = set()
        self.pending: dict[str, PendingObject] = {}

    def __enter__(self) -> UploadCheckpoint:
        for path in sorted(self._directory.glob(f"{self._prefix}-*.jsonl")) if self._directory else ():
            self._take_over(path)
        return self

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._closed = True
            if self._path is None or self._handle is None or self._file_lock is None:
                return
            os.close(self._handle)
            if not self._preserved:
                self._path.unlink(missing_ok=True)
            _release(self._file_lock)

    def preserve(self) -> None:
        """Keep the file for the next run: this one ends unfinished."""
        self._preserved = True

    def record_session(self, name: str, file: list[Any], url: str, digest: Digest) -> None:
        """Record a resumable session."""
        self._write({"name": name, "file": file, "session": url, "digest": dataclasses.asdict(digest)})

    def record_multipart(self, name: str, file: list[Any], upload: str, part_size: int) -> None:
        """Record a multipart upload before its request (`upload` empty), then its id."""
        self._write({"name": name, "file": file, "upload": upload, "part_size": part_size})

    def record_part(self, name: str, number: int, part: UploadedPart) -> None:
        """Record an uploaded part."""
        self._write({"name": name, "part": number, **dataclasses.asdict(part)})

    def forget(self, name: str) -> None:
        """Record that there is nothing to resume for this object."""
        self._write({"name": name, "done": True})

    def _write(self, line: dict[str, Any]) -> None:
        with self._lock:
            if self._closed:  # called by a thread that outlived its run
                return
            _apply(self.pending, line)
            if self._path is None or self._failed:
                return
            try:
                self._append(self._path, line)
            except OSError:  # a full or read-only disk loses the checkpoint but must not fail the upload
                self._failed = True

    def _append(self, path: Path, line: dict[str, Any]) -> None:
        if self._handle is None:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file_lock = _lock_of(path)
            self._file_lock.acquire(timeout=0)
            self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        os.write(self._handle, f"{json.dumps(line)}\n".encode())

    def _take_over(self, path: Path) -> None:
        """Copy the checkpoint of a dead run into this one; of a living run learn only which uploads it has."""
        import filelock

        file_lock = _lock_of(path)
        try:
            file_lock.acquire(timeout=0)
        except filelock.Timeout:
            self.active_elsewhere |= {pending.upload for pending in _read(path).values() if pending.upload}
            return
        except OSError:  # as in `_write`
            return
        try:
            for pending in _read(path).values():
                self.recovered[pending.name] = pending
                self._copy(pending)
            path.unlink(missing_ok=True)
        finally:
            _release(file_lock)

    def _copy(self, pending: PendingObject) -> None:
        if pending.session and pending.digest:
            return self.record_session(pending.name, pending.file, pending.session, pending.digest)
        self.record_multipart(pending.name, pending.file, pending.upload, pending.part_size)
        for number, part in pending.parts.items():
            self.record_part(pending.name, number, part)
        return None


def file_identity(path: Path, status: os.stat_result) -> list[Any]:
    """Path, size, modification time and inode: equal as long as the file is unchanged."""
    return [str(path.absolute()), status.st_size, status.st_mtime_ns, status.st_ino]


def _lock_of(path: Path) -> filelock.BaseFileLock:
    import filelock  # most uploads record nothing

    return filelock.FileLock(path.with_suffix(".lock"), thread_local=False)


def _release(file_lock: filelock.BaseFileLock) -> None:
    file_lock.release()
    Path(file_lock.lock_file).unlink(missing_ok=True)


def _read(path: Path) -> dict[str, PendingObject]:
    pending: dict[str, PendingObject] = {}
    try:
        lines = path.read_bytes().split(b"\n")[:-1]  # a kill may have truncated the last line
    except OSError:
        return pending
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            _apply(pending, json.loads(line))
    return pending


def _apply(pending: dict[str, PendingObject], line: dict[str, Any]) -> None:
    """Apply one line of a checkpoint file."""
    name = line["name"]
    if line.get("done"):
        pending.pop(name, None)
    elif "part" in line:
        part = UploadedPart(line["etag"], line["crc32c"], line["size"], tuple(line["blocks"]))
        pending[name].parts[int(line["part"])] = part
    elif "session" in line:
        pending[name] = PendingObject(name, line["file"], session=line["session"], digest=Digest(**line["digest"]))
    else:
        pending[name] = PendingObject(name, line["file"], upload=line["upload"], part_size=int(line["part_size"]))
