"""Resumable uploads. The session is a row, its bytes so far are a file in `incoming/`, and the size of that file *is*
the offset: nothing has to be committed per chunk, and both survive a restart.

The running checksums cannot be written down; after a restart they are computed again from the file.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import threading
from collections.abc import Iterable, Mapping
from typing import Any

from aip_magics.server.gcs.blobs import BlobWriter, new_id
from aip_magics.server.gcs.gcs_errors import no_session, refusal
from aip_magics.server.gcs.metadata_db import dump
from aip_magics.server.gcs.object_checksums import ExpectedChecksums
from aip_magics.server.gcs.preconditions import ALWAYS, Preconditions
from aip_magics.server.gcs.resources import StoredObject, object_metadata
from aip_magics.server.gcs.store_core import StoreCore

DAYS = 7  # a session lives as long as the service keeps one


class ResumableUpload:
    """One upload in progress. `turn` counts the requests that took it over: only the newest may append."""

    def __init__(self, row: sqlite3.Row, writer: BlobWriter) -> None:
        self.id: str = row["id"]
        self.bucket: str = row["bucket"]
        self.name: str = row["name"]
        self.metadata: Mapping[str, Any] = json.loads(row["metadata"])
        self.conditions = Preconditions(**json.loads(row["conditions"]))
        self.claims = ExpectedChecksums(**json.loads(row["claims"]))
        self.total: int | None = row["total"]
        self.writer = writer
        self.turn = 0
        self.ended = False
        self.lock = threading.Lock()


class UploadLease:
    """The right of one request to append to a session, until another request takes over."""

    def __init__(self, sessions: ResumableUploads, session: ResumableUpload) -> None:
        self._sessions = sessions
        self._session = session
        with session.lock:
            session.turn += 1
            self._number = session.turn
            self.received = session.writer.size  # bytes

    def append(self, blocks: Iterable[bytes]) -> None:
        """Add bytes at the end. 503 when a newer request has taken over."""
        with self._session.lock:
            self._check()
            self._session.writer.write(blocks)
            self.received = self._session.writer.size

    def pause(self) -> None:
        """This request is over, the upload is not: hold no file open until the next one."""
        with self._session.lock:
            if self._session.turn == self._number:
                self._session.writer.pause()

    def finish(self, claims: ExpectedChecksums) -> StoredObject:
        """All bytes are there: check them and make the object. A refusal (400, 404, 412) ends the session."""
        with self._session.lock:
            self._check()
            return self._sessions.complete(self._session, claims)

    def _check(self) -> None:
        if self._session.ended or self._session.turn != self._number:
            text = "A newer request has taken over this upload; ask for its status and go on from there."
            raise refusal(503, "backendError", text, "ServiceUnavailable")


class ResumableUploads:
    """The resumable uploads of a store."""

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
        claims: ExpectedChecksums | None = None,
        total: int | None = None,
    ) -> str:
        """Begin an upload; returns its id. Refuses now what would be refused at the end. `total` in bytes if known."""
        self._core.check(bucket, name, conditions)
        id_ = new_id()
        described = (dump(object_metadata(metadata)), dump(vars(conditions)), dump(vars(claims or ExpectedChecksums())))
        with self._core.index.write() as db:
            db.execute(
                "insert into sessions (id, bucket, name, metadata, conditions, claims, total, created) "
                "values (?, ?, ?, ?, ?, ?, ?, ?)",
                (id_, bucket, name, *described, total, self._core.now()),
            )
        return id_

    def status(self, id_: str, bucket: str) -> StoredObject | ResumableUpload:
        """The object when the upload is complete, otherwise the session. NotFound when there is none."""
        with self._lock:
            row = self._core.index.one("select * from sessions where id = ? and bucket = ?", id_, bucket)
            if row is None:
                raise no_session()
            if row["result"]:
                return StoredObject(**json.loads(row["result"]))
            if id_ not in self._open:
                self._open[id_] = ResumableUpload(row, BlobWriter.resume(self._core.blobs, id_))
            return self._open[id_]

    def take(self, session: ResumableUpload) -> UploadLease:
        """Take the session over: a request before, whose client went away, can add nothing any more."""
        return UploadLease(self, session)

    def complete(self, session: ResumableUpload, claims: ExpectedChecksums) -> StoredObject:
        """Make the object; the caller holds the session's lock."""

        def also(db: sqlite3.Connection, stored: StoredObject) -> None:
            result = dump(dataclasses.asdict(stored))
            db.execute("update sessions set result = ? where id = ?", (result, session.id))

        try:
            blob = session.writer.finish()
            for said in (session.claims, claims):
                said.check(blob.crc32c, blob.md5)
            stored = self._core.publish(
                session.bucket, session.name, blob, session.metadata, session.conditions, also=also
            )
        except BaseException:
            self._end(session)
            raise
        session.ended = True
        self._forget(session.id)
        return stored

    def cancel(self, id_: str, bucket: str) -> None:
        """Drop the upload and its bytes. NotFound when there is none; a complete upload stays as it is."""
        session = self.status(id_, bucket)
        if isinstance(session, ResumableUpload):
            with session.lock:
                self._end(session)

    def recover(self, db: sqlite3.Connection) -> set[str]:
        """At start-up: drop sessions older than a week; returns the files of the others."""
        db.execute("delete from sessions where created < ?", (self._core.days_ago(DAYS),))
        return {row["id"] for row in db.execute("select id from sessions where result is null")}

    def close(self) -> None:
        with self._lock:
            for session in self._open.values():
                session.writer.pause()
            self._open.clear()

    def _end(self, session: ResumableUpload) -> None:
        session.ended = True
        with self._core.index.write() as db:
            db.execute("delete from sessions where id = ?", (session.id,))
        session.writer.discard()
        self._forget(session.id)

    def _forget(self, id_: str) -> None:
        with self._lock:
            self._open.pop(id_, None)
