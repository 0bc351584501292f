"""Metadata of the object store in SQLite (WAL): one connection, one writer at a time, numbered migrations."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

from aip_magics.errors import ServerError
from aip_magics.server import database_files
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
    # The files of the parts that are being assembled, as a JSON list (see multipart_uploads).
    "alter table multiparts add column assembly text;",
    "create index sessions_created on sessions (created);",
)

_OBJECT_COLUMNS = "bucket name size crc32c md5 generation metageneration created updated blob components metadata"
_PUT_OBJECT = (
    f"insert or replace into objects ({_OBJECT_COLUMNS.replace(' ', ', ')}) "
    f"values ({', '.join(':' + column for column in _OBJECT_COLUMNS.split())})"
)


class MetadataDatabase:
    """Rows of buckets, objects and unfinished uploads. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._db = database_files.connect(path, any_thread=True)
        self._shrinker = database_files.FileShrinker(path)
        try:
            self._migrate(path)
            database_files.convert(self._db)
            self._db.execute("pragma temp_store = memory").close()  # after the conversion, which needs a file
        except BaseException:
            self._db.close()
            raise

    def _migrate(self, path: Path) -> None:
        (version,) = self._db.execute("pragma user_version").fetchone()
        if version > len(MIGRATIONS):
            raise ServerError(
                "the object store was written by a newer version of aip-magics",
                where=str(path),
                fix="upgrade aip-magics, or use another data directory",
            )
        for number, script in enumerate(MIGRATIONS[version:], version + 1):
            self._db.executescript(f"begin immediate; {script} pragma user_version = {number}; commit;")

    def close(self) -> None:
        """Close the database."""
        self._shrinker.close()
        with self._lock:
            self._db.close()

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Run a transaction: committed at the end, rolled back on an exception."""
        with self._lock:
            self._db.execute("begin immediate")
            try:
                yield self._db
                self._db.execute("commit")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("rollback")
                raise
        self._shrinker.note_write()

    def rows(self, sql: str, *args: Any) -> Generator[sqlite3.Row, None, None]:
        """Yield rows one by one; no other thread reads or writes until the iterator is exhausted or closed."""
        with self._lock, contextlib.closing(self._db.execute(sql, args)) as cursor:
            yield from cursor

    def all(self, sql: str, *args: Any) -> list[sqlite3.Row]:
        """Return all rows."""
        with self._lock:
            return self._db.execute(sql, args).fetchall()

    def one(self, sql: str, *args: Any) -> sqlite3.Row | None:
        """Return the first row, or None."""
        return next(iter(self.all(sql, *args)), None)


def read_object(row: sqlite3.Row) -> StoredObject:
    """Build an object from its row."""
    return StoredObject(**{**dict(row), "metadata": json.loads(row["metadata"])})


def find_object(db: sqlite3.Connection | MetadataDatabase, bucket: str, name: str) -> StoredObject | None:
    """Return the object, or None when it does not exist."""
    sql = "select * from objects where bucket = ? and name = ?"
    row = db.one(sql, bucket, name) if isinstance(db, MetadataDatabase) else db.execute(sql, (bucket, name)).fetchone()
    return read_object(row) if row else None


def put_object(db: sqlite3.Connection, stored: StoredObject) -> None:
    """Insert or replace the row of an object."""
    db.execute(_PUT_OBJECT, {**vars(stored), "metadata": dump(stored.metadata)})


def unused_blob(db: sqlite3.Connection, blob: str) -> bool:
    """Return whether no object uses the blob (copies share one)."""
    return db.execute("select 1 from objects where blob = ? limit 1", (blob,)).fetchone() is None


def read_bucket(row: sqlite3.Row) -> Bucket:
    """Build a bucket from its row."""
    values = dict(row)
    values.pop("policy")
    return Bucket(**{**values, "metadata": json.loads(values["metadata"])})


def dump(value: Mapping[str, Any]) -> str:
    """Serialize a value for a JSON column."""
    return json.dumps(value, separators=(",", ":"))


def part_files(db: sqlite3.Connection, bucket: str | None = None) -> set[str]:
    """Return the incoming files of unfinished multipart uploads: of one bucket, by default of all."""
    sql = "select file from parts"
    if bucket is None:
        return {row["file"] for row in db.execute(sql)}
    sql += " join multiparts on multiparts.id = parts.multipart where bucket = ?"
    return {row["file"] for row in db.execute(sql, (bucket,))}
