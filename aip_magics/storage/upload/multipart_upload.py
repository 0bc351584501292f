"""Multipart upload: files above 64 MiB as parallel parts (XML API), with the checksum of the whole in one reading."""

from __future__ import annotations

import functools
import re
import threading
import urllib.parse
from collections.abc import Callable

from aip_magics.crc32c import combine_crc32c
from aip_magics.i18n import gettext as _
from aip_magics.retry import RetryableError
from aip_magics.storage import url_paths
from aip_magics.storage.checksums import BLOCK_BYTES, Digest, Hasher, content_hash_of
from aip_magics.storage.http.client import MAX_PAGE_BYTES, StorageClient, StorageRequestError, StorageResponse
from aip_magics.storage.object_api import (
    CONTENT_HASH_KEY,
    RemoteObject,
    delete_object,
    get_object,
    set_content_hash,
)
from aip_magics.storage.thread_pool import Task
from aip_magics.storage.upload import multipart_xml
from aip_magics.storage.upload.checkpoint import PendingObject, UploadCheckpoint, UploadedPart
from aip_magics.storage.upload.file_body import CONTENT_TYPE
from aip_magics.storage.upload.object_upload import ObjectUpload
from aip_magics.storage.upload.resumable_upload import upload_resumable

_LOOKUP_SECONDS = 0.1  # for which a lookup of the object counts as current
_MAX_PARTS = 5_000  # the service allows 10,000
_ASSEMBLY_RATE = 10 << 20  # bytes per second at which a server assembles the parts, at least


class MultipartUpload:
    """The multipart upload of one file: `start` gives its tasks, the last of which completes it and calls `on_done`."""

    def __init__(
        self, upload: ObjectUpload, on_done: Callable[[RemoteObject], None], pending: PendingObject | None = None
    ) -> None:
        self._upload = upload
        self._on_done = on_done
        self._lock = threading.Lock()
        self._path = url_paths.xml_path(upload.bucket, upload.name)
        self._pending = pending
        self._id = ""
        self._part_size = 0
        self._parts: dict[int, UploadedPart] = {}
        self._digest: Digest | None = None  # if cached at the start: sent with the upload, and parts need no hash
        self._tasks_left = 0
        self._aborted = False  # by another process
        self._lookup: tuple[float, RemoteObject | None] = (float("-inf"), None)  # time and result of the last one

    def start(self) -> list[Task]:
        """Start or resume the upload. If the server has no multipart uploads, the task is a resumable upload."""
        upload, context = self._upload, self._upload.context
        pending, self._pending = self._pending, None
        if pending is not None and pending.upload and pending.file == upload.identity:
            self._id, self._part_size = pending.upload, pending.part_size
            self._parts = {
                number: part for number, part in pending.parts.items() if part.size == self._range(number)[1]
            }
            context.tracker.add_resumed_bytes(sum(part.size for part in self._parts.values()))
        else:
            self._part_size = _part_size(upload.file.size)
            self._parts = {}
            self._digest = upload.cached_digest()
            try:
                self._id = self._initiate()
            except StorageRequestError:
                context.checkpoint.forget(upload.file.name)
                return [lambda: self._on_done(upload_resumable(upload))]
        count = -(-upload.file.size // self._part_size)
        missing = [number for number in range(1, count + 1) if number not in self._parts]
        self._aborted = False
        self._tasks_left = len(missing) + 1
        return [*(functools.partial(self._upload_part, number) for number in missing), self._prefetch_existing]

    def _initiate(self) -> str:
        """The id of a new multipart upload."""
        upload, checkpoint = self._upload, self._upload.context.checkpoint
        # Recorded before the request: after a kill in between, the next run looks for the upload.
        checkpoint.record_multipart(upload.file.name, upload.identity, "", self._part_size)
        headers = {"Content-Type": CONTENT_TYPE}
        if self._digest is not None:
            headers[f"x-goog-meta-{CONTENT_HASH_KEY}"] = self._digest.content_hash
        earlier_attempts: list[bool] = []

        def attempt() -> str:
            if earlier_attempts:  # the response may be lost, not the request
                abort_unknown(upload.client, upload.bucket, upload.name, checkpoint)
            earlier_attempts.append(True)
            response = upload.client.request_once("POST", f"{self._path}?uploads", where=upload.where, headers=headers)
            if not (id_ := multipart_xml.upload_id_of(response.data)):
                raise RetryableError(_("response without {name}", name="UploadId"))
            return id_

        id_ = upload.client.retry(attempt, where=upload.where)
        checkpoint.record_multipart(upload.file.name, upload.identity, id_, self._part_size)
        return id_

    def _range(self, number: int) -> tuple[int, int]:
        """First byte and size of a part."""
        first = (number - 1) * self._part_size
        return first, min(self._part_size, self._upload.file.size - first)

    def _upload_part(self, number: int) -> None:
        upload = self._upload
        part: UploadedPart | None = None
        try:
            part = upload.client.retry(lambda: self._attempt_part(number), where=upload.where)
        except StorageRequestError as refused:
            if refused.code != 404:
                raise
        if part is not None:
            upload.context.checkpoint.record_part(upload.file.name, number, part)
        with self._lock:
            if part is None:
                self._aborted = True
            else:
                self._parts[number] = part
        self._task_done()

    def _attempt_part(self, number: int) -> UploadedPart:
        upload = self._upload
        first, size = self._range(number)
        hasher = Hasher(with_content_hash=self._digest is None)
        body = upload.body(first, size, hasher=hasher)
        target = f"{self._path}?{urllib.parse.urlencode({'partNumber': number, 'uploadId': self._id})}"
        try:
            response = upload.client.request_once("PUT", target, where=upload.where, body=body, length=size)
            if (crc := _reported_crc32c(response)) and crc != hasher.crc32c:
                raise RetryableError(_("a part was corrupted in transit"))
        except BaseException:
            body.rollback_progress()
            raise
        blocks = tuple(block.hex() for block in hasher.blocks())
        return UploadedPart(response.headers["etag"].strip('"'), hasher.crc32c, size, blocks)

    def _prefetch_existing(self) -> None:
        """Look the object up while the last parts are uploaded, which saves a round trip after them."""
        self._get_existing()
        self._task_done()

    def _get_existing(self) -> RemoteObject | None:
        existing = get_object(self._upload.client, self._upload.bucket, self._upload.name)
        self._lookup = (self._upload.client.clock(), existing)
        return existing

    def _task_done(self) -> None:
        with self._lock:
            self._tasks_left -= 1
            last = self._tasks_left == 0
        if last:
            self._restart() if self._aborted else self._complete()

    def _complete(self) -> None:
        upload = self._upload
        upload.check_unchanged()
        parts = [self._parts[number] for number in sorted(self._parts)]
        crc32c = combine_crc32c((part.crc32c, part.size) for part in parts)
        if self._digest is not None and self._digest.crc32c != crc32c:
            self._abort()
            upload.compute_digest()  # or the wrong digest would stay in the cache
            raise upload.changed()
        looked_up_at, existing = self._lookup
        if upload.client.clock() - looked_up_at > _LOOKUP_SECONDS:
            existing = self._get_existing()
        if (existing.generation if existing else 0) != upload.generation:
            # Multipart uploads of the service have no preconditions: another process's object is detected before.
            created: RemoteObject | None = self._accept_concurrent(existing, crc32c)
        else:
            with upload.context.tracker.assembly(upload.file.name):
                created = upload.client.retry(lambda: self._attempt_completion(crc32c), where=upload.where)
        if created is None:
            return self._restart()
        if all(part.blocks for part in parts):
            content_hash = content_hash_of(bytes.fromhex(block) for part in parts for block in part.blocks)
            set_content_hash(upload.client, upload.bucket, created, content_hash)
        upload.context.checkpoint.forget(upload.file.name)
        return self._on_done(created)

    def _accept_concurrent(self, existing: RemoteObject | None, crc32c: str) -> RemoteObject:
        """Another process's object, if it has our content; otherwise 412, as for every other upload."""
        self._abort()
        if existing is None or (existing.size, existing.crc32c) != (self._upload.file.size, crc32c):
            raise StorageRequestError(412, _("the object changed during the upload"), self._upload.where)
        return existing

    def _abort(self) -> None:
        abort_multipart(self._upload.client, self._upload.bucket, self._upload.name, self._id)
        self._upload.context.checkpoint.forget(self._upload.file.name)

    def _attempt_completion(self, crc32c: str) -> RemoteObject | None:
        """The object; None if it has to be uploaded again: the upload is gone, or its content is not ours."""
        upload = self._upload
        try:
            generation, reported = self._request_completion()
        except StorageRequestError as refused:
            if refused.code == 412:
                return self._accept_concurrent(get_object(upload.client, upload.bucket, upload.name), crc32c)
            if refused.code != 404:
                raise
            generation, reported = None, ""  # completed with a lost response, or aborted
        if generation is not None and reported == crc32c:
            return RemoteObject(upload.name, upload.file.size, crc32c, generation)
        created = get_object(upload.client, upload.bucket, upload.name)
        if created is None or (created.size, created.crc32c) == (upload.file.size, crc32c):
            return created
        if created.generation == generation:
            delete_object(upload.client, upload.bucket, upload.name, created.generation)
            upload.generation = 0
        return None

    def _request_completion(self) -> tuple[int | None, str]:
        """Generation and CRC32C of the new object, as far as the response has them."""
        upload = self._upload
        target = f"{self._path}?{urllib.parse.urlencode({'uploadId': self._id})}"
        body = multipart_xml.completion({number: part.etag for number, part in self._parts.items()})
        headers = {"Content-Type": "application/xml"}
        precondition = {"x-goog-if-generation-match": str(upload.generation)}

        def post(headers: dict[str, str]) -> StorageResponse:
            return upload.client.request_once(
                "POST",
                target,
                where=upload.where,
                body=body,
                headers=headers,
                processing_seconds=upload.file.size / _ASSEMBLY_RATE,
            )

        try:
            response = post({**headers, **precondition})
        except StorageRequestError as refused:
            if refused.code not in (400, 501):
                raise
            response = post(headers)  # the server may know no preconditions here; the object was looked up before
        generation = response.headers.get("x-goog-generation", "")
        return (int(generation) if generation.isdecimal() else None), _reported_crc32c(response)

    def _restart(self) -> None:
        """Start again: another process aborted the upload, or its content is not ours."""
        upload = self._upload
        upload.add_progress(-sum(part.size for part in self._parts.values()))
        upload.count_restart(_("the multipart upload no longer exists"))
        upload.context.thread_pool.add(self.start(), first=True)


def abort_multipart(client: StorageClient, bucket: str, name: str, upload_id: str) -> None:
    """Abort a multipart upload and delete its parts, if it still exists."""
    target = f"{url_paths.xml_path(bucket, name)}?{urllib.parse.urlencode({'uploadId': upload_id})}"
    try:
        client.request("DELETE", target, where=f"gs://{bucket}/{name}")
    except StorageRequestError as refused:
        if refused.code != 404:
            raise


def abort_unknown(client: StorageClient, bucket: str, name: str, checkpoint: UploadCheckpoint) -> None:
    """Abort the multipart uploads of this very object that no run on this machine has in progress."""
    known = checkpoint.active_elsewhere | {pending.upload for pending in checkpoint.pending.values()}
    for upload_id in list_multipart_uploads(client, bucket, name):
        if upload_id not in known:
            abort_multipart(client, bucket, name, upload_id)


def list_multipart_uploads(client: StorageClient, bucket: str, name: str) -> list[str]:
    """The ids of the multipart uploads of this very object."""
    target = f"{url_paths.xml_path(bucket)}?uploads&{urllib.parse.urlencode({'prefix': name})}"
    response = client.request("GET", target, where=f"gs://{bucket}/{name}", max_bytes=MAX_PAGE_BYTES)
    return multipart_xml.upload_ids_of(response.data, name)


def _part_size(size: int) -> int:
    """A whole number of blocks, so that the hashes of the parts make up that of the file; 8 MiB up to 40 GB."""
    return BLOCK_BYTES * max(1, -(-size // (_MAX_PARTS * BLOCK_BYTES)))


def _reported_crc32c(response: StorageResponse) -> str:
    """The CRC32C in the response's headers, empty if there is none."""
    found = re.search(r"crc32c=([A-Za-z0-9+/=]+)", response.headers.get("x-goog-hash", ""))
    return found[1] if found else ""
