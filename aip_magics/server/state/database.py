"""What the server knows, in SQLite: models, versions, operations. Every public method is one transaction.

Used from the event loop's thread only: a commit takes some 60 µs (WAL, synchronous=NORMAL), less than a hop to another
thread would. Rows are values; nothing here knows of HTTP or of workers.
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
from aip_magics.server.conventions.error_responses import violation
from aip_magics.server.names import ModelKey, VersionKey
from aip_magics.server.state.migrations import MIGRATIONS
from aip_magics.spec import Model, Operation, Version

_MODEL = "location = ? AND project = ? AND model = ?"
_VERSION = f"{_MODEL} AND version = ?"


@dataclasses.dataclass(frozen=True)
class ModelRow:
    key: ModelKey
    model: Model  # without name, defaultVersion and etag: those are made when it is shown
    default_version: str | None
    policy: str | None = None  # JSON


@dataclasses.dataclass(frozen=True)
class VersionRow:
    """`python` is the interpreter that serves it, `runtime` what it imported.

    `artifact` names the copy of its model directory, `packages` that of its custom code.
    """

    key: VersionKey
    version: Version  # without name, isDefault and etag
    python: str
    artifact: str | None = None
    runtime: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    is_default: bool = False
    packages: str | None = None

    @property
    def copies(self) -> frozenset[str]:
        """The copies that it needs."""
        return frozenset(name for name in (self.artifact, self.packages) if name)


@dataclasses.dataclass(frozen=True)
class OperationRow:
    location: str
    project: str
    model: str
    version: str | None
    operation: Operation
    number: int = 0  # order of creation; set by the store

    @property
    def id(self) -> str:
        return self.operation.id

    @property
    def version_key(self) -> VersionKey:
        return VersionKey(self.location, self.project, self.model, self.version or "")


class Database:
    """The database file `path`, brought up to date. ServerError when a newer version of ours has written it."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute("PRAGMA foreign_keys = ON")
        self._migrate(path)

    def close(self) -> None:
        self._db.close()

    # --- models

    def create_model(self, row: ModelRow) -> None:
        """AlreadyExists when the name is taken."""
        with self._transaction(), _taken("model.name", "A model with the same name already exists."):
            query = "INSERT INTO models (location, project, model, document) VALUES (?, ?, ?, ?)"
            self._db.execute(query, (*_of(row.key), _dump(row.model)))

    def model(self, key: ModelKey) -> ModelRow | None:
        row = self._db.execute(f"SELECT * FROM models WHERE {_MODEL}", _of(key)).fetchone()
        return _model_row(row) if row else None

    def default_version(self, key: ModelKey) -> str | None:
        """None where there is no default, or no such model."""
        row = self._db.execute(f"SELECT default_version FROM models WHERE {_MODEL}", _of(key)).fetchone()
        return row["default_version"] if row else None

    def models(self, location: str, project: str, after: str, count: int) -> list[ModelRow]:
        """At most `count` models in the order of their names, those after the name `after`."""
        query = "SELECT * FROM models WHERE location = ? AND project = ? AND model > ? ORDER BY model LIMIT ?"
        return [_model_row(row) for row in self._db.execute(query, (location, project, after, count))]

    def delete_model(self, key: ModelKey, operation: OperationRow) -> None:
        with self._transaction():
            self._db.execute(f"DELETE FROM models WHERE {_MODEL}", _of(key))
            self._insert_operation(operation)

    def set_default(self, key: VersionKey) -> None:
        with self._transaction():
            self._db.execute(f"UPDATE models SET default_version = ? WHERE {_MODEL}", (key.version, *_of(key.parent)))

    def update_model(self, row: ModelRow, operation: OperationRow) -> None:
        """The model's document and default version as in `row`."""
        with self._transaction():
            query = f"UPDATE models SET document = ?, default_version = ? WHERE {_MODEL}"
            self._db.execute(query, (_dump(row.model), row.default_version, *_of(row.key)))
            self._insert_operation(operation)

    def set_policy(self, key: ModelKey, policy: str) -> None:
        with self._transaction():
            self._db.execute(f"UPDATE models SET policy = ? WHERE {_MODEL}", (policy, *_of(key)))

    def count_models(self, project: str) -> int:
        """Of the project, over all endpoints."""
        return self._count("SELECT count(*) FROM models WHERE project = ?", project)

    # --- versions

    def create_version(self, row: VersionRow, operation: OperationRow) -> None:
        """The version and its operation, both or none. AlreadyExists when the name is taken."""
        with self._transaction():
            with _taken("version.name", "A version with the same name already exists."):
                columns = (row.version.state, row.artifact, row.python, "{}", _dump(row.version), row.packages)
                self._db.execute(
                    "INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*_of(row.key), *columns)
                )
            self._insert_operation(operation)

    def version(self, key: VersionKey) -> VersionRow | None:
        row = self._db.execute(f"{_SELECT_VERSIONS} WHERE {_VERSION}", _of(key)).fetchone()
        return _version_row(row) if row else None

    def versions(self, key: ModelKey, after: str, count: int) -> list[VersionRow]:
        """At most `count` versions in the order of their names, those after the name `after`."""
        query = f"{_SELECT_VERSIONS} WHERE {_MODEL} AND version > ? ORDER BY version LIMIT ?"
        return [_version_row(row) for row in self._db.execute(query, (*_of(key), after, count))]

    def version_keys(self) -> list[VersionKey]:
        """Those of all versions at all endpoints."""
        rows = self._db.execute("SELECT location, project, model, version FROM versions")
        return [VersionKey(*row) for row in rows]

    def has_versions(self, key: ModelKey, besides: str = "") -> bool:
        query = f"SELECT 1 FROM versions WHERE {_MODEL} AND version <> ? LIMIT 1"
        return self._db.execute(query, (*_of(key), besides)).fetchone() is not None

    def set_copies(self, key: VersionKey, artifact: str | None, packages: str | None) -> None:
        with self._transaction():
            query = f"UPDATE versions SET artifact = ?, packages = ? WHERE {_VERSION}"
            self._db.execute(query, (artifact, packages, *_of(key)))

    def set_runtime(self, key: VersionKey, runtime: Mapping[str, Any]) -> None:
        with self._transaction():
            self._db.execute(f"UPDATE versions SET runtime = ? WHERE {_VERSION}", (json.dumps(runtime), *_of(key)))

    def update_version(self, key: VersionKey, version: Version, operation: OperationRow) -> None:
        with self._transaction():
            self._db.execute(f"UPDATE versions SET document = ? WHERE {_VERSION}", (_dump(version), *_of(key)))
            self._insert_operation(operation)

    def set_last_use(self, key: VersionKey, time: str) -> None:
        """Nothing happens where the version is gone."""
        with self._transaction():
            row = self._db.execute(f"SELECT document FROM versions WHERE {_VERSION}", _of(key)).fetchone()
            if row:
                document = json.dumps({**json.loads(row["document"]), "lastUseTime": time}, ensure_ascii=False)
                self._db.execute(f"UPDATE versions SET document = ? WHERE {_VERSION}", (document, *_of(key)))

    def count_versions(self, project: str) -> int:
        """Of the project, over all models and endpoints."""
        return self._count("SELECT count(*) FROM versions WHERE project = ?", project)

    def copies(self) -> set[str]:
        """The copies of model directories and packages that some version needs."""
        rows = self._db.execute("SELECT artifact FROM versions UNION SELECT packages FROM versions")
        return {row["artifact"] for row in rows if row["artifact"]}

    def delete_version(self, key: VersionKey, operation: OperationRow) -> None:
        with self._transaction():
            self._db.execute(f"DELETE FROM versions WHERE {_VERSION}", _of(key))
            self._db.execute(
                f"UPDATE models SET default_version = NULL WHERE {_MODEL} AND default_version = ?",
                (*_of(key.parent), key.version),
            )
            self._insert_operation(operation)

    # --- operations

    def operation(self, location: str, project: str, operation: str) -> OperationRow | None:
        query = "SELECT * FROM operations WHERE location = ? AND project = ? AND operation = ?"
        row = self._db.execute(query, (location, project, operation)).fetchone()
        return _operation_row(row) if row else None

    def operations(self, location: str, project: str, after: int, count: int) -> list[OperationRow]:
        """At most `count` operations in the order they were made, those after number `after`."""
        query = "SELECT * FROM operations WHERE location = ? AND project = ? AND number > ? ORDER BY number LIMIT ?"
        return [_operation_row(row) for row in self._db.execute(query, (location, project, after, count))]

    def running_operations(self) -> list[OperationRow]:
        """What a server that was killed had begun."""
        rows = self._db.execute("SELECT * FROM operations WHERE state = 'RUNNING' ORDER BY number")
        return [_operation_row(row) for row in rows]

    def count_running(self, project: str) -> int:
        return self._count("SELECT count(*) FROM operations WHERE state = 'RUNNING' AND project = ?", project)

    def update_operation(self, row: OperationRow) -> None:
        with self._transaction():
            self._update_operation(row)

    def finish_version(self, key: VersionKey, version: Version, operation: OperationRow) -> None:
        """The end of CREATE_VERSION, all at once: the version READY or FAILED, the operation done.

        The first version of a model that becomes READY becomes its default.
        """
        with self._transaction():
            self._db.execute(
                f"UPDATE versions SET state = ?, document = ? WHERE {_VERSION}",
                (version.state, _dump(version), *_of(key)),
            )
            if version.state == "READY":
                self._db.execute(
                    f"UPDATE models SET default_version = ? WHERE {_MODEL} AND default_version IS NULL",
                    (key.version, *_of(key.parent)),
                )
            self._update_operation(operation)

    def unused_operation_id(self, location: str, project: str, stem: str, epoch_ms: int) -> str:
        """`STEM-EPOCHMS`, counted on where two operations of one name fall into the same millisecond."""
        while self.operation(location, project, f"{stem}-{epoch_ms}"):
            epoch_ms += 1
        return f"{stem}-{epoch_ms}"

    # --- inside

    def _insert_operation(self, row: OperationRow) -> None:
        self._db.execute(
            "INSERT INTO operations (location, project, operation, model, version, state, document) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (row.location, row.project, row.id, row.model, row.version, _state(row), _dump(row.operation)),
        )

    def _update_operation(self, row: OperationRow) -> None:
        self._db.execute(
            "UPDATE operations SET state = ?, document = ? WHERE number = ?",
            (_state(row), _dump(row.operation), row.number),
        )

    def _count(self, query: str, project: str) -> int:
        count: int = self._db.execute(query, (project,)).fetchone()[0]
        return count

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _migrate(self, path: Path) -> None:
        done = self._db.execute("PRAGMA user_version").fetchone()[0]
        if done > len(MIGRATIONS):
            self._db.close()
            raise ServerError(
                "the data directory was written by a newer version of aip-magics",
                where=str(path),
                fix="upgrade aip-magics, or use another --data-dir",
            )
        for number, statements in enumerate(MIGRATIONS[done:], start=done + 1):
            with self._transaction():
                for statement in statements:
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {number}")


_SELECT_VERSIONS = """
    SELECT v.*, v.version IS (SELECT m.default_version FROM models m WHERE m.location = v.location
        AND m.project = v.project AND m.model = v.model) AS is_default
    FROM versions v
"""


@contextlib.contextmanager
def _taken(field: str, text: str) -> Iterator[None]:
    # The table decides the race of two creates, not a look beforehand.
    try:
        yield
    except sqlite3.IntegrityError as error:
        if "UNIQUE" not in str(error):
            raise
        raise violation(AlreadyExists, field, text) from None


def _of(key: ModelKey) -> tuple[str, ...]:
    return tuple(vars(key).values())


def _dump(resource: Model | Version | Operation) -> str:
    return json.dumps(resource.to_json(), ensure_ascii=False)


def _state(row: OperationRow) -> str:
    return "DONE" if row.operation.done else "RUNNING"


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
