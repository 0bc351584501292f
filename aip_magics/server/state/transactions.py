"""The SQLite file of the server's resources: opened, migrated, and written in transactions."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aip_magics.errors import AlreadyExists, ServerError
from aip_magics.server import database_files
from aip_magics.server.conventions.error_responses import violation
from aip_magics.server.names import ModelKey
from aip_magics.server.state.migrations import MIGRATIONS


class TransactionalFile:
    """The database in the file `path`, which is migrated. ServerError when a newer version of aip-magics wrote it."""

    def __init__(self, path: Path) -> None:
        self.db = database_files.connect(path)
        self._shrinker = database_files.FileShrinker(path)
        self._migrate(path)
        database_files.convert(self.db)

    def close(self) -> None:
        self._shrinker.close()
        self.db.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all writes of the block at once, or none of them when it raises; a block inside joins the outer one.

        No `await` in the block: other requests would write into it.
        """
        if self.db.in_transaction:
            yield
            return
        self.db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.db.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise
        self._shrinker.note_write()

    def _roll_back(self) -> None:
        if self.db.in_transaction:  # SQLite rolls back by itself when the disk is full
            self.db.execute("ROLLBACK")

    def _migrate(self, path: Path) -> None:
        applied = self.db.execute("PRAGMA user_version").fetchone()[0]
        if applied > len(MIGRATIONS):
            self.db.close()
            raise ServerError(
                "the data directory was written by a newer version of aip-magics",
                where=str(path),
                fix="upgrade aip-magics, or use another --data-dir",
            )
        for number, statements in enumerate(MIGRATIONS[applied:], start=applied + 1):
            with self.transaction():
                for statement in statements:
                    self.db.execute(statement)
                self.db.execute(f"PRAGMA user_version = {number}")


def key_values(key: ModelKey) -> tuple[str, ...]:
    """Return the values of the columns of a row's key."""
    return tuple(vars(key).values())


def dump_document(document: Mapping[str, Any]) -> str:
    """Return a JSON object as the text of a column."""
    return json.dumps(document, ensure_ascii=False)


@contextlib.contextmanager
def name_taken(field: str, text: str) -> Iterator[None]:
    """Raise AlreadyExists when the block inserts a row whose key exists."""
    # The unique key decides a race between two creates: a query before the insert could not.
    try:
        yield
    except sqlite3.IntegrityError as error:
        if "UNIQUE" not in str(error):
            raise
        raise violation(AlreadyExists, field, text) from None
