"""Rows as the resources that callers see: full names, the default version embedded, etags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aip_magics.server.conventions.google_json import TYPE, etag
from aip_magics.server.state.database import Database, ModelRow, OperationRow, VersionRow
from aip_magics.spec import Model, Version


def version(row: VersionRow) -> Version:
    """The Version as `versions.get` gives it; `isDefault` only where it is true."""
    shown = row.version.replace(name=row.key.name, isDefault=row.is_default or None)
    # A prediction is no change: whoever reads, predicts and then patches has lost nothing.
    return shown.replace(etag=etag([shown.replace(lastUseTime=None).to_json()]))


def model(row: ModelRow, store: Database) -> Model:
    """The Model as `models.get` gives it, with the whole default version where there is one."""
    default = None
    if row.default_version:
        found = store.version(row.key.child(row.default_version))
        default = version(found) if found else None
    shown = row.model.replace(name=row.key.name)
    return shown.replace(defaultVersion=default, etag=etag([shown.to_json(), row.default_version]))


def operation(row: OperationRow, progress: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The Operation's JSON; its metadata is an Any, so that it carries its type.

    `progress` is our own addition: where an operation that runs has got to.
    """
    data = row.operation.to_json()
    metadata = {"@type": f"{TYPE}OperationMetadata", **data.get("metadata", {})}
    return {**data, "metadata": {**metadata, "progress": progress} if progress else metadata}


def response(shown: Version | Model) -> dict[str, Any]:
    """A Version or Model as the `response` of an operation."""
    return {"@type": f"{TYPE}{type(shown).__name__}", **shown.to_json()}
