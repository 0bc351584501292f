"""The table of long-running operations, of AI Platform's API and of Vertex AI's."""

from __future__ import annotations

import dataclasses
import json
import sqlite3

from aip_magics.server.names import VersionKey
from aip_magics.server.state.transactions import TransactionalFile, dump_document
from aip_magics.spec import Operation

# Of all projects together: a limit per project would not bound the file, as a client may name ever new projects.
MAX_FINISHED_OPERATIONS = 1000
FINISHED_OPERATION_DAYS = 30
_MAX_NUMBER = 2**63 - 1


@dataclasses.dataclass(frozen=True)
class OperationRow:
    """An operation on a model or version; of Vertex AI's API: on a model, an endpoint, or a model deployed there."""

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


class OperationsTable(TransactionalFile):
    """Operations."""

    def get_operation(self, location: str, project: str, operation: str) -> OperationRow | None:
        query = "SELECT * FROM operations WHERE location = ? AND project = ? AND operation = ?"
        row = self.db.execute(query, (location, project, operation)).fetchone()
        return _operation_row(row) if row else None

    def list_operations(self, location: str, project: str, before: int | None, count: int) -> list[OperationRow]:
        """Return at most `count` operations, the newest first, of those created before the operation number `before`.

        None: of all.
        """
        query = (
            "SELECT * FROM operations WHERE location = ? AND project = ? AND number < ? ORDER BY number DESC LIMIT ?"
        )
        bound = _MAX_NUMBER if before is None else before
        return [_operation_row(row) for row in self.db.execute(query, (location, project, bound, count))]

    def list_running_operations(self) -> list[OperationRow]:
        """Return the unfinished operations, for example of a killed server."""
        rows = self.db.execute("SELECT * FROM operations WHERE state = 'RUNNING' ORDER BY number")
        return [_operation_row(row) for row in rows]

    def count_running_operations(self, project: str) -> int:
        """Count the running operations of the project, without those of Vertex AI's API, which has no such quota."""
        return self._count("SELECT count(*) FROM operations WHERE state = 'RUNNING' AND project = ?", project)

    def delete_operation(self, row: OperationRow) -> None:
        with self.transaction():
            self.db.execute("DELETE FROM operations WHERE number = ?", (row.number,))

    def prune_operations(self, now: str) -> None:
        """Delete the finished operations beyond the limits of number and age; `now` is in RFC 3339."""
        with self.transaction():
            self._prune_operations(now)

    def unused_operation_id(self, location: str, project: str, stem: str, epoch_ms: int) -> str:
        """Return `STEM-EPOCHMS`, with the next free number when the id exists in the same millisecond."""
        while self.get_operation(location, project, f"{stem}-{epoch_ms}"):
            epoch_ms += 1
        return f"{stem}-{epoch_ms}"

    def insert_operation(self, row: OperationRow) -> None:
        finished = _finish_time(row)
        columns = "location, project, operation, model, version, state, document, finished"
        values = (
            row.location,
            row.project,
            row.id,
            row.model,
            row.version,
            _state(row),
            dump_document(row.operation.to_json()),
            finished,
        )
        with self.transaction():
            self.db.execute(f"INSERT INTO operations ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
            if finished is not None:
                self._prune_operations(finished)

    def update_operation(self, row: OperationRow) -> None:
        finished = _finish_time(row)
        with self.transaction():
            self.db.execute(
                "UPDATE operations SET state = ?, document = ?, finished = ? WHERE number = ?",
                (_state(row), dump_document(row.operation.to_json()), finished, row.number),
            )
            if finished is not None:
                self._prune_operations(finished)

    def _prune_operations(self, now: str) -> None:
        # Both deletes read the index of finished operations only: its end of old ones, and at most the kept number.
        days = f"-{FINISHED_OPERATION_DAYS} days"
        self.db.execute("DELETE FROM operations WHERE finished < strftime('%Y-%m-%dT%H:%M:%SZ', ?, ?)", (now, days))
        self.db.execute(
            "DELETE FROM operations WHERE number IN (SELECT number FROM operations WHERE finished IS NOT NULL "
            "ORDER BY finished DESC, number DESC LIMIT -1 OFFSET ?)",
            (MAX_FINISHED_OPERATIONS,),
        )

    def _count(self, query: str, project: str) -> int:
        """Run a query that counts rows of a project, and add the condition that they are of AI Platform's API."""
        count: int = self.db.execute(f"{query} AND location NOT LIKE 'vertex:%'", (project,)).fetchone()[0]
        return count


def _state(row: OperationRow) -> str:
    return "DONE" if row.operation.done else "RUNNING"


def _finish_time(row: OperationRow) -> str | None:
    """When the operation ended; None while it runs."""
    metadata = row.operation.metadata
    return ((metadata.endTime if metadata else None) or "") if row.operation.done else None


def _operation_row(row: sqlite3.Row) -> OperationRow:
    operation = Operation.from_json(json.loads(row["document"]), strict=False)
    return OperationRow(row["location"], row["project"], row["model"], row["version"], operation, row["number"])
