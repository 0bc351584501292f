"""projects.models: create, get, list, patch, delete."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from aip_magics.errors import FailedPrecondition, InvalidArgument
from aip_magics.server.api.operations import finished
from aip_magics.server.context import get_context, model_key
from aip_magics.server.conventions import error_responses, etags, field_masks, pagination, request_parsing, validation
from aip_magics.server.conventions.error_responses import violation
from aip_magics.server.names import ModelKey
from aip_magics.server.state import quotas, serializers
from aip_magics.server.state.database import Database, ModelRow
from aip_magics.spec import Model

# gcloud's `models update` sends labels too. Region and logging stay as they were created.
PATCHABLE = ("description", "labels", "defaultVersion.name")


async def create(request: Request) -> dict[str, Any]:
    service = get_context(request)
    given = await request_parsing.parse_resource(request, Model, "model")
    location = request.scope["location"]
    key = ModelKey(location, request.path_params["project"], validation.resource_id("model.name", given.name))
    row = ModelRow(key, validation.model(given, location), None)
    if service.store.model(key) is None:  # else the store says that the name is taken
        quotas.one_more_model(service.store, key)
    service.store.create_model(row)
    return serializers.model(row, service.store).to_json()


async def get(request: Request) -> dict[str, Any]:
    service = get_context(request)
    service.last_use.write()
    return serializers.model(existing(service.store, model_key(request)), service.store).to_json()


async def list_(request: Request) -> dict[str, Any]:
    service = get_context(request)
    service.last_use.write()
    store, location, project = service.store, request.scope["location"], request.path_params["project"]
    return pagination.paginate(
        request,
        "models",
        lambda after, count: store.models(location, project, after, count),
        lambda row: row.key.model,
        lambda row: serializers.model(row, store).to_json(),
    )


async def patch(request: Request) -> dict[str, Any]:
    """The Operation is done when it is answered."""
    service = get_context(request)
    given = await request_parsing.parse_resource(request, Model, "model")
    paths = field_masks.from_request(request, PATCHABLE)
    # From here on nothing is awaited: what is read is what is changed.
    row = existing(service.store, model_key(request))
    etags.check_etag("model.etag", given.etag, serializers.model(row, service.store).etag or "")
    plain = [path for path in paths if path != "defaultVersion.name"]
    model = field_masks.apply(row.model, given, plain)
    model = model.replace(description=model.description or None, labels=model.labels or None)
    validation.model_labels(model.labels)
    default = _default(service.store, row, given) if "defaultVersion.name" in paths else row.default_version
    changed = ModelRow(row.key, model, default, row.policy)
    shown = serializers.model(changed, service.store)
    operation = finished(service, "UPDATE_MODEL", row.key, labels=model.labels, response=serializers.response(shown))
    service.store.update_model(changed, operation)
    return serializers.operation(operation)


async def delete(request: Request) -> dict[str, Any]:
    """Only a model without versions. The Operation is done when it is answered."""
    service = get_context(request)
    row = existing(service.store, model_key(request))
    if service.store.has_versions(row.key):
        text = "A model that has versions cannot be deleted. Please delete its versions first."
        raise violation(FailedPrecondition, "name", text)
    operation = finished(service, "DELETE_MODEL", row.key, labels=row.model.labels)
    service.store.delete_model(row.key, operation)
    return serializers.operation(operation)


def existing(store: Database, key: ModelKey) -> ModelRow:
    row = store.model(key)
    if row is None:
        raise error_responses.no_model(key.model)
    return row


def _default(store: Database, row: ModelRow, given: Model) -> str:
    """The version that a patch makes the default, by its id or full name."""
    name = (given.defaultVersion.name if given.defaultVersion else None) or ""
    version = name.removeprefix(f"{row.key.name}/versions/")
    if not version or "/" in version:
        text = f"The name of a version of the model {row.key.model!r} is required."
        raise violation(InvalidArgument, "model.default_version.name", text)
    found = store.version(row.key.child(version))
    if found is None:
        raise error_responses.no_version(version, row.key.model)
    error_responses.must_be_ready(found.version.state)
    return version
