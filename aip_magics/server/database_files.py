"""SQLite files of the server: how they are opened, and how the pages that deletions free return to the disk.

SQLite marks the pages of deleted rows as free and keeps them in the file; the write-ahead log keeps the size of its
largest transaction. A `FileShrinker` gives both back, off the requests' way: in a thread of its own, with a connection
of its own, in transactions of a few milliseconds. It is started by writes: nothing wakes up while nothing happens.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
from pathlib import Path

log = logging.getLogger(__name__)

DELAY_SECONDS = 2.0  # between a write and the thread that gives back what it freed
PAUSE_SECONDS = 0.002  # between two slices, in which a request can write
SLICE_PAGES = 64  # moved in one transaction: 256 KiB
MIN_FREE_PAGES = 16
FREE_SHARE = 4  # a file is shrunk when one page in so many is free: a file that is soon full again is left alone
SMALL_FILE_PAGES = 256  # vacuumed within some milliseconds
MAX_WAL_BYTES = 1 << 20  # kept by the write-ahead log after a checkpoint
_INCREMENTAL = 2  # of `pragma auto_vacuum`


def connect(path: Path, *, any_thread: bool = False) -> sqlite3.Connection:
    """Open a database in autocommit mode, with rows by name; `any_thread` when the caller has a lock of its own.

    A commit is not forced to the disk (`synchronous=NORMAL`): it survives a kill of the process at any point; after a
    power failure the database is consistent but may lack the last commits.
    """
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=not any_thread)
    try:
        db.row_factory = sqlite3.Row
        db.execute("pragma auto_vacuum = incremental")  # first: has an effect on a file without tables only
        for pragma in ("journal_mode = wal", "synchronous = normal", "foreign_keys = on"):
            db.execute(f"pragma {pragma}").close()
        db.execute(f"pragma journal_size_limit = {MAX_WAL_BYTES}").close()
    except BaseException:
        db.close()
        raise
    return db


def convert(db: sqlite3.Connection) -> None:
    """Convert a file of a release without incremental vacuum, if it is small or at least a quarter of it is free.

    VACUUM copies all that is not free, so any other file waits for a start at which that is worth it. Without the disk
    space for it the file stays as it is.
    """
    if _number(db, "auto_vacuum") == _INCREMENTAL:
        return
    pages = _number(db, "page_count")
    if pages <= SMALL_FILE_PAGES or _number(db, "freelist_count") * FREE_SHARE >= pages:
        with contextlib.suppress(sqlite3.OperationalError):
            db.execute("pragma auto_vacuum = incremental")
            db.execute("vacuum")
            db.execute("pragma wal_checkpoint(truncate)").close()


class FileShrinker:
    """Gives free pages of the database at `path` back to the disk, soon after writes. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None
        self._noted = False  # a write since the last look at the file
        self._closed = threading.Event()

    def note_write(self) -> None:
        """A transaction was committed: look at the file soon, once for all writes until then."""
        self._noted = True
        if self._timer is None:
            self._start_timer()

    def close(self) -> None:
        """Stop, before the database is closed."""
        with self._lock:
            self._closed.set()
            timer = self._timer
        if timer is not None:
            timer.cancel()
            timer.join()

    def _start_timer(self) -> None:
        with self._lock:
            if self._timer is None and not self._closed.is_set():
                timer = threading.Timer(DELAY_SECONDS, self._run)
                timer.name, timer.daemon = "database shrinker", True
                with contextlib.suppress(RuntimeError):  # no more threads: the write is committed and must not fail
                    timer.start()
                    self._timer = timer

    def _run(self) -> None:
        self._noted = False
        try:
            # A short timeout: a slice waits for the next time rather than hold up the requests behind it.
            with contextlib.closing(sqlite3.connect(self._path, timeout=0.1, isolation_level=None)) as db:
                self._shrink(db)
        except sqlite3.Error as error:
            self._noted = self._noted or "locked" in str(error)  # busy: soon again; a full disk: after the next write
            log.debug("%s was not shrunk: %s", self._path.name, error)
        with self._lock:
            self._timer = None
        if self._noted:
            self._start_timer()

    def _shrink(self, db: sqlite3.Connection) -> None:
        free = _number(db, "freelist_count")
        is_worth_it = free >= MIN_FREE_PAGES and free * FREE_SHARE >= _number(db, "page_count")
        if is_worth_it and _number(db, "auto_vacuum") == _INCREMENTAL:
            while _number(db, "freelist_count") and not self._closed.wait(PAUSE_SECONDS):
                # A script: `execute` steps once, and a step of this pragma is one page.
                db.executescript(f"pragma incremental_vacuum({SLICE_PAGES})").close()
        if _file_size(self._path.with_name(f"{self._path.name}-wal")) > MAX_WAL_BYTES // 4:
            db.execute("pragma wal_checkpoint(passive)").close()  # most of the work, without holding up a writer
            is_busy, *_frames = db.execute("pragma wal_checkpoint(truncate)").fetchone()
            self._noted = self._noted or bool(is_busy)  # something was being read: soon again


def _number(db: sqlite3.Connection, pragma: str) -> int:
    number: int = db.execute(f"pragma {pragma}").fetchone()[0]
    return number


def _file_size(path: Path) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
