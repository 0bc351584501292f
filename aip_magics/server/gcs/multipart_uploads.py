"""XML multipart uploads: parts arrive in any order and in parallel, and are assembled at the end.

As in Cloud Storage, the object has a CRC32C but no MD5, and an unfinished upload stays until it is aborted.

The assembly appends to the file of the first part and deletes the others (`PartAssembly`). Before it starts, the names
of its files are committed to the row of the upload. Once a part was appended completely, only these parts can
complete the upload, and none can be replaced; a failure or a kill of the process leaves an upload that the same request
completes. Requests of one upload exclude each other for the time of one slice of the assembly.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import itertools
import json
import sqlite3
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aip_magics.crc32c import combine_crc32c
from aip_magics.errors import NotFound
from aip_magics.server.gcs.blobs import Blob, new_id
from aip_magics.server.gcs.gcs_errors import conflict, invalid, lost_multipart, no_multipart
from aip_magics.server.gcs.metadata_db import dump
from aip_magics.server.gcs.part_assembly import PartAssembly
from aip_magics.server.gcs.preconditions import ALWAYS, Preconditions
from aip_magics.server.gcs.resources import StoredObject, object_metadata
from aip_magics.server.gcs.store_core import StoreCore

MAX_PARTS = 10_000
MIN_PART = 5 << 20  # bytes; the last part may be smaller
SLICE = 32 << 20  # bytes that are assembled at a time: other requests get the disk threads in between


@dataclasses.dataclass(frozen=True)
class StoredPart:
    """An uploaded part. `size` is in bytes, checksums are base64; `md5` is empty unless the client sent one.

    Computing MD5 would take longer than everything else, and the complete object has none anyway.
    """

    number: int
    file: str
    size: int
    crc32c: str
    md5: str
    created: str

    @property
    def etag(self) -> str:
        """The MD5 in hexadecimal, without quotes; for a part without MD5, its CRC32C and size."""
        return base64.b64decode(self.md5).hex() or f"{base64.b64decode(self.crc32c).hex()}-{self.size:x}"


class _SharedState:
    """What the requests of one upload share while there are any. `files` are the parts of the object `stored`."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.files = ""
        self.stored: StoredObject | None = None


class MultipartUploads:
    """The XML multipart uploads of an object store.

    Methods raise ApiError: 400 for an invalid request, 404 when the upload or bucket does not exist, 409 when the
    upload is being completed with other parts, 412 when a precondition fails.
    """

    def __init__(self, core: StoreCore) -> None:
        self._core = core
        self._shared: weakref.WeakValueDictionary[str, _SharedState] = weakref.WeakValueDictionary()
        self._shared_lock = threading.Lock()

    def start(self, bucket: str, name: str, metadata: Mapping[str, Any]) -> str:
        """Start an upload and return its id."""
        self._core.check(bucket, name)
        id_ = new_id()
        values = (id_, bucket, name, dump(object_metadata(metadata)), self._core.now())
        with self._core.metadata_db.write() as db:
            db.execute("insert into multiparts (id, bucket, name, metadata, created) values (?, ?, ?, ?, ?)", values)
        return id_

    def check(self, bucket: str, name: str, id_: str) -> sqlite3.Row:
        """Return the row of the upload; NotFound when the object has no such upload."""
        sql = "select * from multiparts where id = ? and bucket = ? and name = ?"
        row = self._core.metadata_db.one(sql, id_, bucket, name)
        if row is None:
            self._core.require_bucket(bucket)
            raise no_multipart()
        return row

    def put_part(self, bucket: str, name: str, id_: str, number: int, blob: Blob) -> StoredPart:
        """Store a finished incoming file as part `number` (1 to 10,000); the same number again replaces the part."""
        part = StoredPart(number, blob.id, blob.size, blob.crc32c, blob.md5 or "", self._core.now())
        with self._exclusive(id_), self._core.metadata_db.write() as db:
            if (row := self.check(bucket, name, id_))["assembly"]:
                self._require_not_started(row)
                db.execute("update multiparts set assembly = null where id = ?", (id_,))
            replaced = db.execute("select file from parts where multipart = ? and number = ?", (id_, number)).fetchone()
            db.execute(
                "insert or replace into parts (multipart, number, file, size, crc32c, md5, created) "
                "values (:multipart, :number, :file, :size, :crc32c, :md5, :created)",
                {**vars(part), "multipart": id_},
            )
        self._core.blobs.discard([replaced["file"]] if replaced else [])
        return part

    def list_parts(self, bucket: str, name: str, id_: str) -> list[StoredPart]:
        """Return the uploaded parts, sorted by number."""
        self.check(bucket, name, id_)
        return self._parts(id_)

    def list_unfinished(self, bucket: str, prefix: str = "") -> list[tuple[str, str, str]]:
        """Return (name, id, time) of the bucket's uploads that were neither completed nor aborted."""
        self._core.require_bucket(bucket)
        rows = self._core.metadata_db.all("select * from multiparts where bucket = ? order by name, created", bucket)
        return [(row["name"], row["id"], row["created"]) for row in rows if row["name"].startswith(prefix)]

    def complete(
        self,
        bucket: str,
        name: str,
        id_: str,
        listed: Sequence[tuple[int, str]],
        conditions: Preconditions = ALWAYS,
    ) -> Completion:
        """Start or resume creating the object from the listed parts (number, ETag), in ascending order."""
        with self._exclusive(id_) as shared:
            row = self.check(bucket, name, id_)
            parts = _select_parts(self._parts(id_), listed)
            self._core.check(bucket, name, conditions)
            completion = Completion(self._core, self, shared, row, parts, conditions)
            if row["assembly"] != completion.files:
                self._require_not_started(row)
                completion.record()
        return completion

    def abort(self, bucket: str, name: str, id_: str) -> None:
        """Delete the upload and its parts."""
        with self._exclusive(id_):
            self.delete(bucket, name, id_)

    def delete(self, bucket: str, name: str, id_: str) -> None:
        """Delete the upload and its parts; the caller holds the lock of the upload."""
        with self._core.metadata_db.write() as db:
            self.check(bucket, name, id_)
            files = self.delete_rows(db, id_)
        self._core.blobs.discard(files)

    @contextlib.contextmanager
    def _exclusive(self, id_: str) -> Iterator[_SharedState]:
        """Exclude other requests of the upload; yield what they share."""
        with self._shared_lock:
            shared = self._shared.setdefault(id_, _SharedState())
        with shared.lock:
            yield shared

    def _parts(self, id_: str) -> list[StoredPart]:
        sql = "select number, file, size, crc32c, md5, created from parts where multipart = ? order by number"
        return [StoredPart(**dict(row)) for row in self._core.metadata_db.all(sql, id_)]

    def _require_not_started(self, row: sqlite3.Row) -> None:
        """Raise 409 when parts of an earlier request to complete the upload are no longer separate files."""
        files = set(json.loads(row["assembly"] or "[]"))
        parts = [(part.file, part.size) for part in self._parts(row["id"]) if part.file in files]
        if parts and PartAssembly(self._core.blobs, parts).started:
            text = "The multipart upload is being completed: complete it with the same parts, or abort it."
            raise conflict(text, "OperationAborted")

    def delete_rows(self, db: sqlite3.Connection, id_: str) -> set[str]:
        """Delete the rows of the upload; return the files of its parts, some of which may be gone."""
        files = {row["file"] for row in db.execute("select file from parts where multipart = ?", (id_,))}
        db.execute("delete from multiparts where id = ?", (id_,))
        return files


class Completion:
    """A request to complete an upload: `advance` it until it returns the object.

    Several requests with the same parts advance the same assembly; each of them returns the object.
    """

    def __init__(
        self,
        core: StoreCore,
        uploads: MultipartUploads,
        shared: _SharedState,
        row: sqlite3.Row,
        parts: Sequence[StoredPart],
        conditions: Preconditions,
    ) -> None:
        self._core = core
        self._uploads = uploads
        self._shared = shared
        self._row = row
        self._target = (row["bucket"], row["name"])
        self._conditions = conditions
        self._crc32c = combine_crc32c((part.crc32c, part.size) for part in parts)
        self._assembly = PartAssembly(core.blobs, [(part.file, part.size) for part in parts])
        # Not the numbers: a part may be replaced by one of the same number and ETag, whose file is another one.
        self.files = json.dumps([part.file for part in parts])

    def record(self) -> None:
        """Record which parts are assembled; the caller holds the lock of the upload."""
        try:
            self._assembly.restore_first()  # before its length counts as progress
        except (FileNotFoundError, EOFError):
            raise self._abort_lost() from None
        with self._core.metadata_db.write() as db:
            db.execute("update multiparts set assembly = ? where id = ?", (self.files, self._row["id"]))

    def advance(self) -> StoredObject | None:
        """Assemble a slice; return the object once it is complete."""
        with self._shared.lock:
            if self._shared.stored is not None and self._shared.files == self.files:
                return self._shared.stored
            row = self._uploads.check(*self._target, self._row["id"])  # it may have been aborted
            if row["assembly"] != self.files:
                raise _invalid_part("A part was replaced while the upload was being completed.")
            try:
                if not self._assembly.advance(SLICE):
                    return None
                self._shared.stored = self._publish()
            except (FileNotFoundError, EOFError):
                raise self._abort_lost() from None
            self._shared.files = self.files
            return self._shared.stored

    def _publish(self) -> StoredObject:
        files: set[str] = set()

        def delete_upload(db: sqlite3.Connection, _stored: StoredObject) -> None:
            self._uploads.check(*self._target, self._row["id"])
            files.update(self._uploads.delete_rows(db, self._row["id"]))

        blob = Blob(self._assembly.file, self._assembly.size, self._crc32c, None)
        metadata = json.loads(self._row["metadata"])
        try:
            stored = self._core.publish(*self._target, blob, metadata, self._conditions, in_transaction=delete_upload)
        except NotFound:  # deleted with its bucket, which knew the file only as an incoming one
            self._core.blobs.discard([self._assembly.file])
            raise
        self._core.blobs.discard(files)
        return stored

    def _abort_lost(self) -> Exception:
        """Delete an upload whose files are incomplete; 404 when it was deleted with its bucket."""
        self._uploads.delete(*self._target, self._row["id"])
        return lost_multipart()


def _select_parts(uploaded: Sequence[StoredPart], listed: Sequence[tuple[int, str]]) -> list[StoredPart]:
    by_number = {part.number: part for part in uploaded}
    if not listed:
        raise invalid("At least one part is needed to complete a multipart upload.", xml_code="MalformedXML")
    numbers = [number for number, _ in listed]
    if any(before >= after for before, after in itertools.pairwise(numbers)):
        raise invalid("The parts must be listed in ascending order of their numbers.", xml_code="InvalidPartOrder")
    for number, etag in listed:
        if number not in by_number or by_number[number].etag != etag.strip().strip('"').lower():
            raise _invalid_part(f"Part {number} was not uploaded, or its ETag differs.")
    selected = [by_number[number] for number in numbers]
    for part in selected[:-1]:
        if part.size < MIN_PART:
            text = f"Part {part.number} has {part.size} bytes: all parts except the last must have at least {MIN_PART}."
            raise invalid(text, xml_code="EntityTooSmall")
    return selected


def _invalid_part(message: str) -> Exception:
    return invalid(message, xml_code="InvalidPart")
