"""Models, versions and operations in SQLite. Every method that writes is a transaction.

Used in the event loop's thread only: a commit takes some 60 µs (WAL, synchronous=NORMAL), less than a switch to another
thread. Rows are values; this module does not depend on HTTP or workers.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aip_magics.server.names import ModelKey, VersionKey
from aip_magics.server.state.endpoints_table import EndpointsTable
from aip_magics.server.state.images_table import ImagesTable
from aip_magics.server.state.operations_table import OperationRow, OperationsTable
from aip_magics.server.state.transactions import dump_document, key_values, name_taken
from aip_magics.server.state.vertex_models_table import VertexModelsTable
from aip_magics.spec import Model, Version

_MODEL = "location = ? AND project = ? AND model = ?"
_VERSION = f"{_MODEL} AND version = ?"
_WITH_SNAPSHOTS = ("versions", "vertex_model_versions")


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


class Database(OperationsTable):
    """Models, versions and operations; the other tables, of Vertex AI's API, are attributes."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.vertex_models = VertexModelsTable(self)
        self.endpoints = EndpointsTable(self)
        self.images = ImagesTable(self)

    # --- models

    def create_model(self, row: ModelRow) -> None:
        """Insert a model; AlreadyExists when the name is taken."""
        with self.transaction(), name_taken("model.name", "A model with the same name already exists."):
            query = "INSERT INTO models (location, project, model, document) VALUES (?, ?, ?, ?)"
            self.db.execute(query, (*key_values(row.key), _dump(row.model)))

    def get_model(self, key: ModelKey) -> ModelRow | None:
        row = self.db.execute(f"SELECT * FROM models WHERE {_MODEL}", key_values(key)).fetchone()
        return _model_row(row) if row else None

    def get_default_version(self, key: ModelKey) -> str | None:
        """Return the default version; None when the model has none or does not exist."""
        row = self.db.execute(f"SELECT default_version FROM models WHERE {_MODEL}", key_values(key)).fetchone()
        return row["default_version"] if row else None

    def list_models(self, location: str, project: str, after: str, count: int) -> list[ModelRow]:
        """Return at most `count` models, sorted by name, after the name `after`."""
        query = "SELECT * FROM models WHERE location = ? AND project = ? AND model > ? ORDER BY model LIMIT ?"
        return [_model_row(row) for row in self.db.execute(query, (location, project, after, count))]

    def delete_model(self, key: ModelKey, operation: OperationRow) -> None:
        with self.transaction():
            self.db.execute(f"DELETE FROM models WHERE {_MODEL}", key_values(key))
            self.insert_operation(operation)

    def set_default_version(self, key: VersionKey) -> None:
        with self.transaction():
            self.db.execute(
                f"UPDATE models SET default_version = ? WHERE {_MODEL}", (key.version, *key_values(key.parent))
            )

    def update_model(self, row: ModelRow, operation: OperationRow) -> None:
        """Update the model's document and default version, and insert the operation."""
        with self.transaction():
            query = f"UPDATE models SET document = ?, default_version = ? WHERE {_MODEL}"
            self.db.execute(query, (_dump(row.model), row.default_version, *key_values(row.key)))
            self.insert_operation(operation)

    def set_policy(self, key: ModelKey, policy: str) -> None:
        with self.transaction():
            self.db.execute(f"UPDATE models SET policy = ? WHERE {_MODEL}", (policy, *key_values(key)))

    # --- versions

    def create_version(self, row: VersionRow, operation: OperationRow) -> None:
        """Insert version and operation; AlreadyExists when the name is taken."""
        with self.transaction():
            with name_taken("version.name", "A version with the same name already exists."):
                columns = (row.version.state, row.artifact, row.python, "{}", _dump(row.version), row.packages)
                self.db.execute(
                    "INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (*key_values(row.key), *columns)
                )
            self.insert_operation(operation)

    def get_version(self, key: VersionKey) -> VersionRow | None:
        row = self.db.execute(f"{_SELECT_VERSIONS} WHERE {_VERSION}", key_values(key)).fetchone()
        return _version_row(row) if row else None

    def list_versions(self, key: ModelKey, after: str, count: int) -> list[VersionRow]:
        """Return at most `count` versions, sorted by name, after the name `after`."""
        query = f"{_SELECT_VERSIONS} WHERE {_MODEL} AND version > ? ORDER BY version LIMIT ?"
        return [_version_row(row) for row in self.db.execute(query, (*key_values(key), after, count))]

    def list_version_keys(self) -> list[VersionKey]:
        """Return the keys of all versions at all endpoints."""
        rows = self.db.execute("SELECT location, project, model, version FROM versions")
        return [VersionKey(*row) for row in rows]

    def has_versions(self, key: ModelKey, besides: str = "") -> bool:
        query = f"SELECT 1 FROM versions WHERE {_MODEL} AND version <> ? LIMIT 1"
        return self.db.execute(query, (*key_values(key), besides)).fetchone() is not None

    def set_snapshots(self, key: VersionKey, artifact: str | None, packages: str | None) -> None:
        with self.transaction():
            query = f"UPDATE versions SET artifact = ?, packages = ? WHERE {_VERSION}"
            self.db.execute(query, (artifact, packages, *key_values(key)))

    def set_runtime(self, key: VersionKey, runtime: Mapping[str, Any]) -> None:
        with self.transaction():
            self.db.execute(
                f"UPDATE versions SET runtime = ? WHERE {_VERSION}", (json.dumps(runtime), *key_values(key))
            )

    def update_version(self, key: VersionKey, version: Version, operation: OperationRow) -> None:
        with self.transaction():
            self.db.execute(f"UPDATE versions SET document = ? WHERE {_VERSION}", (_dump(version), *key_values(key)))
            self.insert_operation(operation)

    def set_last_use(self, key: VersionKey, time: str) -> None:
        """Set the last use time; no effect when the version does not exist."""
        with self.transaction():
            row = self.db.execute(f"SELECT document FROM versions WHERE {_VERSION}", key_values(key)).fetchone()
            if row:
                document = dump_document({**json.loads(row["document"]), "lastUseTime": time})
                self.db.execute(f"UPDATE versions SET document = ? WHERE {_VERSION}", (document, *key_values(key)))

    def count_versions(self, project: str) -> int:
        """Count the versions of the project in all models and at all endpoints of AI Platform."""
        return self._count("SELECT count(*) FROM versions WHERE project = ?", project)

    def list_snapshots(self) -> set[str]:
        """Return the names of the snapshots, of models and packages, that versions need, also those not deployed."""
        selects = [f"SELECT {column} FROM {table}" for table in _WITH_SNAPSHOTS for column in ("artifact", "packages")]
        return {name for [name] in self.db.execute(" UNION ".join(selects)) if name}

    def list_installations(self) -> set[tuple[str | None, str]]:
        """Return what versions have installed: the snapshot of their packages, and their interpreter."""
        selects = [f"SELECT packages, python FROM {table}" for table in _WITH_SNAPSHOTS]
        return {(packages, python) for packages, python in self.db.execute(" UNION ".join(selects))}

    def delete_version(self, key: VersionKey, operation: OperationRow) -> None:
        with self.transaction():
            self.db.execute(f"DELETE FROM versions WHERE {_VERSION}", key_values(key))
            self.db.execute(
                f"UPDATE models SET default_version = NULL WHERE {_MODEL} AND default_version = ?",
                (*key_values(key.parent), key.version),
            )
            self.insert_operation(operation)

    def remove_version(self, key: VersionKey) -> None:
        """Delete a version without an operation of its own: one whose creation failed."""
        with self.transaction():
            self.db.execute(f"DELETE FROM versions WHERE {_VERSION}", key_values(key))

    def finish_version(self, key: VersionKey, version: Version, operation: OperationRow) -> None:
        """Finish CREATE_VERSION in one transaction: the version is READY or FAILED, the operation is done.

        The first READY version of a model becomes its default version.
        """
        with self.transaction():
            self.db.execute(
                f"UPDATE versions SET state = ?, document = ? WHERE {_VERSION}",
                (version.state, _dump(version), *key_values(key)),
            )
            if version.state == "READY":
                self.db.execute(
                    f"UPDATE models SET default_version = ? WHERE {_MODEL} AND default_version IS NULL",
                    (key.version, *key_values(key.parent)),
                )
            self.update_operation(operation)


_SELECT_VERSIONS = """
    SELECT v.*, v.version IS (SELECT m.default_version FROM models m WHERE m.location = v.location
        AND m.project = v.project AND m.model = v.model) AS is_default
    FROM versions v
"""


def _dump(resource: Model | Version) -> str:
    return dump_document(resource.to_json())


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
