"""What every part of the object store works on: its database, its blob files, its clock, and publishing an object."""

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
    """The database and blob files under one folder, and the clock that times and generations come from."""

    def __init__(self, root: Path, clock: Callable[[], datetime]) -> None:
        self.blobs = Blobs(root)
        self.index = MetadataDatabase(root / "index.sqlite")
        self._clock = clock
        self.last_generation = 0

    def require_bucket(self, name: str) -> None:
        """NotFound when the bucket is missing."""
        if self.index.one("select 1 from buckets where name = ?", name) is None:
            raise no_bucket()

    def check(self, bucket: str, name: str, conditions: Preconditions = ALWAYS) -> None:
        """Refuse early what `commit` would refuse: bad name, missing bucket, conditions that do not hold now."""
        check_object_name(name)
        self.require_bucket(bucket)
        check_conditions(conditions, find_object(self.index, bucket, name))

    def publish(
        self,
        bucket: str,
        name: str,
        blob: Blob,
        metadata: Mapping[str, Any],
        conditions: Preconditions = ALWAYS,
        *,
        components: int | None = None,
        also: Callable[[sqlite3.Connection, StoredObject], None] | None = None,
    ) -> StoredObject:
        """Make an object of a finished incoming file; `also` runs in the same transaction."""
        kept = object_metadata(metadata)
        self.blobs.publish(blob.id)
        try:
            with self.index.write() as db:
                stored, unused = self.put(db, bucket, name, blob, kept, conditions, components)
                if also:
                    also(db, stored)
        except BaseException:
            self.blobs.remove([blob.id])
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
        """Write the object's row inside a transaction; returns it and the blobs that nothing uses any more."""
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
        """The time as RFC 3339 with milliseconds."""
        return timestamp(self._clock())

    def days_ago(self, days: int) -> str:
        return timestamp(datetime.fromtimestamp(self._clock().timestamp() - days * 86400, timezone.utc))

    def next_generation(self) -> int:
        """Microseconds of the clock, but always more than before. Call it inside a transaction."""
        self.last_generation = max(int(self._clock().timestamp() * 1_000_000), self.last_generation + 1)
        return self.last_generation


def timestamp(moment: datetime) -> str:
    text = moment.astimezone(timezone.utc).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def check_conditions(conditions: Preconditions, stored: StoredObject | None) -> None:
    """Raise 412 where the conditions do not hold for the object, or for there being none."""
    conditions.check(stored.generation if stored else 0, stored.metageneration if stored else 0)
