"""What a killed upload leaves behind for the next one: its sessions and the parts that arrived, on disk.

One file of JSON lines for each run, `DESTINATION-RUN.jsonl`, for its owner only (a session's URL lets anybody write),
with a lock beside it that a living run holds. The next run to the same destination takes over what dead runs left.
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
class Part:
    """A part that arrived: its ETag, CRC32C, size in bytes and the BLAKE3 values (hexadecimal) of its blocks."""

    etag: str
    crc32c: str
    size: int
    blocks: tuple[str, ...]


@dataclasses.dataclass
class Entry:
    """An object on its way. `file` says which file it is made of (see `file_key`).

    `session` is the URL of a resumable session of content `digest`; `upload` the id of a multipart upload, empty as
    long as it was asked for and not heard of. Neither: nothing to take over.
    """

    name: str
    file: list[Any]
    session: str = ""
    digest: Digest | None = None
    upload: str = ""
    part_size: int = 0
    parts: dict[int, Part] = dataclasses.field(default_factory=dict)

    def continues(self, path: Path) -> bool:
        """Whether there is something to go on with, and the file is still the one it was."""
        try:
            return bool(self.session or self.upload) and self.file == file_key(path, os.stat(path))
        except OSError:
            return False


class Journal:
    """The journal of one run. `folder` None: nothing is written. A context manager.

    `found` is what dead runs left, `foreign` the ids of multipart uploads of living ones, `open` what this run has
    under way; all by name relative to the destination. At the end the file goes, unless `keep` was called.
    """

    def __init__(self, folder: Path | None, destination: str) -> None:
        self._folder = folder
        self._prefix = hashlib.sha256(destination.encode()).hexdigest()[:24]
        self._path = folder / f"{self._prefix}-{uuid.uuid4().hex[:12]}.jsonl" if folder else None
        self._lock = threading.Lock()
        self._guard: filelock.BaseFileLock | None = None
        self._handle: int | None = None
        self._kept = False
        self._closed = False
        self.found: dict[str, Entry] = {}
        self.foreign: set[str] = set()
        self.open: dict[str, Entry] = {}

    def __enter__(self) -> Journal:
        for path in sorted(self._folder.glob(f"{self._prefix}-*.jsonl")) if self._folder else ():
            self._take_over(path)
        return self

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._closed = True
            if self._path is None or self._handle is None or self._guard is None:
                return
            os.close(self._handle)
            if not self._kept:
                self._path.unlink(missing_ok=True)
            _release(self._guard)

    def keep(self) -> None:
        """The run ends unfinished: leave the journal to the next one."""
        self._kept = True

    def session(self, name: str, file: list[Any], url: str, digest: Digest) -> None:
        self._write({"name": name, "file": file, "session": url, "digest": dataclasses.asdict(digest)})

    def multipart(self, name: str, file: list[Any], upload: str, part_size: int) -> None:
        """An upload that is being asked for (`upload` empty), then its id."""
        self._write({"name": name, "file": file, "upload": upload, "part_size": part_size})

    def part(self, name: str, number: int, part: Part) -> None:
        self._write({"name": name, "part": number, **dataclasses.asdict(part)})

    def forget(self, name: str) -> None:
        """Nothing of this object is left to be taken over."""
        self._write({"name": name, "done": True})

    def _write(self, line: dict[str, Any]) -> None:
        with self._lock:
            if self._closed:  # a thread that outlived its run
                return
            _apply(self.open, line)
            if self._path is None:
                return
            if self._handle is None:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._guard = _guard(self._path)
                self._guard.acquire(timeout=0)
                self._handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            os.write(self._handle, f"{json.dumps(line)}\n".encode())

    def _take_over(self, path: Path) -> None:
        """Copy what a run left into our own journal; of one that lives only learn what is its own."""
        import filelock

        guard = _guard(path)
        try:
            guard.acquire(timeout=0)
        except filelock.Timeout:
            self.foreign |= {entry.upload for entry in _read(path).values() if entry.upload}
            return
        try:
            for entry in _read(path).values():
                self.found[entry.name] = entry
                self._copy(entry)
            path.unlink(missing_ok=True)
        finally:
            _release(guard)

    def _copy(self, entry: Entry) -> None:
        if entry.session and entry.digest:
            return self.session(entry.name, entry.file, entry.session, entry.digest)
        self.multipart(entry.name, entry.file, entry.upload, entry.part_size)
        for number, part in entry.parts.items():
            self.part(entry.name, number, part)
        return None


def file_key(path: Path, status: os.stat_result) -> list[Any]:
    """What tells that a file is the one it was: path, size, time, inode."""
    return [str(path.absolute()), status.st_size, status.st_mtime_ns, status.st_ino]


def _guard(path: Path) -> filelock.BaseFileLock:
    import filelock  # most uploads have nothing to write down

    return filelock.FileLock(path.with_suffix(".lock"), thread_local=False)


def _release(guard: filelock.BaseFileLock) -> None:
    guard.release()
    Path(guard.lock_file).unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    try:
        lines = path.read_bytes().split(b"\n")[:-1]  # a kill may have cut the last one off
    except OSError:
        return entries
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            _apply(entries, json.loads(line))
    return entries


def _apply(entries: dict[str, Entry], line: dict[str, Any]) -> None:
    """What a line says, done to the entries."""
    name = line["name"]
    if line.get("done"):
        entries.pop(name, None)
    elif "part" in line:
        part = Part(line["etag"], line["crc32c"], line["size"], tuple(line["blocks"]))
        entries[name].parts[int(line["part"])] = part
    elif "session" in line:
        entries[name] = Entry(name, line["file"], session=line["session"], digest=Digest(**line["digest"]))
    else:
        entries[name] = Entry(name, line["file"], upload=line["upload"], part_size=int(line["part_size"]))
