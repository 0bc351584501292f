"""The tables of Vertex AI's models and their versions."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from aip_magics.server.names import ModelKey
from aip_magics.server.state.operations_table import OperationsTable
from aip_magics.server.state.transactions import dump_document, key_values
from aip_magics.spec import Version

_KEY = "location = ? AND project = ? AND model = ?"


@dataclasses.dataclass(frozen=True)
class VertexModelRow:
    """A model. `document` is the part of the Model that its versions share."""

    key: ModelKey
    next_version: int
    document: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class VertexVersionRow:
    """A version of a model, `document` the part of the Model that is its own.

    `serving` is how a node serves it, in the terms of AI Platform's API: deploymentUri, framework, packageUris,
    predictionClass. `artifact` and `packages` are the names of the snapshots of its files.
    """

    key: ModelKey
    version: int
    document: Mapping[str, Any]
    serving: Version
    python: str
    artifact: str
    packages: str | None = None

    @property
    def aliases(self) -> tuple[str, ...]:
        return tuple(self.document.get("versionAliases") or ())

    @property
    def snapshots(self) -> frozenset[str]:
        """The names of the snapshots that the version needs."""
        return frozenset(name for name in (self.artifact, self.packages) if name)


class VertexModelsTable:
    """Models and versions. Every method that writes is a transaction, or part of the caller's."""

    def __init__(self, file: OperationsTable) -> None:
        self._file = file

    def get(self, key: ModelKey) -> VertexModelRow | None:
        row = self._file.db.execute(f"SELECT * FROM vertex_models WHERE {_KEY}", key_values(key)).fetchone()
        return _model_row(row) if row else None

    def list_in(self, location: str, project: str) -> list[VertexModelRow]:
        """Return all models of a project in a location, sorted by id."""
        query = "SELECT * FROM vertex_models WHERE location = ? AND project = ? ORDER BY model"
        return [_model_row(row) for row in self._file.db.execute(query, (location, project))]

    def put(self, row: VertexModelRow) -> None:
        """Insert or update a model."""
        with self._file.transaction():
            self._file.db.execute(
                "INSERT INTO vertex_models VALUES (?, ?, ?, ?, ?) ON CONFLICT (location, project, model) "
                "DO UPDATE SET next_version = excluded.next_version, document = excluded.document",
                (*key_values(row.key), row.next_version, dump_document(row.document)),
            )

    def delete(self, key: ModelKey) -> None:
        """Delete a model with its versions."""
        with self._file.transaction():
            self._file.db.execute(f"DELETE FROM vertex_model_versions WHERE {_KEY}", key_values(key))
            self._file.db.execute(f"DELETE FROM vertex_models WHERE {_KEY}", key_values(key))

    def list_versions(self, key: ModelKey) -> list[VertexVersionRow]:
        """Return the versions of a model, sorted by number."""
        query = f"SELECT * FROM vertex_model_versions WHERE {_KEY} ORDER BY version"
        return [_version_row(row) for row in self._file.db.execute(query, key_values(key))]

    def put_version(self, row: VertexVersionRow) -> None:
        """Insert a version, or update its document."""
        serving = dump_document(row.serving.to_json())
        values = (
            *key_values(row.key),
            row.version,
            row.artifact,
            row.packages,
            row.python,
            serving,
            dump_document(row.document),
        )
        with self._file.transaction():
            self._file.db.execute(
                "INSERT INTO vertex_model_versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (location, project, model, version) DO UPDATE SET document = excluded.document",
                values,
            )

    def delete_version(self, row: VertexVersionRow) -> None:
        with self._file.transaction():
            query = f"DELETE FROM vertex_model_versions WHERE {_KEY} AND version = ?"
            self._file.db.execute(query, (*key_values(row.key), row.version))


def _model_row(row: sqlite3.Row) -> VertexModelRow:
    key = ModelKey(row["location"], row["project"], row["model"])
    return VertexModelRow(key, row["next_version"], json.loads(row["document"]))


def _version_row(row: sqlite3.Row) -> VertexVersionRow:
    return VertexVersionRow(
        ModelKey(row["location"], row["project"], row["model"]),
        row["version"],
        json.loads(row["document"]),
        Version.from_json(json.loads(row["serving"]), strict=False),
        python=row["python"],
        artifact=row["artifact"],
        packages=row["packages"],
    )
