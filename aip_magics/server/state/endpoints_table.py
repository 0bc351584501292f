"""The table of Vertex AI's endpoints. A model deployed to an endpoint is a row of `versions` below it."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from aip_magics.server.names import ModelKey
from aip_magics.server.state.operations_table import OperationsTable
from aip_magics.server.state.transactions import dump_document, key_values, name_taken

_KEY = "location = ? AND project = ? AND endpoint = ?"


@dataclasses.dataclass(frozen=True)
class EndpointRow:
    """An endpoint: the model of its `key` is the endpoint's id. `document` is the Endpoint without name and etag."""

    key: ModelKey
    document: Mapping[str, Any]


class EndpointsTable:
    """Endpoints. Every method that writes is a transaction, or part of the caller's."""

    def __init__(self, file: OperationsTable) -> None:
        self._file = file
        self.revision = 0  # grows with every write, so that what was read before can be kept until then

    def insert(self, row: EndpointRow) -> None:
        """Insert an endpoint; AlreadyExists when the id is taken."""
        self.revision += 1
        with self._file.transaction():
            text = f"Endpoint {row.key.model} already exists."
            with name_taken("endpoint_id", text):
                self._file.db.execute(
                    "INSERT INTO endpoints VALUES (?, ?, ?, ?)", (*key_values(row.key), dump_document(row.document))
                )
            # The model that rows of `versions` refer to. AI Platform's API does not show it: its location differs.
            self._file.db.execute(
                "INSERT INTO models (location, project, model, document) VALUES (?, ?, ?, '{}')", key_values(row.key)
            )

    def get(self, key: ModelKey) -> EndpointRow | None:
        row = self._file.db.execute(f"SELECT * FROM endpoints WHERE {_KEY}", key_values(key)).fetchone()
        return _row(row) if row else None

    def list_in(self, location: str, project: str) -> list[EndpointRow]:
        """Return all endpoints of a project in a location, sorted by id."""
        query = "SELECT * FROM endpoints WHERE location = ? AND project = ? ORDER BY endpoint"
        return [_row(row) for row in self._file.db.execute(query, (location, project))]

    def update(self, row: EndpointRow) -> None:
        self.revision += 1
        with self._file.transaction():
            self._file.db.execute(
                f"UPDATE endpoints SET document = ? WHERE {_KEY}", (dump_document(row.document), *key_values(row.key))
            )

    def delete(self, key: ModelKey) -> None:
        """Delete an endpoint without deployed models."""
        self.revision += 1
        with self._file.transaction():
            self._file.db.execute(f"DELETE FROM endpoints WHERE {_KEY}", key_values(key))
            query = "DELETE FROM models WHERE location = ? AND project = ? AND model = ?"
            self._file.db.execute(query, key_values(key))


def _row(row: sqlite3.Row) -> EndpointRow:
    return EndpointRow(ModelKey(row["location"], row["project"], row["endpoint"]), json.loads(row["document"]))
