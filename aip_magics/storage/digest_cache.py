"""Cache of file digests in SQLite, so that an unchanged file of a gigabyte is not read again."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from aip_magics.storage.checksums import Digest, file_digest

_QUERY_VALUES = 500  # every SQLite takes 999 values in a query
MAX_FILES = 100_000
# A file may change twice within one tick of the file system's clock: a file that changed so recently is not cached.
_RECENT_NS = 2_000_000_000

_Key = tuple[str, int, int, int, int]  # path, size, mtime, ctime (which cannot be set back), inode


class DigestCache:
    """Digests by path, size, times and inode, in the SQLite file `path` (None: in memory only).

    A context manager that writes new digests at its end. If the file cannot be read or written, the cache is empty.
    """

    def __init__(self, path: Path | None = None, now: Callable[[], int] = time.time_ns) -> None:
        self._path = path
        self._now = now
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._added: dict[str, tuple[_Key, Digest]] = {}
        self._prefetched: dict[str, tuple[_Key, Digest]] = {}

    def __enter__(self) -> DigestCache:
        if self._path is not None and self._db is None:
            with contextlib.suppress(sqlite3.Error, OSError):
                self._db = _open(self._path)
        return self

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            if self._db is not None:
                with contextlib.suppress(sqlite3.Error):
                    self._write(self._db)
                self._db.close()
                self._db = None

    def prefetch(self, paths: Iterable[Path]) -> None:
        """Load the cached digests of these files in a few queries instead of one for each file."""
        names = [str(path.absolute()) for path in paths]
        with self._lock, contextlib.suppress(sqlite3.Error):
            for start in range(0, len(names), _QUERY_VALUES):
                if self._db is None:
                    return
                batch = names[start : start + _QUERY_VALUES]
                marks = ",".join("?" * len(batch))
                rows = self._db.execute(f"select * from files where path in ({marks})", batch)
                self._prefetched.update((row[0], _read(row)) for row in rows)

    def get(self, path: Path) -> Digest:
        """The current digest of the file, cached or computed. OSError if the file cannot be read."""
        return self.get_cached(path) or self.compute(path)

    def get_cached(self, path: Path) -> Digest | None:
        """The current digest of the file if it is cached. OSError if the file does not exist."""
        return self._find(_key(path, os.stat(path)))

    def compute(self, path: Path, check: Callable[[], None] = lambda: None) -> Digest:
        """Read the file, whether or not it is cached, and cache the digest. `check` is called often and may raise."""
        started, before = self._now(), os.stat(path)
        digest = file_digest(path, check)
        self.store(path, before, digest, started)
        return digest

    def store(self, path: Path, before: os.stat_result, digest: Digest, started: int) -> None:
        """Cache the digest of a file whose status was `before` when reading started (`started`, in nanoseconds)."""
        key = _key(path, before)
        if self.is_settled(before, started) and digest.size == before.st_size and key == _key(path, os.stat(path)):
            with self._lock:
                self._added[key[0]] = (key, digest)

    @staticmethod
    def is_settled(status: os.stat_result, started: int) -> bool:
        """Whether every change of the file after `started` (nanoseconds) shows in its times."""
        return max(status.st_mtime_ns, status.st_ctime_ns) < started - _RECENT_NS

    def now(self) -> int:
        """The current time in nanoseconds, for `started`."""
        return self._now()

    def _find(self, key: _Key) -> Digest | None:
        with self._lock:
            found = self._added.get(key[0]) or self._prefetched.get(key[0])
            if found is None and self._db is not None:
                with contextlib.suppress(sqlite3.Error):
                    row = self._db.execute("select * from files where path = ?", (key[0],)).fetchone()
                    found = _read(row) if row else None
        return found[1] if found and found[0] == key else None

    def _write(self, db: sqlite3.Connection) -> None:
        if not self._added:
            return
        with db:
            rows = [(*key, digest.crc32c, digest.content_hash) for key, digest in self._added.values()]
            db.executemany("insert or replace into files values (?, ?, ?, ?, ?, ?, ?)", rows)
            # A row that is written again gets a new number: the least recently used rows are deleted.
            db.execute("delete from files where rowid <= (select max(rowid) from files) - ?", (MAX_FILES,))
        self._added.clear()


def _open(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=1.0, check_same_thread=False)
    db.execute(
        "create table if not exists files (path text unique, size int, mtime int, ctime int, inode int, "
        "crc32c text, strong text)"
    )
    return db


def _read(row: tuple[Any, ...]) -> tuple[_Key, Digest]:
    return row[:5], Digest(row[5], row[6], row[1])


def _key(path: Path, status: os.stat_result) -> _Key:
    # SQLite has signed 64-bit integers; an inode on Windows may be larger.
    return str(path.absolute()), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino & (1 << 63) - 1
