"""The object store: buckets and objects; each change is one SQLite commit.

Synchronous and thread-safe; the API layer calls it on `threads`, so that disk access does not block the event loop.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from aip_magics.crc32c import combine_crc32c
from aip_magics.server.gcs.blobs import Blob, BlobWriter
from aip_magics.server.gcs.buckets import Buckets
from aip_magics.server.gcs.gcs_errors import condition_not_met, invalid, no_object
from aip_magics.server.gcs.metadata_db import (
    find_object,
    part_files,
    put_object,
    unused_blob,
)
from aip_magics.server.gcs.multipart_uploads import MultipartUploads
from aip_magics.server.gcs.names import check_object_name
from aip_magics.server.gcs.object_checksums import ExpectedChecksums
from aip_magics.server.gcs.object_listing import Listing, ListQuery, list_objects
from aip_magics.server.gcs.preconditions import ALWAYS, Preconditions
from aip_magics.server.gcs.resources import StoredObject, object_metadata, patched_object
from aip_magics.server.gcs.resumable_uploads import ResumableUploads
from aip_magics.server.gcs.store_core import StoreCore, check_conditions

MAX_COMPOSE = 32
_Objects = list[StoredObject]  # inside the class `list` is the method


class ObjectStore:
    """Buckets and objects under `data_dir/objects`. Only one process may open it (the server's lock ensures that)."""

    def __init__(self, data_dir: Path, clock: Callable[[], datetime]) -> None:
        root = data_dir / "objects"
        self._core = core = StoreCore(root, clock)
        self.blobs, self.metadata_db = core.blobs, core.metadata_db
        self.check, self.publish = core.check, core.publish
        self.buckets = Buckets(core)
        self.resumable_uploads = ResumableUploads(core)
        self.multipart_uploads = MultipartUploads(core)
        self._recover()
        self.threads = ThreadPoolExecutor(4, thread_name_prefix="objects")

    def close(self) -> None:
        """Wait for running work, then close the files."""
        self.threads.shutdown()
        self.resumable_uploads.close()
        self.metadata_db.close()

    def _recover(self) -> None:
        with self.metadata_db.write() as db:
            sizes = {row["blob"]: row["size"] for row in db.execute("select blob, size from objects")}
            for blob in self.blobs.sweep(sizes, self.resumable_uploads.recover(db) | part_files(db)):
                # Only a crash of the whole machine causes this; an unreadable object is worse than a missing one.
                db.execute("delete from objects where blob = ?", (blob,))
            row = db.execute(
                "select max(generation) from (select generation from objects union all select generation from buckets)"
            ).fetchone()
            self._core.last_generation = row[0] or 0

    # Reading

    def list(self, bucket: str, prefix: str = "") -> _Objects:
        """Return all objects whose names start with `prefix`, by name; NotFound when the bucket does not exist."""
        self.buckets.get(bucket)
        return list_objects(self.metadata_db, bucket, prefix)

    def listing(self, bucket: str, query: ListQuery) -> Listing:
        """Return one page of a listing after its first slice; NotFound when the bucket does not exist."""
        self.buckets.get(bucket)
        found = Listing(self.metadata_db, bucket, query)
        found.advance()
        return found

    def get(
        self, bucket: str, name: str, generation: int | None = None, conditions: Preconditions = ALWAYS
    ) -> StoredObject:
        """Return the object; NotFound when the object or its generation does not exist, 412 or 304 by `conditions`."""
        stored = find_object(self.metadata_db, bucket, name)
        if stored is None or generation not in (None, stored.generation):
            self.buckets.get(bucket)
            raise no_object(bucket, name, generation)
        conditions.check(stored.generation, stored.metageneration, reading=True)
        return stored

    def path(self, stored: StoredObject) -> Path:
        """Return the blob file of the object: opaque, read-only, deleted with the last object that uses it."""
        return self.blobs.path(stored.blob)

    def open(
        self, bucket: str, name: str, generation: int | None = None, conditions: Preconditions = ALWAYS
    ) -> tuple[StoredObject, BinaryIO]:
        """Return the object and its open file; a later overwrite or delete does not affect the reader."""
        while True:
            stored = self.get(bucket, name, generation, conditions)
            try:
                return stored, self.path(stored).open("rb")
            except FileNotFoundError:
                # The object was replaced between look-up and open: try again. The same blob twice: its file is missing.
                if self.get(bucket, name, generation, conditions).blob == stored.blob:
                    raise

    # Writing

    def writer(self, *, md5: bool = True) -> BlobWriter:
        """Return a writer for the content of a new object; `commit` creates the object."""
        return BlobWriter(self.blobs, md5=md5)

    def commit(
        self,
        bucket: str,
        name: str,
        writer: BlobWriter,
        tail: Iterable[bytes] = (),
        *,
        metadata: Mapping[str, Any] | None = None,
        conditions: Preconditions = ALWAYS,
        expected: ExpectedChecksums | None = None,
    ) -> StoredObject:
        """Write the `tail`, verify the checksums and create the object. A failure leaves no files behind."""
        try:
            check_object_name(name)
            writer.write(tail)
            blob = writer.finish()
            (expected or ExpectedChecksums()).check(blob.crc32c, blob.md5)
            return self.publish(bucket, name, blob, metadata or {}, conditions)
        except BaseException:
            writer.discard()
            raise

    def patch(
        self,
        bucket: str,
        name: str,
        changes: Mapping[str, Any],
        conditions: Preconditions = ALWAYS,
        *,
        generation: int | None = None,
        replace: bool = False,
    ) -> StoredObject:
        """Update metadata by a JSON merge patch; with `replace`, `changes` replaces all fields."""
        with self.metadata_db.write() as db:
            before = self._existing(db, bucket, name, generation)
            check_conditions(conditions, before)
            metadata = object_metadata(changes) if replace else patched_object(before.metadata, changes)
            after = dataclasses.replace(
                before, metadata=metadata, metageneration=before.metageneration + 1, updated=self._core.now()
            )
            put_object(db, after)
        return after

    def delete(
        self, bucket: str, name: str, conditions: Preconditions = ALWAYS, *, generation: int | None = None
    ) -> None:
        """Delete the object; NotFound when it does not exist."""
        with self.metadata_db.write() as db:
            before = self._existing(db, bucket, name, generation)
            check_conditions(conditions, before)
            unused = _delete(db, before)
        self.blobs.remove(unused)

    def copy(
        self,
        source: tuple[str, str],
        target: tuple[str, str],
        metadata: Mapping[str, Any] | None = None,
        conditions: Preconditions = ALWAYS,
        *,
        generation: int | None = None,
        source_conditions: Preconditions = ALWAYS,
    ) -> StoredObject:
        """Copy an object without copying bytes: both share the blob. `metadata` None keeps the source's metadata."""
        bucket, name = target
        check_object_name(name)
        with self.metadata_db.write() as db:
            origin = self._existing(db, *source, generation)
            check_conditions(source_conditions, origin)
            blob = Blob(origin.blob, origin.size, origin.crc32c, origin.md5)
            copied = origin.metadata if metadata is None else object_metadata(metadata)
            stored, unused = self._core.put(db, bucket, name, blob, copied, conditions, origin.components)
        self.blobs.remove(unused)
        return stored

    def compose(
        self,
        bucket: str,
        name: str,
        sources: Sequence[tuple[str, int | None, Preconditions]],
        metadata: Mapping[str, Any],
        conditions: Preconditions = ALWAYS,
        *,
        delete_sources: bool = False,
    ) -> StoredObject:
        """Concatenate 1 to 32 objects (name, generation, preconditions) of one bucket; the result has no MD5."""
        if not 1 <= len(sources) <= MAX_COMPOSE:
            raise invalid(f"The number of source components must be 1 to {MAX_COMPOSE}, got {len(sources)}.")
        self.check(bucket, name, conditions)
        components = []
        for source, generation, source_conditions in sources:
            stored = self.get(bucket, source, generation)
            check_conditions(source_conditions, stored)
            components.append(stored)
        try:
            file, size = self.blobs.concatenate(map(self.path, components))
        except FileNotFoundError:
            raise condition_not_met() from None  # a source was replaced or deleted in the meantime
        crc32c = combine_crc32c((stored.crc32c, stored.size) for stored in components)
        metadata = metadata if object_metadata(metadata) else components[0].metadata
        unused: list[str] = []

        def delete_components(db: sqlite3.Connection, composed: StoredObject) -> None:
            for stored in components if delete_sources else ():
                if find_object(db, bucket, stored.name) == stored and stored.name != composed.name:
                    unused.extend(_delete(db, stored))

        try:
            stored = self.publish(
                bucket,
                name,
                Blob(file, size, crc32c, None),
                metadata,
                conditions,
                components=sum(stored.components or 1 for stored in components),
                in_transaction=delete_components,
            )
        except BaseException:
            self.blobs.discard([file])
            raise
        self.blobs.remove(unused)
        return stored

    def _existing(self, db: sqlite3.Connection, bucket: str, name: str, generation: int | None) -> StoredObject:
        stored = find_object(db, bucket, name)
        if stored is None or generation not in (None, stored.generation):
            self.buckets.get(bucket)
            raise no_object(bucket, name, generation)
        return stored


def _delete(db: sqlite3.Connection, stored: StoredObject) -> list[str]:
    db.execute("delete from objects where bucket = ? and name = ?", (stored.bucket, stored.name))
    return [stored.blob] if unused_blob(db, stored.blob) else []
