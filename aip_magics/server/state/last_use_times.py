"""When each version last predicted: `lastUseTime`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta

from aip_magics.data_directory import is_disk_full
from aip_magics.server.conventions.google_json import timestamp
from aip_magics.server.names import VersionKey
from aip_magics.server.state.database import Database

WRITE_EVERY = timedelta(seconds=30)


class LastUseTimes:
    """Kept in memory, as it changes with every request; written down now and then, and before it is shown."""

    def __init__(self, store: Database, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._clock = clock
        self._used: dict[VersionKey, datetime] = {}
        self._written: dict[VersionKey, datetime] = {}
        self._failed: set[VersionKey] = set()  # not written, because the disk was full

    def note(self, key: VersionKey) -> None:
        """The version has just predicted."""
        now = self._used[key] = self._clock()
        written = self._written.get(key)
        if written is None or now - written >= WRITE_EVERY:
            self._write(key)

    def forget(self, key: VersionKey) -> None:
        """The version is deleted: another of its name begins anew."""
        self._used.pop(key, None)
        self._written.pop(key, None)
        self._failed.discard(key)

    def write(self) -> None:
        """Write down what was not yet."""
        for key, used in self._used.items():
            if key in self._failed or self._written.get(key) != used:
                self._write(key)

    def _write(self, key: VersionKey) -> None:
        self._written[key] = self._used[key]
        self._failed.discard(key)
        try:
            self._store.set_last_use(key, timestamp(self._used[key]))
        except sqlite3.Error as error:
            if not is_disk_full(error):  # a full disk must cost no prediction its answer
                raise
            self._failed.add(key)
