"""Buckets of the object store: create, get, list, patch, delete, and their IAM policies."""

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
from aip_magics.server.gcs.object_listing import prefix_end
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
    """The buckets of an object store.

    Methods raise ApiError: 400 for an invalid request, 404 when the bucket does not exist, 409 for a conflict, and 412
    or 304 when a precondition fails.
    """

    def __init__(self, core: StoreCore) -> None:
        self._core = core

    def create(self, project: str, resource: Mapping[str, Any]) -> Bucket:
        """Create a bucket from a `storage#bucket` resource; the default location is US."""
        name = check_bucket_name(resource.get("name"))
        if not project:
            raise invalid("Required parameter: project", "required")
        metadata = bucket_metadata(resource)
        location = _location(resource.get("location") or "US")
        with self._core.metadata_db.write() as db:
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
        """Return the bucket; NotFound when it does not exist."""
        row = self._core.metadata_db.one("select * from buckets where name = ?", name)
        if row is None:
            raise no_bucket()
        bucket = read_bucket(row)
        conditions.check(bucket.generation, bucket.metageneration, reading=True)
        return bucket

    def list(self, project: str, prefix: str = "", after: str = "", limit: int = 1000) -> list[Bucket]:
        """Return up to `limit` buckets of the project whose names start with `prefix` and sort after `after`."""
        sql = "select * from buckets where project = ? and name > ? and name >= ?"
        args: list[Any] = [project, after, prefix]
        end = prefix_end(prefix)
        if end is not None:
            sql, args = f"{sql} and name < ?", [*args, end]
        return [read_bucket(row) for row in self._core.metadata_db.all(f"{sql} order by name limit ?", *args, limit)]

    def patch(
        self, name: str, changes: Mapping[str, Any], conditions: Preconditions = ALWAYS, *, replace: bool = False
    ) -> Bucket:
        """Update metadata by a JSON merge patch; with `replace`, `changes` replaces all fields."""
        with self._core.metadata_db.write() as db:
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
        """Delete an empty bucket and its unfinished uploads; 409 when it contains objects."""
        with self._core.metadata_db.write() as db:
            bucket = _existing(db, name)
            conditions.check(bucket.generation, bucket.metageneration)
            if db.execute("select 1 from objects where bucket = ? limit 1", (name,)).fetchone():
                raise conflict(_NOT_EMPTY, "BucketNotEmpty")
            files = part_files(db, name)
            db.execute("delete from multiparts where bucket = ?", (name,))
            db.execute("delete from buckets where name = ?", (name,))
        self._core.blobs.discard(files)

    def get_policy(self, name: str) -> dict[str, Any]:
        """Return the IAM policy; a bucket without one has a policy without bindings."""
        self.get(name)
        row = self._core.metadata_db.one("select policy from buckets where name = ?", name)
        policy = json.loads(row["policy"]) if row and row["policy"] else {"version": 1, "bindings": []}
        etag = base64.b64encode(hashlib.sha256(dump(policy).encode()).digest()[:8]).decode()
        return {"kind": "storage#policy", "resourceId": f"projects/_/buckets/{name}", **policy, "etag": etag}

    def set_policy(self, name: str, policy: Mapping[str, Any]) -> dict[str, Any]:
        """Store an IAM policy; 412 when its `etag` differs from the current one. The policy is not enforced."""
        bindings = policy.get("bindings", [])
        if not isinstance(bindings, list) or not all(isinstance(item, dict) and "role" in item for item in bindings):
            raise invalid("bindings must be a list of objects with role and members.")
        with self._core.metadata_db.write() as db:
            current = self.get_policy(name)
            if policy.get("etag") not in (None, "", current["etag"]):
                raise condition_not_met()
            stored = dump({"version": policy.get("version", 1), "bindings": bindings})
            db.execute("update buckets set policy = ? where name = ?", (stored, name))
        return self.get_policy(name)


def _existing(db: sqlite3.Connection, name: str) -> Bucket:
    row = db.execute("select * from buckets where name = ?", (name,)).fetchone()
    if row is None:
        raise no_bucket()
    return read_bucket(row)


def _location(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{1,40}", value):
        raise invalid("The specified location constraint is not valid: expected a region such as US-CENTRAL1.")
    return value.upper()
