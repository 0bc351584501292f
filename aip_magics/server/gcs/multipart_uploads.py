"""XML multipart uploads: parts arrive in any order and in parallel, and are concatenated at the end.

As in Cloud Storage, the object has a CRC32C but no MD5, and an unfinished upload stays until it is aborted.
"""

from __future__ import annotations

import base64
import dataclasses
import itertools
import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from aip_magics.crc32c import combine_crc32c
from aip_magics.server.gcs.blobs import Blob, new_id
from aip_magics.server.gcs.gcs_errors import invalid, no_multipart
from aip_magics.server.gcs.metadata_db import dump
from aip_magics.server.gcs.preconditions import ALWAYS, Preconditions
from aip_magics.server.gcs.resources import StoredObject, object_metadata
from aip_magics.server.gcs.store_core import StoreCore

MAX_PARTS = 10_000
MIN_PART = 5 << 20  # bytes; the last part may be smaller


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


class MultipartUploads:
    """The XML multipart uploads of an object store.

    Methods raise ApiError: 400 for an invalid request, 404 when the upload or bucket does not exist, 412 when a
    precondition fails.
    """

    def __init__(self, core: StoreCore) -> None:
        self._core = core

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
        with self._core.metadata_db.write() as db:
            self.check(bucket, name, id_)
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
        sql = "select number, file, size, crc32c, md5, created from parts where multipart = ? order by number"
        return [StoredPart(**dict(row)) for row in self._core.metadata_db.all(sql, id_)]

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
    ) -> StoredObject:
        """Create the object from the listed parts (number, ETag), in ascending order."""
        row = self.check(bucket, name, id_)
        parts = _select_parts(self.list_parts(bucket, name, id_), listed)
        try:
            file, size = self._core.blobs.concatenate(self._core.blobs.incoming(part.file) for part in parts)
        except FileNotFoundError:
            raise _invalid_part("A part was replaced while the upload was being completed.") from None
        crc32c = combine_crc32c((part.crc32c, part.size) for part in parts)
        files: set[str] = set()

        def delete_upload(db: sqlite3.Connection, _stored: StoredObject) -> None:
            self.check(bucket, name, id_)  # another request may have aborted or completed the upload
            files.update(self._delete(db, id_))

        metadata = json.loads(row["metadata"])
        blob = Blob(file, size, crc32c, None)
        stored = self._core.publish(bucket, name, blob, metadata, conditions, in_transaction=delete_upload)
        self._core.blobs.discard(files)
        return stored

    def abort(self, bucket: str, name: str, id_: str) -> None:
        """Delete the upload and its parts."""
        with self._core.metadata_db.write() as db:
            self.check(bucket, name, id_)
            files = self._delete(db, id_)
        self._core.blobs.discard(files)

    def _delete(self, db: sqlite3.Connection, id_: str) -> set[str]:
        files = {row["file"] for row in db.execute("select file from parts where multipart = ?", (id_,))}
        db.execute("delete from multiparts where id = ?", (id_,))
        return files


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
