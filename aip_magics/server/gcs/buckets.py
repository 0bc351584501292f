"""Buckets: insert, get, list, patch, delete, and their IAM policy."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
import sqlite3
from collections.abc import Mapping
from typing import Any

from aip_magics.server.gcs.gcs_errors import condition_not_met, conflict, invalid, no_bucket
from aip_magics.server.gcs.metadata_db import dump, part_files, read_bucket
from aip_magics.server.gcs.names import check_bucket_name
from aip_magics.server.gcs.preconditions import ALWAYS, Preconditions
from aip_magics.server.gcs.resources import Bucket, bucket_metadata, patched_bucket
from aip_magics.server.gcs.store_core import StoreCore

_OWNED = "Your previous request to create the named bucket succeeded and you already own it."
_TAKEN = (
    "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
    "Please select a different name and try again."
)
_NOT_EMPTY = "The bucket you tried to delete is not empty."


class Buckets:
    """The buckets of a store. Every method raises ApiError: 400 bad request, 404 no such bucket, 409, 412, 304."""

    def __init__(self, core: StoreCore) -> None:
        self._core = core

    def create(self, project: str, given: Mapping[str, Any]) -> Bucket:
        """Make a bucket from a `storage#bucket` resource: `name`, `location` (US when left out) and the rest."""
        name = check_bucket_name(given.get("name"))
        if not project:
            raise invalid("Required parameter: project", "required")
        metadata = bucket_metadata(given)
        location = _location(given.get("location") or "US")
        with self._core.index.write() as db:
            row = db.execute("select project from buckets where name = ?", (name,)).fetchone()
            if row:
                owned = row["project"] == project
                raise conflict(*((_OWNED, "BucketAlreadyOwnedByYou") if owned else (_TAKEN, "BucketAlreadyExists")))
            now = self._core.now()
            bucket = Bucket(name, project, location, 1, self._core.next_generation(), now, now, metadata)
            values = {**vars(bucket), "metadata": dump(metadata)}
            db.execute(
                "insert into buckets (name, project, location, generation, metageneration, created, updated, metadata) "
                "values (:name, :project, :location, :generation, :metageneration, :created, :updated, :metadata)",
                values,
            )
        return bucket

    def get(self, name: str, conditions: Preconditions = ALWAYS) -> Bucket:
        """The bucket. NotFound when it is missing."""
        row = self._core.index.one("select * from buckets where name = ?", name)
        if row is None:
            raise no_bucket()
        bucket = read_bucket(row)
        conditions.check(bucket.generation, bucket.metageneration, reading=True)
        return bucket

    def list(self, project: str, prefix: str = "", after: str = "", limit: int = 1000) -> list[Bucket]:
        """Up to `limit` buckets of the project whose name begins with `prefix` and is greater than `after`."""
        sql = "select * from buckets where project = ? and name > ? order by name"
        rows = self._core.index.all(sql, project, after)
        return [read_bucket(row) for row in rows if row["name"].startswith(prefix)][:limit]

    def patch(
        self, name: str, changes: Mapping[str, Any], conditions: Preconditions = ALWAYS, *, replace: bool = False
    ) -> Bucket:
        """Change metadata (JSON merge patch; with `replace` the given fields are all there is)."""
        with self._core.index.write() as db:
            before = _existing(db, name)
            conditions.check(before.generation, before.metageneration)
            metadata = bucket_metadata(changes) if replace else patched_bucket(before.metadata, changes)
            after = dataclasses.replace(
                before, metadata=metadata, metageneration=before.metageneration + 1, updated=self._core.now()
            )
            db.execute(
                "update buckets set metadata = ?, metageneration = ?, updated = ? where name = ?",
                (dump(metadata), after.metageneration, after.updated, name),
            )
        return after

    def delete(self, name: str, conditions: Preconditions = ALWAYS) -> None:
        """Delete an empty bucket, with its unfinished uploads; 409 when it holds objects."""
        with self._core.index.write() as db:
            bucket = _existing(db, name)
            conditions.check(bucket.generation, bucket.metageneration)
            if db.execute("select 1 from objects where bucket = ? limit 1", (name,)).fetchone():
                raise conflict(_NOT_EMPTY, "BucketNotEmpty")
            files = part_files(db, name)
            db.execute("delete from multiparts where bucket = ?", (name,))
            db.execute("delete from buckets where name = ?", (name,))
        self._core.blobs.discard(files)

    def policy(self, name: str) -> dict[str, Any]:
        """The IAM policy; without one, nobody is granted anything beyond the owner of the server."""
        self.get(name)
        row = self._core.index.one("select policy from buckets where name = ?", name)
        given = json.loads(row["policy"]) if row and row["policy"] else {"version": 1, "bindings": []}
        etag = base64.b64encode(hashlib.sha256(dump(given).encode()).digest()[:8]).decode()
        return {"kind": "storage#policy", "resourceId": f"projects/_/buckets/{name}", **given, "etag": etag}

    def set_policy(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Keep an IAM policy; 412 when its `etag` is not that of the current one. Nothing here enforces it."""
        bindings = given.get("bindings", [])
        if not isinstance(bindings, list) or not all(isinstance(item, dict) and "role" in item for item in bindings):
            raise invalid("bindings must be a list of objects with role and members.")
        with self._core.index.write() as db:
            current = self.policy(name)
            if given.get("etag") not in (None, "", current["etag"]):
                raise condition_not_met()
            kept = dump({"version": given.get("version", 1), "bindings": bindings})
            db.execute("update buckets set policy = ? where name = ?", (kept, name))
        return self.policy(name)


def _existing(db: sqlite3.Connection, name: str) -> Bucket:
    row = db.execute("select * from buckets where name = ?", (name,)).fetchone()
    if row is None:
        raise no_bucket()
    return read_bucket(row)


def _location(given: object) -> str:
    if not isinstance(given, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{1,40}", given):
        raise invalid("The specified location constraint is not valid: a region such as US-CENTRAL1 is wanted.")
    return given.upper()
