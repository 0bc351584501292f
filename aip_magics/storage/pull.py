"""From gs:// to this machine: only what differs, in parallel ranges, checked; every file appears at once and whole."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import threading
import urllib.parse
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar

from aip_magics.crc32c import combine_crc32c, encode_crc32c
from aip_magics.errors import Interrupted, StorageError
from aip_magics.i18n import gettext as _
from aip_magics.storage import paths
from aip_magics.storage.crew import Task
from aip_magics.storage.digests import Digests
from aip_magics.storage.meter import OnProgress
from aip_magics.storage.names import GsUri
from aip_magics.storage.objects import Remote
from aip_magics.storage.pull_plan import plan_pull
from aip_magics.storage.retry import Again
from aip_magics.storage.store import Refused, Store
from aip_magics.storage.work import Work

RANGE = 8 << 20  # bytes that one request fetches of a big object


@dataclasses.dataclass(frozen=True)
class Fetched:
    """An object as a local file. `name` is relative to the source, `crc32c` base64, `size` in bytes.

    `kept`: the file was the same already, and no byte was moved.
    """

    panel_kind: ClassVar[str] = "object"

    name: str
    uri: str
    path: Path
    generation: int
    crc32c: str
    size: int
    kept: bool = False


def pull(
    store: Store,
    source: GsUri | str,
    directory: Path,
    *,
    progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
    digests: Digests | None = None,
) -> tuple[Fetched, ...]:
    """Make files below `directory` of all objects below `source`, or of the one object that it names.

    A file of the same size and CRC32C stays as it is. `progress` is called on this thread. StorageError where there is
    nothing, a name cannot be a file's, or an object was replaced or damaged on the way; Interrupted when `cancel` was
    set. Files that are not complete are not left behind.
    """
    planned = plan_pull(store, source, directory, digests)
    bucket, prefix = planned.source.bucket, planned.source.prefix
    jobs = [
        (bucket, dataclasses.replace(each.remote, name=prefix + each.remote.name), each.path)
        for each in planned.wanted
        if not each.kept
    ]
    fetch_all(store, jobs, progress, cancel)
    return tuple(
        Fetched(
            each.remote.name,
            f"gs://{bucket}/{prefix}{each.remote.name}",
            each.path,
            each.remote.generation,
            each.remote.crc32c,
            each.remote.size,
            each.kept,
        )
        for each in planned.wanted
    )


def fetch_all(
    store: Store,
    jobs: Iterable[tuple[str, Remote, Path]],
    progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
) -> None:
    """Download (bucket, object with its full name, file), several at a time. Errors as in `pull`."""
    jobs = sorted(jobs, key=lambda job: job[1].size, reverse=True)
    if not jobs:
        return
    work = Work(store, sum(remote.size for _bucket, remote, _file in jobs), len(jobs), progress, cancel, _stopped)
    files: list[_File] = []

    def start(bucket: str, remote: Remote, path: Path) -> None:
        file = _File(work, bucket, remote, path)
        files.append(file)
        if work.crew.stopping.is_set():  # nobody looks at `files` any more
            return file.discard()
        tasks = file.tasks()
        return tasks[0]() if len(tasks) == 1 else work.crew.add(tasks, first=True)

    try:
        work.run(functools.partial(start, *job) for job in jobs)
    finally:
        for file in files:
            file.discard()


def _stopped() -> Interrupted:
    text = _("the download was stopped")
    return Interrupted(text, fix=_("run the same again: what is complete is not fetched again"))


class _File:
    """One object on its way into a temporary file beside its place."""

    def __init__(self, work: Work, bucket: str, remote: Remote, path: Path) -> None:
        self._work = work
        self._remote = remote
        self._path = path
        self._uri = f"gs://{bucket}/{remote.name}"
        generation = {"alt": "media", "generation": remote.generation, "ifGenerationMatch": remote.generation}
        self._target = f"{paths.of_object(bucket, remote.name)}?{urllib.parse.urlencode(generation)}"
        self._lock = threading.Lock()
        self._crcs: dict[int, tuple[str, int]] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)  # none of them is a link: the plan has looked
            # A name of 255 bytes leaves no room for more; as no other program guesses it, "x" is enough.
            self._temporary = path.parent / f".{uuid.uuid4().hex}.part"
            with self._temporary.open("xb") as file:
                file.truncate(remote.size)
        except OSError as error:
            raise _unwritable(path, error) from error

    def tasks(self) -> list[Task]:
        starts = range(0, max(1, self._remote.size), RANGE)
        self._missing = len(starts)
        return [functools.partial(self._range, start, min(RANGE, self._remote.size - start)) for start in starts]

    def discard(self) -> None:
        with contextlib.suppress(OSError):
            os.unlink(self._temporary)

    def _range(self, start: int, size: int) -> None:
        work, got = self._work, _Got(self, start, size)
        try:
            work.store.persist(
                lambda: got.more(work.store, self._target, self._uri), where=self._uri, gained=lambda: got.size
            )
        except OSError as error:
            raise _unwritable(self._path, error) from error
        finally:
            got.close()
        with self._lock:
            self._crcs[start] = (encode_crc32c(got.crc), size)
            self._missing -= 1
            last = self._missing == 0
        if last:
            self._finish()

    def _finish(self) -> None:
        if combine_crc32c(self._crcs[start] for start in sorted(self._crcs)) != self._remote.crc32c:
            raise StorageError(_("the bytes were damaged on the way"), where=self._uri, fix=_("run it again"))
        try:
            os.replace(self._temporary, self._path)
        except OSError as error:
            raise _unwritable(self._path, error) from error
        self._work.meter.file_done()

    def moved(self, count: int) -> None:
        self._work.meter.add(count, self._remote.name)
        self._work.crew.check()

    def open(self, start: int) -> int:
        handle = os.open(self._temporary, os.O_WRONLY | getattr(os, "O_BINARY", 0))
        os.lseek(handle, start, os.SEEK_SET)
        return handle


class _Got:
    """A range, as far as it has arrived: a try that breaks off is gone on with, not begun again."""

    def __init__(self, file: _File, start: int, wanted: int) -> None:
        self._file = file
        self._start = start
        self._wanted = wanted
        self._handle = file.open(start)
        self.size = 0
        self.crc = 0

    def more(self, store: Store, target: str, where: str) -> None:
        if self.size == self._wanted:
            return
        first, last = self._start + self.size, self._start + self._wanted - 1
        try:
            store.fetch(target, self._take, where=where, headers={"Range": f"bytes={first}-{last}"})
        except Refused as refused:
            if refused.code == 404:
                refused.fix = _("somebody replaced or deleted it meanwhile; run it again")
            raise
        if self.size != self._wanted:
            raise Again(_("the answer ended early"))

    def close(self) -> None:
        os.close(self._handle)

    def _take(self, data: bytes) -> None:
        import google_crc32c

        if self.size + len(data) > self._wanted:
            raise Again(_("the answer was longer than asked for"))
        left = memoryview(data)
        while left:
            left = left[os.write(self._handle, left) :]
        self.crc = google_crc32c.extend(self.crc, data)
        self.size += len(data)
        self._file.moved(len(data))


def _unwritable(path: Path, error: OSError) -> StorageError:
    return StorageError(_("the file cannot be written ({why})", why=error.strerror or error), where=str(path))
