"""Resumable uploads.

An upload is a row; the bytes received so far are a file in `incoming/`, and the size of that file *is* the offset:
nothing has to be committed per chunk, and row and file survive a restart. The running checksums cannot be saved; after
a restart they are computed again from the file.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from aip_magics.errors import ApiError
from aip_magics.server.gcs.blobs import BlobWriter, new_id
from aip_magics.server.gcs.gcs_errors import no_resumable, refusal
from aip_magics.server.gcs.metadata_db import dump
from aip_magics.server.gcs.object_checksums import ExpectedChecksums
from aip_magics.server.gcs.preconditions import ALWAYS, Preconditions
from aip_magics.server.gcs.resources import StoredObject, object_metadata
from aip_magics.server.gcs.store_core import StoreCore

DAYS = 7  # lifetime of an upload, as in Cloud Storage
EXPIRED_AT_ONCE = 100  # deleted by each new upload, so that the rows do not grow while the server runs


class ResumableUpload:
    """An upload in progress. `lease_number` counts the leases: only the newest may append."""

    def __init__(self, row: sqlite3.Row, writer: BlobWriter) -> None:
        self.id: str = row["id"]
        self.bucket: str = row["bucket"]
        self.name: str = row["name"]
        self.metadata: Mapping[str, Any] = json.loads(row["metadata"])
        self.conditions = Preconditions(**json.loads(row["conditions"]))
        self.expected = ExpectedChecksums(**json.loads(row["claims"]))
        self.total: int | None = row["total"]
        self.writer = writer
        self.lease_number = 0
        self.ended = False
        self.lock = threading.Lock()


class UploadLease:
    """The exclusive right of one request to append to an upload, until another request takes over."""

    def __init__(self, uploads: ResumableUploads, upload: ResumableUpload) -> None:
        self._uploads = uploads
        self._upload = upload
        with upload.lock:
            upload.lease_number += 1
            self._number = upload.lease_number
            self.received = upload.writer.size  # bytes

    def append(self, blocks: Iterable[bytes]) -> None:
        """Append bytes; 503 when a newer request has taken over."""
        with self._upload.lock:
            self._check()
            self._upload.writer.write(blocks)
            self.received = self._upload.writer.size

    def pause(self) -> None:
        """Close the file until the next request: the request is over, the upload is not."""
        with self._upload.lock:
            if self._upload.lease_number == self._number:
                self._upload.writer.pause()

    def finish(self, expected: ExpectedChecksums) -> StoredObject:
        """Verify the complete content and create the object. An error (400, 404, 412) ends the upload."""
        with self._upload.lock:
            self._check()
            return self._uploads.complete(self._upload, expected)

    def _check(self) -> None:
        if self._upload.ended or self._upload.lease_number != self._number:
            text = "A newer request has taken over the upload; query the status of the upload and resume."
            raise refusal(503, "backendError", text, "ServiceUnavailable")


class ResumableUploads:
    """The resumable uploads of an object store."""

    def __init__(self, core: StoreCore) -> None:
        self._core = core
        self._open: dict[str, ResumableUpload] = {}
        self._lock = threading.Lock()

    def start(
        self,
        bucket: str,
        name: str,
        metadata: Mapping[str, Any],
        conditions: Preconditions = ALWAYS,
        expected: ExpectedChecksums | None = None,
        total: int | None = None,
    ) -> str:
        """Start an upload and return its id; raise early what `complete` would raise. `total` is in bytes, if known."""
        self._core.check(bucket, name, conditions)
        id_ = new_id()
        checksums = expected or ExpectedChecksums()
        documents = (dump(object_metadata(metadata)), dump(vars(conditions)), dump(vars(checksums)))
        with self._core.metadata_db.write() as db:
            expired = self._delete_expired(db)
            db.execute(
                "insert into sessions (id, bucket, name, metadata, conditions, claims, total, created) "
                "values (?, ?, ?, ?, ?, ?, ?, ?)",
                (id_, bucket, name, *documents, total, self._core.now()),
            )
        for other in expired:
            self._discard(other)
        return id_

    def status(self, id_: str, bucket: str) -> StoredObject | ResumableUpload:
        """Return the object of a complete upload, otherwise the upload; NotFound when the upload does not exist."""
        with self._lock:
            row = self._core.metadata_db.one("select * from sessions where id = ? and bucket = ?", id_, bucket)
            if row is None:
                raise no_resumable()
            if row["result"]:
                return StoredObject(**json.loads(row["result"]))
            if id_ not in self._open:
                self._open[id_] = ResumableUpload(row, BlobWriter.resume(self._core.blobs, id_))
            return self._open[id_]

    def take(self, upload: ResumableUpload) -> UploadLease:
        """Take over the upload: an earlier request, whose client has disconnected, can no longer append."""
        return UploadLease(self, upload)

    def complete(self, upload: ResumableUpload, expected: ExpectedChecksums) -> StoredObject:
        """Create the object; the caller holds the lock of the upload.

        An ApiError ends the upload; after another failure (a full disk) it can be completed later.
        """

        def store_result(db: sqlite3.Connection, stored: StoredObject) -> None:
            result = dump(dataclasses.asdict(stored))
            db.execute("update sessions set result = ? where id = ?", (result, upload.id))

        try:
            blob = upload.writer.finish()
            for checksums in (upload.expected, expected):
                checksums.check(blob.crc32c, blob.md5)
            stored = self._core.publish(
                upload.bucket,
                upload.name,
                blob,
                upload.metadata,
                upload.conditions,
                in_transaction=store_result,
            )
        except ApiError:
            self._end(upload)
            raise
        upload.ended = True
        self._forget(upload.id)
        return stored

    def cancel(self, id_: str, bucket: str) -> None:
        """Delete the upload and its bytes; NotFound when it does not exist. A complete upload is not changed."""
        upload = self.status(id_, bucket)
        if isinstance(upload, ResumableUpload):
            with upload.lock:
                self._end(upload)

    def recover(self, db: sqlite3.Connection) -> set[str]:
        """At startup, delete uploads older than a week; return the files of the others."""
        db.execute("delete from sessions where created < ?", (self._core.days_ago(DAYS),))
        return {row["id"] for row in db.execute("select id from sessions where result is null")}

    def close(self) -> None:
        """Close the files of all uploads in progress."""
        with self._lock:
            for upload in self._open.values():
                upload.writer.pause()
            self._open.clear()

    def _delete_expired(self, db: sqlite3.Connection) -> list[str]:
        """Delete some rows of uploads older than a week; return the ids of those that were not complete."""
        sql = "select id, result from sessions where created < ? order by created limit ?"
        rows = db.execute(sql, (self._core.days_ago(DAYS), EXPIRED_AT_ONCE)).fetchall()
        db.executemany("delete from sessions where id = ?", [(row["id"],) for row in rows])
        return [row["id"] for row in rows if row["result"] is None]

    def _discard(self, id_: str) -> None:
        """Delete the bytes of an upload whose row is deleted; a request that still appends to it is refused."""
        with self._lock:
            upload = self._open.pop(id_, None)
        if upload is None:
            self._core.blobs.discard([id_])
        else:
            with upload.lock:
                upload.ended = True
                upload.writer.discard()

    def _end(self, upload: ResumableUpload) -> None:
        with self._core.metadata_db.write() as db:
            db.execute("delete from sessions where id = ?", (upload.id,))
        upload.ended = True
        upload.writer.discard()
        self._forget(upload.id)

    def _forget(self, id_: str) -> None:
        with self._lock:
            self._open.pop(id_, None)
