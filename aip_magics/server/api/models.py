"""projects.models: create, get, list, patch, delete."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from aip_magics.errors import FailedPrecondition, InvalidArgument
from aip_magics.server.api.operations import build_done_operation
from aip_magics.server.context import get_context, model_key
from aip_magics.server.conventions import error_responses, etags, field_masks, pagination, request_parsing, validation
from aip_magics.server.conventions.error_responses import violation
from aip_magics.server.names import ModelKey
from aip_magics.server.state import serializers
from aip_magics.server.state.database import Database, ModelRow
from aip_magics.spec import Model

# gcloud's `models update` also sends labels. Region and logging cannot be changed.
PATCHABLE = ("description", "labels", "defaultVersion.name")


async def create(request: Request) -> dict[str, Any]:
    """models.create"""
    context = get_context(request)
    requested = await request_parsing.parse_resource(request, Model, "model")
    location = request.scope["location"]
    key = ModelKey(location, request.path_params["project"], validation.check_resource_id("model.name", requested.name))
    row = ModelRow(key, validation.validate_model(requested, location), None)
    context.database.create_model(row)
    return serializers.model(row, context.database).to_json()


async def get(request: Request) -> dict[str, Any]:
    """models.get"""
    context = get_context(request)
    context.last_use.write()
    return serializers.model(require_model(context.database, model_key(request)), context.database).to_json()


async def list_(request: Request) -> dict[str, Any]:
    """models.list"""
    context = get_context(request)
    context.last_use.write()
    database, location, project = context.database, request.scope["location"], request.path_params["project"]
    return pagination.paginate(
        request,
        "models",
        lambda after, count: database.list_models(location, project, after, count),
        lambda row: row.key.model,
        lambda row: serializers.model(row, database).to_json(),
    )


async def patch(request: Request) -> dict[str, Any]:
    """models.patch: the returned Operation is done."""
    context = get_context(request)
    requested = await request_parsing.parse_resource(request, Model, "model")
    paths = field_masks.from_request(request, PATCHABLE)
    # No await from here on: the row must not change between read and update.
    row = require_model(context.database, model_key(request))
    etags.check_etag("model.etag", requested.etag, serializers.model(row, context.database).etag or "")
    model_paths = [path for path in paths if path != "defaultVersion.name"]
    model = field_masks.apply(row.model, requested, model_paths)
    model = model.replace(description=model.description or None, labels=model.labels or None)
    validation.validate_labels(model.labels)
    default = (
        _requested_default(context.database, row, requested) if "defaultVersion.name" in paths else row.default_version
    )
    changed = ModelRow(row.key, model, default, row.policy)
    shown = serializers.model(changed, context.database)
    operation = build_done_operation(
        context, "UPDATE_MODEL", row.key, labels=model.labels, response=serializers.response(shown)
    )
    context.database.update_model(changed, operation)
    return serializers.operation(operation)


async def delete(request: Request) -> dict[str, Any]:
    """models.delete: only a model without versions; the returned Operation is done."""
    context = get_context(request)
    row = require_model(context.database, model_key(request))
    if context.database.has_versions(row.key):
        text = "A model that has versions cannot be deleted. Please delete its versions first."
        raise violation(FailedPrecondition, "name", text)
    operation = build_done_operation(context, "DELETE_MODEL", row.key, labels=row.model.labels)
    context.database.delete_model(row.key, operation)
    return serializers.operation(operation)


def require_model(database: Database, key: ModelKey) -> ModelRow:
    """Return the model; NotFound when it does not exist."""
    row = database.get_model(key)
    if row is None:
        raise error_responses.no_model(key.model)
    return row


def _requested_default(database: Database, row: ModelRow, requested: Model) -> str:
    """Return the version that a patch sets as default, by id or full name."""
    name = (requested.defaultVersion.name if requested.defaultVersion else None) or ""
    version = name.removeprefix(f"{row.key.name}/versions/")
    if not version or "/" in version:
        text = f"The name of a version of the model {row.key.model!r} is required."
        raise violation(InvalidArgument, "model.default_version.name", text)
    version_row = database.get_version(row.key.child(version))
    if version_row is None:
        raise error_responses.no_version(version, row.key.model)
    error_responses.check_ready(version_row.version.state)
    return version
