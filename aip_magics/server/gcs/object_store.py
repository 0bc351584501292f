"""The object store: buckets and objects, each change one SQLite commit.

Synchronous and safe to call from any thread; the web layer calls it on `threads`, so that the event loop goes on
answering while a disk works.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
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
    read_object,
    unused_blob,
)
from aip_magics.server.gcs.multipart_uploads import MultipartUploads
from aip_magics.server.gcs.names import check_object_name
from aip_magics.server.gcs.object_checksums import ExpectedChecksums
from aip_magics.server.gcs.object_listing import ListPage, ListQuery, Scan, list_page, past
from aip_magics.server.gcs.preconditions import ALWAYS, Preconditions
from aip_magics.server.gcs.resources import StoredObject, object_metadata, patched_object
from aip_magics.server.gcs.resumable_uploads import ResumableUploads
from aip_magics.server.gcs.store_core import StoreCore, check_conditions

MAX_COMPOSE = 32
_Objects = list[StoredObject]  # inside the class `list` is the method
_Ids = list[str]


class ObjectStore:
    """Cloud Storage under `data_dir/objects`. One process at a time may open it (the server's lock sees to that)."""

    def __init__(self, data_dir: Path, clock: Callable[[], datetime]) -> None:
        root = data_dir / "objects"
        self._core = core = StoreCore(root, clock)
        self.blobs, self.index = core.blobs, core.index
        self.check, self.publish = core.check, core.publish
        self.buckets = Buckets(core)
        self.resumable_uploads = ResumableUploads(core)
        self.multipart_uploads = MultipartUploads(core)
        self._recover()
        self.threads = ThreadPoolExecutor(4, thread_name_prefix="objects")

    def close(self) -> None:
        """Let running work end, then close the files."""
        self.threads.shutdown()
        self.resumable_uploads.close()
        self.index.close()

    def _recover(self) -> None:
        with self.index.write() as db:
            sizes = {row["blob"]: row["size"] for row in db.execute("select blob, size from objects")}
            for blob in self.blobs.sweep(sizes, self.resumable_uploads.recover(db) | part_files(db)):
                # Only a crash of the whole machine does this; an object that cannot be read is worse than none.
                db.execute("delete from objects where blob = ?", (blob,))
            row = db.execute(
                "select max(generation) from (select generation from objects union all select generation from buckets)"
            ).fetchone()
            self._core.last_generation = row[0] or 0

    # Reading

    def list(self, bucket: str, prefix: str = "") -> _Objects:
        """All objects whose name begins with `prefix`, by name. NotFound when the bucket is missing."""
        self.buckets.get(bucket)
        return list(self._scan(bucket)(prefix, past(prefix)))

    def page(self, bucket: str, question: ListQuery) -> ListPage:
        """One page of a listing. NotFound when the bucket is missing."""
        self.buckets.get(bucket)
        return list_page(self._scan(bucket), question)

    def get(
        self, bucket: str, name: str, generation: int | None = None, conditions: Preconditions = ALWAYS
    ) -> StoredObject:
        """The object. NotFound when it, or this generation of it, is missing; 412 or 304 by the conditions."""
        stored = find_object(self.index, bucket, name)
        if stored is None or generation not in (None, stored.generation):
            self.buckets.get(bucket)
            raise no_object(bucket, name, generation)
        conditions.check(stored.generation, stored.metageneration, reading=True)
        return stored

    def path(self, stored: StoredObject) -> Path:
        """The file with the object's bytes: opaque, read-only, gone when the last object that uses it is deleted."""
        return self.blobs.path(stored.blob)

    def open(
        self, bucket: str, name: str, generation: int | None = None, conditions: Preconditions = ALWAYS
    ) -> tuple[StoredObject, BinaryIO]:
        """The object and its file, open for reading; an overwrite or delete from now on does not disturb the reader."""
        while True:
            stored = self.get(bucket, name, generation, conditions)
            try:
                return stored, self.path(stored).open("rb")
            except FileNotFoundError:
                # Replaced between look-up and open: look again. The same blob twice means that its file was taken away.
                if self.get(bucket, name, generation, conditions).blob == stored.blob:
                    raise

    def _scan(self, bucket: str) -> Scan:
        def scan(first: str, stop: str | None) -> Generator[StoredObject, None, None]:
            sql = "select * from objects where bucket = ? and name >= ?"
            args = [bucket, first]
            if stop is not None:
                sql, args = sql + " and name < ?", [*args, stop]
            with contextlib.closing(self.index.rows(sql + " order by name", *args)) as rows:
                for row in rows:
                    yield read_object(row)

        return scan

    # Writing

    def writer(self, *, md5: bool = True) -> BlobWriter:
        """For a content that will arrive; `commit` makes it an object."""
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
        claims: ExpectedChecksums | None = None,
    ) -> StoredObject:
        """Write the `tail`, check the checksums and make the object. On failure nothing is left behind."""
        try:
            check_object_name(name)
            writer.write(tail)
            blob = writer.finish()
            (claims or ExpectedChecksums()).check(blob.crc32c, blob.md5)
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
        """Change metadata (JSON merge patch; with `replace` the given fields are all there is)."""
        with self.index.write() as db:
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
        """Delete the object. NotFound when it is missing."""
        with self.index.write() as db:
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
        """Copy an object; no byte moves, both share the blob. `metadata` None = that of the source."""
        bucket, name = target
        check_object_name(name)
        with self.index.write() as db:
            origin = self._existing(db, *source, generation)
            check_conditions(source_conditions, origin)
            blob = Blob(origin.blob, origin.size, origin.crc32c, origin.md5)
            kept = origin.metadata if metadata is None else object_metadata(metadata)
            stored, unused = self._core.put(db, bucket, name, blob, kept, conditions, origin.components)
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
        """Put 1 to 32 objects (name, generation, conditions) of one bucket together; the result has no MD5."""
        if not 1 <= len(sources) <= MAX_COMPOSE:
            raise invalid(f"The number of source components must be 1 to {MAX_COMPOSE}, not {len(sources)}.")
        self.check(bucket, name, conditions)
        found = []
        for source, generation, wanted in sources:
            stored = self.get(bucket, source, generation)
            check_conditions(wanted, stored)
            found.append(stored)
        try:
            file, size = self.blobs.concatenate(map(self.path, found))
        except FileNotFoundError:
            raise condition_not_met() from None  # a source was replaced or deleted meanwhile
        crc32c = combine_crc32c((stored.crc32c, stored.size) for stored in found)
        given = metadata if object_metadata(metadata) else found[0].metadata
        unused: list[str] = []

        def also(db: sqlite3.Connection, made: StoredObject) -> None:
            for stored in found if delete_sources else ():
                if find_object(db, bucket, stored.name) == stored and stored.name != made.name:
                    unused.extend(_delete(db, stored))

        components = sum(stored.components or 1 for stored in found)
        blob = Blob(file, size, crc32c, None)
        stored = self.publish(bucket, name, blob, given, conditions, components=components, also=also)
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
