"""What files were read before, so that a gigabyte that did not change is not read again."""

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

_AT_ONCE = 500  # SQLite takes 999 values in a question everywhere
MOST = 100_000  # files that are remembered
# A file may change twice within one tick of its clock: what was read so soon after a change is not remembered.
_FRESH_NS = 2_000_000_000

_Key = tuple[str, int, int, int, int]  # path, size, mtime, ctime (it cannot be set back), inode


class Digests:
    """Digests by path, size, times and inode, in the SQLite file `path` (None: not kept between runs).

    A context manager: what is new is written at its end. It is only a cache: where it cannot be read or written, files
    are read instead.
    """

    def __init__(self, path: Path | None = None, now: Callable[[], int] = time.time_ns) -> None:
        self._path = path
        self._now = now
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._new: dict[str, tuple[_Key, Digest]] = {}
        self._old: dict[str, tuple[_Key, Digest]] = {}  # what was looked up

    def __enter__(self) -> Digests:
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

    def look_up(self, paths: Iterable[Path]) -> None:
        """Have at hand what is remembered of these files: a question for each of thousands takes its time."""
        names = [str(path.absolute()) for path in paths]
        with self._lock, contextlib.suppress(sqlite3.Error):
            for start in range(0, len(names), _AT_ONCE):
                if self._db is None:
                    return
                some = names[start : start + _AT_ONCE]
                wanted = ",".join("?" * len(some))
                rows = self._db.execute(f"select * from files where path in ({wanted})", some)
                self._old.update((row[0], _read(row)) for row in rows)

    def of(self, path: Path) -> Digest:
        """The digest of the file as it is now: remembered, or read. OSError where it cannot be read."""
        return self.known(path) or self.read(path)

    def known(self, path: Path) -> Digest | None:
        """The digest of the file as it is now if it is remembered. OSError where there is no such file."""
        return self._find(_key(path, os.stat(path)))

    def read(self, path: Path, check: Callable[[], None] = lambda: None) -> Digest:
        """Read the file, whatever is remembered, and remember it. `check` is called often and may raise to stop."""
        begun, before = self._now(), os.stat(path)
        digest = file_digest(path, check)
        self.put(path, before, digest, begun)
        return digest

    def put(self, path: Path, before: os.stat_result, digest: Digest, begun: int) -> None:
        """Remember what was read of a file whose status was `before` when reading began (`begun`, nanoseconds)."""
        key = _key(path, before)
        settled = max(before.st_mtime_ns, before.st_ctime_ns) < begun - _FRESH_NS
        if settled and digest.size == before.st_size and key == _key(path, os.stat(path)):
            with self._lock:
                self._new[key[0]] = (key, digest)

    def now(self) -> int:
        """The time in nanoseconds, for `begun`."""
        return self._now()

    def _find(self, key: _Key) -> Digest | None:
        with self._lock:
            found = self._new.get(key[0]) or self._old.get(key[0])
            if found is None and self._db is not None:
                with contextlib.suppress(sqlite3.Error):
                    row = self._db.execute("select * from files where path = ?", (key[0],)).fetchone()
                    found = _read(row) if row else None
        return found[1] if found and found[0] == key else None

    def _write(self, db: sqlite3.Connection) -> None:
        if not self._new:
            return
        with db:
            rows = [(*key, digest.crc32c, digest.strong) for key, digest in self._new.values()]
            db.executemany("insert or replace into files values (?, ?, ?, ?, ?, ?, ?)", rows)
            # A row that is written again gets a new number: those not seen for longest go.
            db.execute("delete from files where rowid <= (select max(rowid) from files) - ?", (MOST,))
        self._new.clear()


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
    # SQLite's numbers have 64 bits with a sign; an inode of Windows may have more.
    return str(path.absolute()), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino & (1 << 63) - 1
