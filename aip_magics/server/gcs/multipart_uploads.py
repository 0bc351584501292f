"""XML multipart uploads: parts arrive in any order and in parallel, and are put together at the end.

As at the service, the result has a CRC32C but no MD5, and an unfinished upload stays until it is aborted.
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
    """One part that is there. `size` in bytes, checksums base64; `md5` empty where its sender did not say one.

    MD5 would take longer than all else, and the whole object has none anyway.
    """

    number: int
    file: str
    size: int
    crc32c: str
    md5: str
    created: str

    @property
    def etag(self) -> str:
        """The MD5 in hexadecimal, without quotes; of a part without, what else says its content."""
        return base64.b64decode(self.md5).hex() or f"{base64.b64decode(self.crc32c).hex()}-{self.size:x}"


class MultipartUploads:
    """The XML multipart uploads of a store. Every method raises ApiError: 400, 404 no such upload or bucket, 412."""

    def __init__(self, core: StoreCore) -> None:
        self._core = core

    def start(self, bucket: str, name: str, metadata: Mapping[str, Any]) -> str:
        """Begin an upload; returns its id."""
        self._core.check(bucket, name)
        id_ = new_id()
        values = (id_, bucket, name, dump(object_metadata(metadata)), self._core.now())
        with self._core.index.write() as db:
            db.execute("insert into multiparts (id, bucket, name, metadata, created) values (?, ?, ?, ?, ?)", values)
        return id_

    def check(self, bucket: str, name: str, id_: str) -> sqlite3.Row:
        """NotFound when this object has no such upload."""
        sql = "select * from multiparts where id = ? and bucket = ? and name = ?"
        row = self._core.index.one(sql, id_, bucket, name)
        if row is None:
            self._core.require_bucket(bucket)
            raise no_multipart()
        return row

    def put(self, bucket: str, name: str, id_: str, number: int, blob: Blob) -> StoredPart:
        """Keep a finished incoming file as part `number` (1 to 10,000); the same number again replaces it."""
        part = StoredPart(number, blob.id, blob.size, blob.crc32c, blob.md5 or "", self._core.now())
        with self._core.index.write() as db:
            self.check(bucket, name, id_)
            found = db.execute("select file from parts where multipart = ? and number = ?", (id_, number)).fetchone()
            db.execute(
                "insert or replace into parts (multipart, number, file, size, crc32c, md5, created) "
                "values (:multipart, :number, :file, :size, :crc32c, :md5, :created)",
                {**vars(part), "multipart": id_},
            )
        self._core.blobs.discard([found["file"]] if found else [])
        return part

    def parts(self, bucket: str, name: str, id_: str) -> list[StoredPart]:
        """The parts that are there, by number."""
        self.check(bucket, name, id_)
        sql = "select number, file, size, crc32c, md5, created from parts where multipart = ? order by number"
        return [StoredPart(**dict(row)) for row in self._core.index.all(sql, id_)]

    def unfinished(self, bucket: str, prefix: str = "") -> list[tuple[str, str, str]]:
        """(name, id, time) of the bucket's uploads that were neither completed nor aborted."""
        self._core.require_bucket(bucket)
        rows = self._core.index.all("select * from multiparts where bucket = ? order by name, created", bucket)
        return [(row["name"], row["id"], row["created"]) for row in rows if row["name"].startswith(prefix)]

    def complete(
        self,
        bucket: str,
        name: str,
        id_: str,
        wanted: Sequence[tuple[int, str]],
        conditions: Preconditions = ALWAYS,
    ) -> StoredObject:
        """Make the object from the wanted parts (number, ETag), in ascending order."""
        row = self.check(bucket, name, id_)
        chosen = _choose(self.parts(bucket, name, id_), wanted)
        try:
            file, size = self._core.blobs.concatenate(self._core.blobs.incoming(part.file) for part in chosen)
        except FileNotFoundError:
            raise _invalid_part("A part was replaced while the upload was being completed.") from None
        crc32c = combine_crc32c((part.crc32c, part.size) for part in chosen)
        files: set[str] = set()

        def also(db: sqlite3.Connection, _made: StoredObject) -> None:
            self.check(bucket, name, id_)  # aborted or completed by someone else meanwhile
            files.update(self._drop(db, id_))

        metadata = json.loads(row["metadata"])
        stored = self._core.publish(bucket, name, Blob(file, size, crc32c, None), metadata, conditions, also=also)
        self._core.blobs.discard(files)
        return stored

    def abort(self, bucket: str, name: str, id_: str) -> None:
        """Drop the upload and its parts."""
        with self._core.index.write() as db:
            self.check(bucket, name, id_)
            files = self._drop(db, id_)
        self._core.blobs.discard(files)

    def _drop(self, db: sqlite3.Connection, id_: str) -> set[str]:
        files = {row["file"] for row in db.execute("select file from parts where multipart = ?", (id_,))}
        db.execute("delete from multiparts where id = ?", (id_,))
        return files


def _choose(there: Sequence[StoredPart], wanted: Sequence[tuple[int, str]]) -> list[StoredPart]:
    by_number = {part.number: part for part in there}
    if not wanted:
        raise invalid("At least one part is needed to complete a multipart upload.", xml_code="MalformedXML")
    numbers = [number for number, _ in wanted]
    if any(before >= after for before, after in itertools.pairwise(numbers)):
        raise invalid("The parts must be listed in ascending order of their numbers.", xml_code="InvalidPartOrder")
    for number, etag in wanted:
        if number not in by_number or by_number[number].etag != etag.strip().strip('"').lower():
            raise _invalid_part(f"Part {number} was not uploaded, or has another ETag.")
    chosen = [by_number[number] for number in numbers]
    for part in chosen[:-1]:
        if part.size < MIN_PART:
            text = f"Part {part.number} has {part.size} bytes: all parts but the last need at least {MIN_PART}."
            raise invalid(text, xml_code="EntityTooSmall")
    return chosen


def _invalid_part(message: str) -> Exception:
    return invalid(message, xml_code="InvalidPart")
