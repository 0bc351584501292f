"""Upload of one file to one object: what insert, resumable and multipart uploads share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from aip_magics.errors import StorageError
from aip_magics.i18n import gettext as _
from aip_magics.storage import url_paths
from aip_magics.storage.checksums import Digest
from aip_magics.storage.digest_cache import DigestCache
from aip_magics.storage.gs_uri import GsUri
from aip_magics.storage.http.client import StorageRequestError
from aip_magics.storage.object_api import CONTENT_HASH_KEY, RemoteObject, get_object
from aip_magics.storage.transfer_runner import TransferRunner
from aip_magics.storage.upload.checkpoint import UploadCheckpoint, file_identity
from aip_magics.storage.upload.file_body import CONTENT_TYPE, FileBody
from aip_magics.storage.upload.upload_plan import LocalFile, unreadable_file_error

T = TypeVar("T")

MAX_RESTARTS = 5  # of one object, each for a reason that another attempt can fix


class RestartUpload(Exception):
    """The upload of this object has to start again: its session is gone, or its bytes were corrupted in transit."""


class UploadContext:
    """What the tasks of one upload share."""

    def __init__(
        self, runner: TransferRunner, destination: GsUri, checkpoint: UploadCheckpoint, digests: DigestCache
    ) -> None:
        self.client = runner.client
        self.tracker = runner.tracker
        self.thread_pool = runner.thread_pool
        self.destination = destination
        self.checkpoint = checkpoint
        self.digests = digests


class ObjectUpload:
    """The upload of one file. `generation` is the current one of the object, 0 if it does not exist."""

    def __init__(self, context: UploadContext, file: LocalFile, generation: int) -> None:
        self.context = context
        self.client = context.client
        self.file = file
        self.bucket = context.destination.bucket
        self.name = context.destination.prefix + file.name
        self.where = f"gs://{self.bucket}/{self.name}"
        self.generation = generation
        self.restarts = 0
        self.status = _read(file.path, os.stat)
        self.identity = file_identity(file.path, self.status)
        if self.status.st_size != file.size:
            raise self.changed()

    def body(self, start: int, size: int, **options: Any) -> FileBody:
        """Bytes of the file as the body of one request, which stops with the transfer."""
        self.context.thread_pool.check_stopped()
        return FileBody(self.file.path, start, size, self.on_bytes_sent, self.changed, **options)

    def on_bytes_sent(self, count: int) -> None:
        """Count bytes sent on this thread's connection; TransferStopped after a stop."""
        self.add_progress(count)
        if count > 0:
            self.client.sockets.touch()
            self.context.thread_pool.check_stopped()

    def add_progress(self, count: int) -> None:
        """Count bytes of this file as transferred, or, with a negative `count`, as not transferred."""
        self.context.tracker.add_bytes(count, self.file.name)

    def digest(self) -> Digest:
        """The file's digest, cached or computed."""
        digest = _read(self.file.path, self.context.digests.get)
        if digest.size != self.file.size:
            raise self.changed()
        return digest

    def compute_digest(self) -> Digest:
        """The file's current digest, whether or not one is cached."""
        return _read(self.file.path, self.context.digests.compute)

    def cached_digest(self) -> Digest | None:
        """The file's digest if it is cached."""
        return _read(self.file.path, self.context.digests.get_cached)

    def read_content(self) -> bytes:
        """All bytes of the file."""
        content = _read(self.file.path, Path.read_bytes)
        if len(content) != self.file.size:
            raise self.changed()
        return content

    def metadata(self, digest: Digest) -> dict[str, Any]:
        """The Object resource to create; with its checksum the server refuses corrupted content."""
        return {
            "name": self.name,
            "contentType": CONTENT_TYPE,
            "crc32c": digest.crc32c,
            "metadata": {CONTENT_HASH_KEY: digest.content_hash},
        }

    def upload_path(self, upload_type: str) -> str:
        """URL path that starts an upload of this type, with the precondition on the generation."""
        path = url_paths.upload_path(self.bucket)
        return f"{path}?uploadType={upload_type}&ifGenerationMatch={self.generation}"

    def run_with_restarts(self, upload: Callable[[], RemoteObject]) -> RemoteObject:
        """Call `upload`, and again for every RestartUpload, at most MAX_RESTARTS times."""
        while True:
            try:
                return upload()
            except RestartUpload as reason:
                self.count_restart(str(reason))

    def count_restart(self, reason: str) -> None:
        """Count a restart; StorageError after too many, or if the file has changed."""
        self.restarts += 1
        if self.restarts > MAX_RESTARTS:
            text = _("upload failed after repeated attempts: {cause}", cause=reason)
            raise StorageError(text, where=self.where, fix=_("run the command again later to resume"))
        self.check_unchanged()

    def resolve_refusal(self, refused: StorageRequestError, digest: Digest) -> RemoteObject:
        """The object, if it has this content in spite of the refusal.

        After a 412 an earlier attempt of ours succeeded although its response was lost, or another process wrote the
        same content. RestartUpload if the bytes were corrupted in transit; otherwise raises the refusal.
        """
        if refused.code == 412:
            return self.accept_existing(refused, digest.crc32c)
        # `Provided CRC32C … doesn't match calculated CRC32C …`
        if refused.code == 400 and "crc32c" in refused.text.lower():
            if self.compute_digest() != digest:
                raise self.changed()
            raise RestartUpload(refused.text)
        raise refused

    def accept_existing(self, refused: StorageRequestError, crc32c: str) -> RemoteObject:
        """The object, if it has our content; otherwise raises the refusal."""
        existing = get_object(self.client, self.bucket, self.name)
        if existing is not None and (existing.size, existing.crc32c) == (self.file.size, crc32c):
            return existing
        raise refused

    def verified(self, created: RemoteObject, crc32c: str) -> RemoteObject:
        """The object that the server reports, if its size and checksum are ours."""
        if (created.size, created.crc32c) != (self.file.size, crc32c):
            text = _("checksum mismatch after upload: Cloud Storage reports {crc32c}", crc32c=created.crc32c)
            raise StorageError(text, where=self.where, fix=_("run the command again"))
        return created

    def check_unchanged(self) -> None:
        """StorageError if the file has changed since the upload started."""
        if file_identity(self.file.path, _read(self.file.path, os.stat)) != self.identity:
            raise self.changed()

    def changed(self) -> StorageError:
        """The error for a file that changed during its upload."""
        text = _("the file changed during the upload")
        fix = _("run the command again when no other process is writing to the file")
        return StorageError(text, where=str(self.file.path), fix=fix)


def _read(path: Path, read: Callable[[Path], T]) -> T:
    try:
        return read(path)
    except OSError as error:
        raise unreadable_file_error(path, error) from error
