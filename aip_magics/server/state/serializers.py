"""Builds the resources of the API from rows: full names, embedded default version, etags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aip_magics.server.conventions.google_json import TYPE, etag
from aip_magics.server.state.database import Database, ModelRow, VersionRow
from aip_magics.server.state.operations_table import OperationRow
from aip_magics.spec import Model, Version


def version(row: VersionRow) -> Version:
    """Build the Version that `versions.get` returns; `isDefault` is set only if true."""
    shown = row.version.replace(name=row.key.name, isDefault=row.is_default or None)
    # A prediction is not a change: a client may read, predict, and then patch with the same etag.
    return shown.replace(etag=etag([shown.replace(lastUseTime=None).to_json()]))


def model(row: ModelRow, database: Database) -> Model:
    """Build the Model that `models.get` returns, with its complete default version, if any."""
    default = None
    if row.default_version:
        default_row = database.get_version(row.key.child(row.default_version))
        default = version(default_row) if default_row else None
    shown = row.model.replace(name=row.key.name)
    return shown.replace(defaultVersion=default, etag=etag([shown.to_json(), row.default_version]))


def operation(row: OperationRow, progress: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Build the Operation's JSON; its metadata is an Any, so it has a type.

    `progress` is an extension of this server: the stage of a running operation.
    """
    data = row.operation.to_json()
    metadata = {"@type": f"{TYPE}OperationMetadata", **data.get("metadata", {})}
    return {**data, "metadata": {**metadata, "progress": progress} if progress else metadata}


def response(shown: Version | Model) -> dict[str, Any]:
    """Build the `response` of an operation from a Version or Model."""
    return {"@type": f"{TYPE}{type(shown).__name__}", **shown.to_json()}
