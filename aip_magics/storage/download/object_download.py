"""Download of objects as files: parallel ranges into a temporary file, verified, then renamed."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import urllib.parse
import uuid
from collections.abc import Iterable
from pathlib import Path

from aip_magics.crc32c import combine_crc32c, encode_crc32c
from aip_magics.data_directory import free_space_fix, is_disk_full
from aip_magics.errors import Interrupted, StorageError
from aip_magics.i18n import gettext as _
from aip_magics.retry import RetryableError
from aip_magics.storage import url_paths
from aip_magics.storage.gs_uri import name_fix
from aip_magics.storage.http.client import StorageClient, StorageRequestError
from aip_magics.storage.object_api import RemoteObject, get_object
from aip_magics.storage.progress import OnProgress
from aip_magics.storage.thread_pool import Task
from aip_magics.storage.transfer_runner import TransferRunner

RANGE_BYTES = 8 << 20  # of a large object in one request


def download_object(client: StorageClient, uri: str, path: Path) -> None:
    """Download the object `gs://BUCKET/NAME` to `path`, which appears only when it is complete.

    StorageError if the object does not exist, was replaced meanwhile or corrupted in transit.
    """
    bucket, remote = existing_object(client, uri)
    download_objects(client, [(bucket, remote, path)])


def existing_object(client: StorageClient, uri: str) -> tuple[str, RemoteObject]:
    """Bucket and object of `gs://BUCKET/NAME`. StorageError if it does not exist."""
    bucket, _sep, name = uri.removeprefix("gs://").partition("/")
    remote = get_object(client, bucket, name)
    if remote is None:
        raise StorageError(_("object not found"), where=uri, fix=name_fix())
    return bucket, remote


def download_objects(
    client: StorageClient,
    jobs: Iterable[tuple[str, RemoteObject, Path]],
    progress: OnProgress | None = None,
    cancel: threading.Event | None = None,
) -> None:
    """Download (bucket, object by its full name, file), several at a time. Raises as `download_directory` does."""
    jobs = sorted(jobs, key=lambda job: job[1].size, reverse=True)
    if not jobs:
        return
    total = sum(remote.size for _bucket, remote, _file in jobs)
    runner = TransferRunner(client, total, len(jobs), progress, cancel, _stopped)
    downloads: list[_ObjectDownload] = []

    def start(bucket: str, remote: RemoteObject, path: Path) -> None:
        download = _ObjectDownload(runner, bucket, remote, path)
        downloads.append(download)
        if runner.thread_pool.stopping.is_set():  # the loop below may have ended
            return download.discard()
        tasks = download.tasks()
        return tasks[0]() if len(tasks) == 1 else runner.thread_pool.add(tasks, first=True)

    try:
        runner.run(functools.partial(start, *job) for job in jobs)
    finally:
        for download in downloads:
            download.discard()


def _stopped() -> Interrupted:
    text = _("the download was stopped")
    return Interrupted(text, fix=_("run the command again to resume; complete files are skipped"))


class _ObjectDownload:
    """The download of one object into a temporary file beside its final path."""

    def __init__(self, runner: TransferRunner, bucket: str, remote: RemoteObject, path: Path) -> None:
        self._runner = runner
        self._remote = remote
        self._path = path
        self._uri = f"gs://{bucket}/{remote.name}"
        generation = {"alt": "media", "generation": remote.generation, "ifGenerationMatch": remote.generation}
        self._target = f"{url_paths.object_path(bucket, remote.name)}?{urllib.parse.urlencode(generation)}"
        self._lock = threading.Lock()
        self._crcs: dict[int, tuple[str, int]] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)  # the plan has checked that no parent is a symlink
            # A name of 255 bytes leaves no room for a suffix; no other program guesses this one, so "x" is enough.
            self._temporary = path.parent / f".{uuid.uuid4().hex}.part"
            with self._temporary.open("xb") as file:
                file.truncate(remote.size)
        except OSError as error:
            raise _write_error(path, error) from error

    def tasks(self) -> list[Task]:
        """One task for each range."""
        starts = range(0, max(1, self._remote.size), RANGE_BYTES)
        self._ranges_left = len(starts)
        return [
            functools.partial(self._download_range, start, min(RANGE_BYTES, self._remote.size - start))
            for start in starts
        ]

    def discard(self) -> None:
        """Delete the temporary file, if it still exists."""
        with contextlib.suppress(OSError):
            os.unlink(self._temporary)

    def _download_range(self, start: int, size: int) -> None:
        client, download = self._runner.client, _RangeDownload(self, start, size)
        try:
            client.retry(
                lambda: download.attempt(client, self._target, self._uri),
                where=self._uri,
                bytes_transferred=lambda: download.size,
            )
        except OSError as error:
            raise _write_error(self._path, error) from error
        finally:
            download.close()
        with self._lock:
            self._crcs[start] = (encode_crc32c(download.crc), size)
            self._ranges_left -= 1
            last = self._ranges_left == 0
        if last:
            self._finish()

    def _finish(self) -> None:
        if combine_crc32c(self._crcs[start] for start in sorted(self._crcs)) != self._remote.crc32c:
            raise StorageError(
                _("the content was corrupted in transit"), where=self._uri, fix=_("run the command again")
            )
        try:
            os.replace(self._temporary, self._path)
        except OSError as error:
            raise _write_error(self._path, error) from error
        self._runner.tracker.file_done()

    def on_bytes_received(self, count: int) -> None:
        """Count received bytes; TransferStopped after a stop."""
        self._runner.tracker.add_bytes(count, self._remote.name)
        self._runner.thread_pool.check_stopped()

    def open_at(self, start: int) -> int:
        """A file descriptor for writing from this byte on."""
        handle = os.open(self._temporary, os.O_WRONLY | getattr(os, "O_BINARY", 0))
        os.lseek(handle, start, os.SEEK_SET)
        return handle


class _RangeDownload:
    """The download of one range; an attempt continues where the one before was cut off."""

    def __init__(self, download: _ObjectDownload, start: int, expected: int) -> None:
        self._download = download
        self._start = start
        self._expected = expected
        self._handle = download.open_at(start)
        self.size = 0
        self.crc = 0

    def attempt(self, client: StorageClient, target: str, where: str) -> None:
        """Request the rest of the range."""
        if self.size == self._expected:
            return
        first, last = self._start + self.size, self._start + self._expected - 1
        try:
            client.download_once(target, self._write, where=where, headers={"Range": f"bytes={first}-{last}"})
        except StorageRequestError as refused:
            if refused.code == 404:
                refused.fix = _("run the command again; the object was replaced or deleted during the download")
            raise
        if self.size != self._expected:
            raise RetryableError(_("the response ended early"))

    def close(self) -> None:
        os.close(self._handle)

    def _write(self, data: bytes) -> None:
        import google_crc32c

        if self.size + len(data) > self._expected:
            raise RetryableError(_("the response is longer than the requested range"))
        left = memoryview(data)
        while left:
            left = left[os.write(self._handle, left) :]
        self.crc = google_crc32c.extend(self.crc, data)
        self.size += len(data)
        self._download.on_bytes_received(len(data))


def _write_error(path: Path, error: OSError) -> StorageError:
    reason = error.strerror or error
    fix = free_space_fix() if is_disk_full(error) else _("check the path and its permissions")
    return StorageError(_("could not write the file: {reason}", reason=reason), where=str(path), fix=fix)
