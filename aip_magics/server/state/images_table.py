"""The table of container images that were pushed to this server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aip_magics.server.state.transactions import TransactionalFile, dump_document


class ImagesTable:
    """Pushed images by their URI, each with the JSON object that describes how its models are served."""

    def __init__(self, file: TransactionalFile) -> None:
        self._file = file

    def put(self, uri: str, document: Mapping[str, Any]) -> None:
        """Insert or replace an image."""
        with self._file.transaction():
            self._file.db.execute(
                "INSERT INTO images VALUES (?, ?) ON CONFLICT (uri) DO UPDATE SET document = excluded.document",
                (uri, dump_document(document)),
            )

    def get(self, uri: str) -> Mapping[str, Any] | None:
        row = self._file.db.execute("SELECT document FROM images WHERE uri = ?", (uri,)).fetchone()
        return json.loads(row["document"]) if row else None

    def list_all(self) -> list[Mapping[str, Any]]:
        """Return the images, sorted by URI."""
        return [json.loads(row["document"]) for row in self._file.db.execute("SELECT * FROM images ORDER BY uri")]
