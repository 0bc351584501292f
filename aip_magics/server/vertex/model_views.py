"""Finds models and versions by their names in requests, and builds the Models of the API from rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request

from aip_magics.server.context import get_context
from aip_magics.server.conventions.google_json import etag
from aip_magics.server.names import ModelKey
from aip_magics.server.state.database import Database
from aip_magics.server.state.vertex_models_table import VertexModelRow, VertexVersionRow
from aip_magics.server.vertex.error_texts import field_error, not_found
from aip_magics.server.vertex.names import Parent, endpoint_name, model_name, parent_of, split_version
from aip_magics.server.vertex.operations import REQUESTED

DEFAULT_ALIAS = "default"
# The service says where a Model can be deployed and what made it; here it is the same for all.
_CONSTANT = {
    "supportedDeploymentResourcesTypes": ["DEDICATED_RESOURCES"],
    "modelSourceInfo": {"sourceType": "CUSTOM"},
}


@dataclasses.dataclass(frozen=True)
class FoundModel:
    """A model with all its versions, sorted by number; there is at least one."""

    row: VertexModelRow
    versions: tuple[VertexVersionRow, ...]

    def find(self, version: str) -> VertexVersionRow | None:
        """Return the version with a number or alias."""
        for row in self.versions:
            if version == str(row.version) or version in row.aliases:
                return row
        return None

    def require(self, version: str = "") -> VertexVersionRow:
        """Return the version with a number or alias, by default the default version; NotFound without one."""
        row = self.find(version or DEFAULT_ALIAS)
        if row is None:
            raise not_found("Model", model_name(self.row.key, version))
        return row


def find_model(database: Database, key: ModelKey) -> FoundModel | None:
    """Return a model; None when it does not exist."""
    row = database.vertex_models.get(key)
    return FoundModel(row, tuple(database.vertex_models.list_versions(key))) if row else None


def require_model(database: Database, key: ModelKey) -> FoundModel:
    """Return a model; NotFound when it does not exist."""
    found = find_model(database, key)
    if found is None:
        raise not_found("Model", model_name(key))
    return found


def model_of(request: Request) -> tuple[FoundModel, str]:
    """Return the model in the request's path, and the version or alias after its `@`, which may be empty."""
    model, version = split_version(request.path_params["model"])
    return require_model(get_context(request).database, parent_of(request).child(model)), version


def version_of(request: Request) -> tuple[FoundModel, VertexVersionRow]:
    """Return the model in the request's path, and the version that the path has to name."""
    found, version = model_of(request)
    if not version:
        raise field_error("name", "The name of a version is required: projects/P/locations/L/models/M@VERSION.")
    return found, found.require(version)


class Deployments:
    """Where the versions of models are deployed: at the endpoints of one project in one location."""

    def __init__(self, database: Database, parent: Parent) -> None:
        self._by_model: dict[str, list[dict[str, str]]] = {}
        for endpoint in database.endpoints.list_in(parent.location, parent.project):
            for deployed in endpoint.document.get("deployedModels", []):
                ref = {"endpoint": endpoint_name(endpoint.key), "deployedModelId": deployed["id"]}
                name = f"{deployed['model']}@{deployed['modelVersionId']}"
                self._by_model.setdefault(name, []).append(ref)

    def of(self, rows: Sequence[VertexVersionRow]) -> list[dict[str, str]]:
        """Return the deployed models of some versions, as DeployedModelRefs."""
        return [ref for row in rows for ref in self._by_model.get(model_name(row.key, row.version), [])]


def list_deploying(database: Database, rows: Sequence[VertexVersionRow]) -> list[str]:
    """Return the names of the endpoints that some versions of models are being deployed to."""
    versions = {(model_name(row.key), str(row.version)) for row in rows}
    endpoints = []
    for row in database.list_running_operations():
        other = (row.operation.metadata and row.operation.metadata.other) or {}
        deployed = other.get(REQUESTED, {}).get("deployedModel", {})
        if (deployed.get("model"), deployed.get("modelVersionId")) in versions:
            endpoints.append(endpoint_name(row.version_key.parent))
    return endpoints


def show(
    found: FoundModel, version: VertexVersionRow, deployments: Deployments, *, versioned: bool = False
) -> dict[str, Any]:
    """Build the Model of a version; `versioned`: its name ends with `@VERSION`, as where a version was asked for."""
    row = found.row
    data: dict[str, Any] = {
        "versionId": str(version.version),
        **row.document,
        **version.document,
        **_CONSTANT,
    }
    labels = {**_labels(row.document), **_labels(version.document)}
    if labels:
        data["labels"] = labels
    name = model_name(row.key, version.version if versioned else "")
    data = {"name": name, **data, "etag": etag([data])}
    if deployed := deployments.of([version]):
        data["deployedModels"] = deployed
    return data


def _labels(document: Mapping[str, Any]) -> Mapping[str, str]:
    labels: Mapping[str, str] = document.get("labels") or {}
    return labels
