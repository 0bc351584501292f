"""Shared core of the object store: database, blob files, clock, and publishing an object.

Buckets and uploads build on the core instead of the store, so that there is no circle of imports.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from aip_magics.server.gcs.blobs import Blob, Blobs
from aip_magics.server.gcs.gcs_errors import no_bucket
from aip_magics.server.gcs.metadata_db import MetadataDatabase, find_object, put_object, unused_blob
from aip_magics.server.gcs.names import check_object_name
from aip_magics.server.gcs.preconditions import ALWAYS, Preconditions
from aip_magics.server.gcs.resources import StoredObject, object_metadata


class StoreCore:
    """The database and blob files under one directory, and the clock of timestamps and generations."""

    def __init__(self, root: Path, clock: Callable[[], datetime]) -> None:
        self.blobs = Blobs(root)
        self.metadata_db = MetadataDatabase(root / "index.sqlite")
        self._clock = clock
        self.last_generation = 0

    def require_bucket(self, name: str) -> None:
        """Raise NotFound when the bucket does not exist."""
        if self.metadata_db.one("select 1 from buckets where name = ?", name) is None:
            raise no_bucket()

    def check(self, bucket: str, name: str, conditions: Preconditions = ALWAYS) -> None:
        """Raise early what publishing would raise: invalid name, missing bucket, failed preconditions."""
        check_object_name(name)
        self.require_bucket(bucket)
        check_conditions(conditions, find_object(self.metadata_db, bucket, name))

    def publish(
        self,
        bucket: str,
        name: str,
        blob: Blob,
        metadata: Mapping[str, Any],
        conditions: Preconditions = ALWAYS,
        *,
        components: int | None = None,
        in_transaction: Callable[[sqlite3.Connection, StoredObject], None] | None = None,
    ) -> StoredObject:
        """Create an object from a finished incoming file; `in_transaction` runs in the same transaction.

        After a failure the file is an incoming one again: the caller keeps or discards it.
        """
        settable = object_metadata(metadata)
        self.blobs.publish(blob.id)
        try:
            with self.metadata_db.write() as db:
                stored, unused = self.put(db, bucket, name, blob, settable, conditions, components)
                if in_transaction:
                    in_transaction(db, stored)
        except BaseException:
            self.blobs.withdraw(blob.id)
            raise
        self.blobs.remove(unused)
        return stored

    def put(
        self,
        db: sqlite3.Connection,
        bucket: str,
        name: str,
        blob: Blob,
        metadata: Mapping[str, Any],
        conditions: Preconditions,
        components: int | None,
    ) -> tuple[StoredObject, list[str]]:
        """Write the row of an object inside a transaction; return the object and the blobs that became unused."""
        if db.execute("select 1 from buckets where name = ?", (bucket,)).fetchone() is None:
            raise no_bucket()
        before = find_object(db, bucket, name)
        check_conditions(conditions, before)
        now = self.now()
        stored = StoredObject(
            bucket,
            name,
            blob.size,
            blob.crc32c,
            blob.md5,
            self.next_generation(),
            1,
            now,
            now,
            blob.id,
            components,
            metadata,
        )
        put_object(db, stored)
        return stored, [before.blob] if before and unused_blob(db, before.blob) else []

    def now(self) -> str:
        """Return the current time as RFC 3339 with milliseconds."""
        return timestamp(self._clock())

    def days_ago(self, days: int) -> str:
        """Return the time `days` days ago as RFC 3339 with milliseconds."""
        return timestamp(datetime.fromtimestamp(self._clock().timestamp() - days * 86400, timezone.utc))

    def next_generation(self) -> int:
        """Return the clock's microseconds, always greater than the previous generation. Call inside a transaction."""
        self.last_generation = max(int(self._clock().timestamp() * 1_000_000), self.last_generation + 1)
        return self.last_generation


def timestamp(moment: datetime) -> str:
    """Format a time as RFC 3339 in UTC with milliseconds."""
    text = moment.astimezone(timezone.utc).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def check_conditions(conditions: Preconditions, stored: StoredObject | None) -> None:
    """Raise 412 when the preconditions fail for the object, or for the absence of one (None)."""
    conditions.check(stored.generation if stored else 0, stored.metageneration if stored else 0)
