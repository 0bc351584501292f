"""Models, versions and operations in SQLite. Every public method is one transaction.

Used in the event loop's thread only: a commit takes some 60 µs (WAL, synchronous=NORMAL), less than a switch to another
thread. Rows are values; this module does not depend on HTTP or workers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aip_magics.errors import AlreadyExists, ServerError
from aip_magics.server import database_files
from aip_magics.server.conventions.error_responses import violation
from aip_magics.server.names import ModelKey, VersionKey
from aip_magics.server.state.migrations import MIGRATIONS
from aip_magics.spec import Model, Operation, Version

# Of all projects together: a limit per project would not bound the file, as a client may name ever new projects.
MAX_FINISHED_OPERATIONS = 1000
FINISHED_OPERATION_DAYS = 30

_MODEL = "location = ? AND project = ? AND model = ?"
_VERSION = f"{_MODEL} AND version = ?"


@dataclasses.dataclass(frozen=True)
class ModelRow:
    """A model. `policy` is its IAM policy as JSON."""

    key: ModelKey
    model: Model  # without name, defaultVersion and etag: the serializer adds them
    default_version: str | None
    policy: str | None = None


@dataclasses.dataclass(frozen=True)
class VersionRow:
    """A version. `python` is the interpreter that serves it, `runtime` the libraries that its worker imported.

    `artifact` is the name of the snapshot of its model directory, `packages` of its custom code.
    """

    key: VersionKey
    version: Version  # without name, isDefault and etag
    python: str
    artifact: str | None = None
    runtime: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    is_default: bool = False
    packages: str | None = None

    @property
    def snapshots(self) -> frozenset[str]:
        """The names of the snapshots that the version needs."""
        return frozenset(name for name in (self.artifact, self.packages) if name)


@dataclasses.dataclass(frozen=True)
class OperationRow:
    """An operation on a model or version."""

    location: str
    project: str
    model: str
    version: str | None
    operation: Operation
    number: int = 0  # order of creation; set by the database

    @property
    def id(self) -> str:
        return self.operation.id

    @property
    def version_key(self) -> VersionKey:
        return VersionKey(self.location, self.project, self.model, self.version or "")


class Database:
    """The database in the file `path`, which is migrated. ServerError when a newer version of aip-magics wrote it."""

    def __init__(self, path: Path) -> None:
        self._db = database_files.connect(path)
        self._shrinker = database_files.FileShrinker(path)
        self._migrate(path)
        database_files.convert(self._db)

    def close(self) -> None:
        self._shrinker.close()
        self._db.close()

    # --- models

    def create_model(self, row: ModelRow) -> None:
        """Insert a model; AlreadyExists when the name is taken."""
        with self._transaction(), _name_taken("model.name", "A model with the same name already exists."):
            query = "INSERT INTO models (location, project, model, document) VALUES (?, ?, ?, ?)"
            self._db.execute(query, (*_key_values(row.key), _dump(row.model)))

    def get_model(self, key: ModelKey) -> ModelRow | None:
        row = self._db.execute(f"SELECT * FROM models WHERE {_MODEL}", _key_values(key)).fetchone()
        return _model_row(row) if row else None

    def get_default_version(self, key: ModelKey) -> str | None:
        """Return the default version; None when the model has none or does not exist."""
        row = self._db.execute(f"SELECT default_version FROM models WHERE {_MODEL}", _key_values(key)).fetchone()
        return row["default_version"] if row else None

    def list_models(self, location: str, project: str, after: str, count: int) -> list[ModelRow]:
        """Return at most `count` models, sorted by name, after the name `after`."""
        query = "SELECT * FROM models WHERE location = ? AND project = ? AND model > ? ORDER BY model LIMIT ?"
        return [_model_row(row) for row in self._db.execute(query, (location, project, after, count))]

    def delete_model(self, key: ModelKey, operation: OperationRow) -> None:
        with self._transaction():
            self._db.execute(f"DELETE FROM models WHERE {_MODEL}", _key_values(key))
            self._insert_operation(operation)

    def set_default_version(self, key: VersionKey) -> None:
        with self._transaction():
            self._db.execute(
                f"UPDATE models SET default_version = ? WHERE {_MODEL}", (key.version, *_key_values(key.parent))
            )

    def update_model(self, row: ModelRow, operation: OperationRow) -> None:
        """Update the model's document and default version, and insert the operation."""
        with self._transaction():
            query = f"UPDATE models SET document = ?, default_version = ? WHERE {_MODEL}"
            self._db.execute(query, (_dump(row.model), row.default_version, *_key_values(row.key)))
            self._insert_operation(operation)

    def set_policy(self, key: ModelKey, policy: str) -> None:
        with self._transaction():
            self._db.execute(f"UPDATE models SET policy = ? WHERE {_MODEL}", (policy, *_key_values(key)))

    # --- versions

    def create_version(self, row: VersionRow, operation: OperationRow) -> None:
        """Insert version and operation; AlreadyExists when the name is taken."""
        with self._transaction():
            with _name_taken("version.name", "A version with the same name already exists."):
                columns = (row.version.state, row.artifact, row.python, "{}", _dump(row.version), row.packages)
                self._db.execute(
                    "INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*_key_values(row.key), *columns)
                )
            self._insert_operation(operation)

    def get_version(self, key: VersionKey) -> VersionRow | None:
        row = self._db.execute(f"{_SELECT_VERSIONS} WHERE {_VERSION}", _key_values(key)).fetchone()
        return _version_row(row) if row else None

    def list_versions(self, key: ModelKey, after: str, count: int) -> list[VersionRow]:
        """Return at most `count` versions, sorted by name, after the name `after`."""
        query = f"{_SELECT_VERSIONS} WHERE {_MODEL} AND version > ? ORDER BY version LIMIT ?"
        return [_version_row(row) for row in self._db.execute(query, (*_key_values(key), after, count))]

    def list_version_keys(self) -> list[VersionKey]:
        """Return the keys of all versions at all endpoints."""
        rows = self._db.execute("SELECT location, project, model, version FROM versions")
        return [VersionKey(*row) for row in rows]

    def has_versions(self, key: ModelKey, besides: str = "") -> bool:
        query = f"SELECT 1 FROM versions WHERE {_MODEL} AND version <> ? LIMIT 1"
        return self._db.execute(query, (*_key_values(key), besides)).fetchone() is not None

    def set_snapshots(self, key: VersionKey, artifact: str | None, packages: str | None) -> None:
        with self._transaction():
            query = f"UPDATE versions SET artifact = ?, packages = ? WHERE {_VERSION}"
            self._db.execute(query, (artifact, packages, *_key_values(key)))

    def set_runtime(self, key: VersionKey, runtime: Mapping[str, Any]) -> None:
        with self._transaction():
            self._db.execute(
                f"UPDATE versions SET runtime = ? WHERE {_VERSION}", (json.dumps(runtime), *_key_values(key))
            )

    def update_version(self, key: VersionKey, version: Version, operation: OperationRow) -> None:
        with self._transaction():
            self._db.execute(f"UPDATE versions SET document = ? WHERE {_VERSION}", (_dump(version), *_key_values(key)))
            self._insert_operation(operation)

    def set_last_use(self, key: VersionKey, time: str) -> None:
        """Set the last use time; no effect when the version does not exist."""
        with self._transaction():
            row = self._db.execute(f"SELECT document FROM versions WHERE {_VERSION}", _key_values(key)).fetchone()
            if row:
                document = json.dumps({**json.loads(row["document"]), "lastUseTime": time}, ensure_ascii=False)
                self._db.execute(f"UPDATE versions SET document = ? WHERE {_VERSION}", (document, *_key_values(key)))

    def count_versions(self, project: str) -> int:
        """Count the versions of the project in all models and at all endpoints."""
        return self._count("SELECT count(*) FROM versions WHERE project = ?", project)

    def list_snapshots(self) -> set[str]:
        """Return the names of the snapshots, of models and packages, that versions need."""
        rows = self._db.execute("SELECT artifact FROM versions UNION SELECT packages FROM versions")
        return {row["artifact"] for row in rows if row["artifact"]}

    def list_installations(self) -> set[tuple[str | None, str]]:
        """Return what versions have installed: the snapshot of their packages, and their interpreter."""
        return {(row["packages"], row["python"]) for row in self._db.execute("SELECT packages, python FROM versions")}

    def delete_version(self, key: VersionKey, operation: OperationRow) -> None:
        with self._transaction():
            self._db.execute(f"DELETE FROM versions WHERE {_VERSION}", _key_values(key))
            self._db.execute(
                f"UPDATE models SET default_version = NULL WHERE {_MODEL} AND default_version = ?",
                (*_key_values(key.parent), key.version),
            )
            self._insert_operation(operation)

    # --- operations

    def get_operation(self, location: str, project: str, operation: str) -> OperationRow | None:
        query = "SELECT * FROM operations WHERE location = ? AND project = ? AND operation = ?"
        row = self._db.execute(query, (location, project, operation)).fetchone()
        return _operation_row(row) if row else None

    def list_operations(self, location: str, project: str, before: int | None, count: int) -> list[OperationRow]:
        """Return at most `count` operations, the newest first, of those created before the operation number `before`.

        None: of all.
        """
        query = (
            "SELECT * FROM operations WHERE location = ? AND project = ? AND number < ? ORDER BY number DESC LIMIT ?"
        )
        bound = _MAX_NUMBER if before is None else before
        return [_operation_row(row) for row in self._db.execute(query, (location, project, bound, count))]

    def list_running_operations(self) -> list[OperationRow]:
        """Return the unfinished operations, for example of a killed server."""
        rows = self._db.execute("SELECT * FROM operations WHERE state = 'RUNNING' ORDER BY number")
        return [_operation_row(row) for row in rows]

    def count_running_operations(self, project: str) -> int:
        return self._count("SELECT count(*) FROM operations WHERE state = 'RUNNING' AND project = ?", project)

    def prune_operations(self, now: str) -> None:
        """Delete the finished operations beyond the limits of number and age; `now` is in RFC 3339."""
        with self._transaction():
            self._prune_operations(now)

    def update_operation(self, row: OperationRow) -> None:
        with self._transaction():
            self._update_operation(row)

    def finish_version(self, key: VersionKey, version: Version, operation: OperationRow) -> None:
        """Finish CREATE_VERSION in one transaction: the version is READY or FAILED, the operation is done.

        The first READY version of a model becomes its default version.
        """
        with self._transaction():
            self._db.execute(
                f"UPDATE versions SET state = ?, document = ? WHERE {_VERSION}",
                (version.state, _dump(version), *_key_values(key)),
            )
            if version.state == "READY":
                self._db.execute(
                    f"UPDATE models SET default_version = ? WHERE {_MODEL} AND default_version IS NULL",
                    (key.version, *_key_values(key.parent)),
                )
            self._update_operation(operation)

    def unused_operation_id(self, location: str, project: str, stem: str, epoch_ms: int) -> str:
        """Return `STEM-EPOCHMS`, with the next free number when the id exists in the same millisecond."""
        while self.get_operation(location, project, f"{stem}-{epoch_ms}"):
            epoch_ms += 1
        return f"{stem}-{epoch_ms}"

    # --- internal

    def _insert_operation(self, row: OperationRow) -> None:
        finished = _finish_time(row)
        self._db.execute(
            "INSERT INTO operations (location, project, operation, model, version, state, document, finished) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (row.location, row.project, row.id, row.model, row.version, _state(row), _dump(row.operation), finished),
        )
        if finished is not None:
            self._prune_operations(finished)

    def _update_operation(self, row: OperationRow) -> None:
        finished = _finish_time(row)
        self._db.execute(
            "UPDATE operations SET state = ?, document = ?, finished = ? WHERE number = ?",
            (_state(row), _dump(row.operation), finished, row.number),
        )
        if finished is not None:
            self._prune_operations(finished)

    def _prune_operations(self, now: str) -> None:
        # Both deletes read the index of finished operations only: its end of old ones, and at most the kept number.
        days = f"-{FINISHED_OPERATION_DAYS} days"
        self._db.execute("DELETE FROM operations WHERE finished < strftime('%Y-%m-%dT%H:%M:%SZ', ?, ?)", (now, days))
        self._db.execute(
            "DELETE FROM operations WHERE number IN (SELECT number FROM operations WHERE finished IS NOT NULL "
            "ORDER BY finished DESC, number DESC LIMIT -1 OFFSET ?)",
            (MAX_FINISHED_OPERATIONS,),
        )

    def _count(self, query: str, project: str) -> int:
        count: int = self._db.execute(query, (project,)).fetchone()[0]
        return count

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # SQLite rolls back by itself when the disk is full
                self._db.execute("ROLLBACK")
            raise
        self._shrinker.note_write()

    def _migrate(self, path: Path) -> None:
        applied = self._db.execute("PRAGMA user_version").fetchone()[0]
        if applied > len(MIGRATIONS):
            self._db.close()
            raise ServerError(
                "the data directory was written by a newer version of aip-magics",
                where=str(path),
                fix="upgrade aip-magics, or use another --data-dir",
            )
        for number, statements in enumerate(MIGRATIONS[applied:], start=applied + 1):
            with self._transaction():
                for statement in statements:
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {number}")


_MAX_NUMBER = 2**63 - 1
_SELECT_VERSIONS = """
    SELECT v.*, v.version IS (SELECT m.default_version FROM models m WHERE m.location = v.location
        AND m.project = v.project AND m.model = v.model) AS is_default
    FROM versions v
"""


@contextlib.contextmanager
def _name_taken(field: str, text: str) -> Iterator[None]:
    # The unique key decides a race between two creates: a query before the insert could not.
    try:
        yield
    except sqlite3.IntegrityError as error:
        if "UNIQUE" not in str(error):
            raise
        raise violation(AlreadyExists, field, text) from None


def _key_values(key: ModelKey) -> tuple[str, ...]:
    return tuple(vars(key).values())


def _dump(resource: Model | Version | Operation) -> str:
    return json.dumps(resource.to_json(), ensure_ascii=False)


def _state(row: OperationRow) -> str:
    return "DONE" if row.operation.done else "RUNNING"


def _finish_time(row: OperationRow) -> str | None:
    """When the operation ended; None while it runs."""
    metadata = row.operation.metadata
    return ((metadata.endTime if metadata else None) or "") if row.operation.done else None


def _model_row(row: sqlite3.Row) -> ModelRow:
    key = ModelKey(row["location"], row["project"], row["model"])
    model = Model.from_json(json.loads(row["document"]), strict=False)
    return ModelRow(key, model, row["default_version"], row["policy"])


def _version_row(row: sqlite3.Row) -> VersionRow:
    return VersionRow(
        VersionKey(row["location"], row["project"], row["model"], row["version"]),
        Version.from_json(json.loads(row["document"]), strict=False),
        python=row["python"],
        artifact=row["artifact"],
        runtime=json.loads(row["runtime"]),
        is_default=bool(row["is_default"]),
        packages=row["packages"],
    )


def _operation_row(row: sqlite3.Row) -> OperationRow:
    operation = Operation.from_json(json.loads(row["document"]), strict=False)
    return OperationRow(row["location"], row["project"], row["model"], row["version"], operation, row["number"])
