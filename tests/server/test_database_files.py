"""The SQLite files of the server: they shrink after deletions, and files of earlier releases are converted."""

from __future__ import annotations

import contextlib
import dataclasses
import sqlite3
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest
from server_process import wait_until

from aip_magics.server import database_files
from aip_magics.server.gcs import ObjectStore
from aip_magics.server.gcs.metadata_db import MIGRATIONS, put_object
from aip_magics.server.names import ModelKey
from aip_magics.server.state.database import Database, ModelRow
from aip_magics.server.state.operations_table import MAX_FINISHED_OPERATIONS, OperationRow
from aip_magics.spec import Model, Operation

ROWS = 20_000
MANY = 1 << 20  # bytes that the rows of a test need at least
NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)


def size(path: Path) -> int:
    """The bytes of a database and its write-ahead log."""
    files = (path, path.with_name(f"{path.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def auto_vacuum(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path)) as db:
        (mode,) = db.execute("pragma auto_vacuum").fetchone()
    return int(mode)


@pytest.fixture(autouse=True)
def shrinks_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_files, "DELAY_SECONDS", 0.2)


def test_database_files_keep_what_was_committed_when_no_thread_can_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    store = ObjectStore(tmp_path, lambda: NOW)
    try:
        with monkeypatch.context() as limited:
            limited.setattr(threading.Timer, "start", refuse)
            wait_until(lambda: store.metadata_db._shrinker._timer is None)  # of the writes of the start
            store.buckets.create("demo", {"name": "bucket"})
            stored = store.commit("bucket", "x", store.writer(), [b"data"])
        assert store.path(stored).read_bytes() == b"data"
        store.delete("bucket", "x")
        assert store.metadata_db._shrinker._timer is not None  # there are threads again
    finally:
        store.close()


@pytest.mark.slow
def test_database_files_of_objects_shrink_when_all_are_deleted(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path, lambda: NOW)
    index = tmp_path / "objects" / "index.sqlite"
    try:
        store.buckets.create("demo", {"name": "bucket"})
        first = store.commit("bucket", "0", store.writer(), [b"data"], metadata={"metadata": {"a": "b" * 100}})
        before = size(index)
        with store.metadata_db.write() as db:
            for number in range(1, ROWS):
                put_object(db, dataclasses.replace(first, name=str(number)))
        assert size(index) > before + 5 * MANY
        with store.metadata_db.write() as db:
            db.execute("delete from objects where length(name) > 3")
        for number in range(1000):
            store.delete("bucket", str(number))
        wait_until(lambda: size(index) < before + MANY // 4)
        assert store.list("bucket") == []
        assert not any(path.is_file() for path in (tmp_path / "objects" / "blobs").rglob("*"))
    finally:
        store.close()


@pytest.mark.slow
def test_database_files_of_models_shrink_when_all_are_deleted(tmp_path: Path) -> None:
    path = tmp_path / "db"
    database = Database(path)
    try:
        before = size(path)
        keys = [ModelKey("global", "proj", f"m{number}") for number in range(2_000)]
        for key in keys:
            database.create_model(ModelRow(key, Model(description="d" * 1500), None))
        assert size(path) > before + 2 * MANY
        for key in keys:
            operation = Operation(f"projects/proj/operations/delete_{key.model}-1795438005632", None, True)
            database.delete_model(key, OperationRow("global", "proj", key.model, None, operation))
        assert len(database.list_operations("global", "proj", None, len(keys))) == MAX_FINISHED_OPERATIONS
        wait_until(lambda: size(path) < before + MANY // 2)  # which the operations need
    finally:
        database.close()


@pytest.mark.slow
def test_database_files_shrink_in_slices_between_which_others_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_files, "PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(database_files, "SLICE_PAGES", 16)
    path = tmp_path / "db"
    with contextlib.closing(database_files.connect(path)) as db:
        shrinker = database_files.FileShrinker(path)
        db.execute("create table rows (text)")
        db.execute("begin")
        db.executemany("insert into rows values (?)", [("x" * 1000,)] * 2000)
        db.execute("commit")
        db.execute("delete from rows")
        pages = []
        shrinker.note_write()
        wait_until(lambda: pages.append(_pages(db)) or pages[-1] < pages[0])
        written = 0
        while _pages(db) > 20 and written < 1000:
            db.execute("insert into rows values ('new')")  # waits for a slice at most, not until all is done
            shrinker.note_write()
            written += 1
            time.sleep(0.005)
        assert 10 < written < 1000
        assert db.execute("select count(*) from rows").fetchone()[0] == written
        shrinker.close()


def _pages(db: sqlite3.Connection) -> int:
    return int(db.execute("pragma page_count").fetchone()[0])


@pytest.mark.slow
def test_database_files_log_is_emptied_once_nothing_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with contextlib.closing(database_files.connect(path)) as db:
        shrinker = database_files.FileShrinker(path)
        db.execute("create table rows (text)")
        db.executemany("insert into rows values (?)", [("x" * 1000,)] * 500)
        with contextlib.closing(database_files.connect(path)) as reader:
            cursor = reader.execute("select * from rows")
            cursor.fetchone()
            shrinker._run()
            assert path.with_name("db-wal").stat().st_size > MANY // 4
            cursor.close()
        wait_until(lambda: not path.with_name("db-wal").stat().st_size)  # by the timer that was started again
        shrinker.close()


def test_database_files_are_left_alone_when_little_is_free(tmp_path: Path) -> None:
    path = tmp_path / "db"
    with contextlib.closing(database_files.connect(path)) as db:
        shrinker = database_files.FileShrinker(path)
        db.execute("create table rows (number integer primary key, text)")
        db.executemany("insert into rows values (?, ?)", [(number, "x" * 1000) for number in range(2000)])
        db.execute("delete from rows where number < 200")
        free = db.execute("pragma freelist_count").fetchone()[0]
        shrinker._run()
        assert db.execute("pragma freelist_count").fetchone()[0] == free > database_files.MIN_FREE_PAGES
        assert path.with_name("db-wal").stat().st_size == 0  # but the log, which the next checkpoint empties, is


def test_database_files_threads_end_with_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_files, "DELAY_SECONDS", 60.0)
    before = threading.active_count()
    database = Database(tmp_path / "db")
    database.create_model(ModelRow(ModelKey("global", "proj", "m"), Model(), None))
    assert threading.active_count() == before + 1
    database.close()
    assert threading.active_count() == before


Open = Callable[[Path], object]


def old_file(path: Path, *, kept: int, deleted: int) -> None:
    """A file as earlier releases created it, with rows of 1 kB."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("pragma journal_mode = wal")
        db.execute("create table rows (number integer primary key, text)")
        db.execute("begin")
        db.executemany("insert into rows values (?, ?)", [(n, "x" * 1000) for n in range(kept + deleted)])
        db.execute("commit")
        db.execute("delete from rows where number >= ?", (kept,))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kept", "deleted", "mode"),
    [(0, 0, 2), (50, 0, 2), (3000, 0, 0), (3000, 500, 0), (3000, 3000, 2), (0, 3000, 2)],
    ids=["empty", "small", "full", "mostly full", "half free", "all free"],
)
def test_database_files_of_earlier_releases_are_converted_where_it_is_worth_it(
    tmp_path: Path, kept: int, deleted: int, mode: int
) -> None:
    path = tmp_path / "db"
    old_file(path, kept=kept, deleted=deleted)
    before = path.stat().st_size
    with contextlib.closing(database_files.connect(path)) as db:
        database_files.convert(db)
        assert db.execute("select count(*) from rows where length(text) = 1000").fetchone()[0] == kept
    assert auto_vacuum(path) == mode
    freed = 900 * deleted if mode else 0
    assert path.stat().st_size <= before - freed + 4096  # a page that says which page refers to which


def test_database_files_of_an_old_object_store_are_converted_at_start(tmp_path: Path) -> None:
    index = tmp_path / "objects" / "index.sqlite"
    index.parent.mkdir()
    with contextlib.closing(sqlite3.connect(index)) as db:
        db.executescript(f"{MIGRATIONS[0]} pragma user_version = 1;")
        db.execute("insert into buckets values ('bucket', 'demo', 'US', 1, 1, 'created', 'updated', '{}', null)")
        db.commit()
    store = ObjectStore(tmp_path, lambda: NOW)
    try:
        assert auto_vacuum(index) == 2
        assert store.buckets.get("bucket").project == "demo"
        stored = store.commit("bucket", "new", store.writer(), [b"data"])
        assert store.list("bucket") == [stored]
    finally:
        store.close()
