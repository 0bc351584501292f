"""The index: SQLite (WAL), one connection, one writer at a time, numbered migrations.

A commit is not forced to the disk (`synchronous=NORMAL`): it survives a kill of the process at any point; after a loss
of power the index is consistent but may lack the last moments.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

from aip_magics.errors import ServerError
from aip_magics.server.gcs.resources import Bucket, StoredObject

MIGRATIONS = (
    """
    create table buckets (
        name text primary key, project text not null, location text not null, generation integer not null,
        metageneration integer not null, created text not null, updated text not null, metadata text not null,
        policy text
    ) without rowid;
    create table objects (
        bucket text not null, name text not null, size integer not null, crc32c text not null, md5 text,
        generation integer not null, metageneration integer not null, created text not null, updated text not null,
        blob text not null, components integer, metadata text not null, primary key (bucket, name)
    ) without rowid;
    create index objects_blob on objects (blob);
    create table sessions (
        id text primary key, bucket text not null, name text not null, metadata text not null,
        conditions text not null, claims text not null, total integer, created text not null, result text
    ) without rowid;
    create table multiparts (
        id text primary key, bucket text not null, name text not null, metadata text not null, created text not null
    ) without rowid;
    create table parts (
        multipart text not null references multiparts (id) on delete cascade, number integer not null,
        file text not null, size integer not null, crc32c text not null, md5 text not null, created text not null,
        primary key (multipart, number)
    ) without rowid;
    """,
)

_OBJECT_COLUMNS = "bucket name size crc32c md5 generation metageneration created updated blob components metadata"
_PUT_OBJECT = (
    f"insert or replace into objects ({_OBJECT_COLUMNS.replace(' ', ', ')}) "
    f"values ({', '.join(':' + column for column in _OBJECT_COLUMNS.split())})"
)


class MetadataDatabase:
    """Rows of buckets, objects and unfinished uploads. May be used from any thread."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._db.row_factory = sqlite3.Row
            for pragma in ("journal_mode=wal", "synchronous=normal", "foreign_keys=on", "temp_store=memory"):
                self._db.execute(f"pragma {pragma}").close()
            self._migrate(path)
        except BaseException:
            self._db.close()
            raise

    def _migrate(self, path: Path) -> None:
        (version,) = self._db.execute("pragma user_version").fetchone()
        if version > len(MIGRATIONS):
            raise ServerError(
                "the object store was written by a newer aip-magics",
                where=str(path),
                fix="upgrade aip-magics, or use another data directory",
            )
        for number, script in enumerate(MIGRATIONS[version:], version + 1):
            self._db.executescript(f"begin immediate; {script} pragma user_version = {number}; commit;")

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction: committed at the end, rolled back by an exception."""
        with self._lock:
            self._db.execute("begin immediate")
            try:
                yield self._db
                self._db.execute("commit")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("rollback")
                raise

    def rows(self, sql: str, *args: Any) -> Generator[sqlite3.Row, None, None]:
        """Rows one by one; nobody else reads or writes until the iterator is used up or closed."""
        with self._lock, contextlib.closing(self._db.execute(sql, args)) as cursor:
            yield from cursor

    def all(self, sql: str, *args: Any) -> list[sqlite3.Row]:
        with self._lock:
            return self._db.execute(sql, args).fetchall()

    def one(self, sql: str, *args: Any) -> sqlite3.Row | None:
        return next(iter(self.all(sql, *args)), None)


def read_object(row: sqlite3.Row) -> StoredObject:
    return StoredObject(**{**dict(row), "metadata": json.loads(row["metadata"])})


def find_object(db: sqlite3.Connection | MetadataDatabase, bucket: str, name: str) -> StoredObject | None:
    sql = "select * from objects where bucket = ? and name = ?"
    row = db.one(sql, bucket, name) if isinstance(db, MetadataDatabase) else db.execute(sql, (bucket, name)).fetchone()
    return read_object(row) if row else None


def put_object(db: sqlite3.Connection, stored: StoredObject) -> None:
    db.execute(_PUT_OBJECT, {**vars(stored), "metadata": dump(stored.metadata)})


def unused_blob(db: sqlite3.Connection, blob: str) -> bool:
    """Whether no object uses this blob any more (copies share one)."""
    return db.execute("select 1 from objects where blob = ? limit 1", (blob,)).fetchone() is None


def read_bucket(row: sqlite3.Row) -> Bucket:
    values = dict(row)
    values.pop("policy")
    return Bucket(**{**values, "metadata": json.loads(values["metadata"])})


def dump(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))


def part_files(db: sqlite3.Connection, bucket: str | None = None) -> set[str]:
    """The incoming files that are parts of unfinished multipart uploads (of this bucket, where one is given)."""
    sql = "select file from parts"
    if bucket is None:
        return {row["file"] for row in db.execute(sql)}
    sql += " join multiparts on multiparts.id = parts.multipart where bucket = ?"
    return {row["file"] for row in db.execute(sql, (bucket,))}
