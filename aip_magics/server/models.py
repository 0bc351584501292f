"""projects.models: create, get, list, patch, delete."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from aip_magics.errors import FailedPrecondition, InvalidArgument
from aip_magics.server import bodies, etags, listing, masks, problems, quotas, show, validate
from aip_magics.server.context import model_key, service_of
from aip_magics.server.names import ModelKey
from aip_magics.server.operations import finished
from aip_magics.server.problems import violation
from aip_magics.server.store import ModelRow, Store
from aip_magics.spec import Model

# gcloud's `models update` sends labels too. Region and logging stay as they were created.
PATCHABLE = ("description", "labels", "defaultVersion.name")


async def create(request: Request) -> dict[str, Any]:
    service = service_of(request)
    given = await bodies.read(request, Model, "model")
    location = request.scope["location"]
    key = ModelKey(location, request.path_params["project"], validate.resource_id("model.name", given.name))
    row = ModelRow(key, validate.model(given, location), None)
    if service.store.model(key) is None:  # else the store says that the name is taken
        quotas.one_more_model(service.store, key)
    service.store.create_model(row)
    return show.model(row, service.store).to_json()


async def get(request: Request) -> dict[str, Any]:
    service = service_of(request)
    service.last_use.write()
    return show.model(existing(service.store, model_key(request)), service.store).to_json()


async def list_(request: Request) -> dict[str, Any]:
    service = service_of(request)
    service.last_use.write()
    store, location, project = service.store, request.scope["location"], request.path_params["project"]
    return listing.listed(
        request,
        "models",
        lambda after, count: store.models(location, project, after, count),
        lambda row: row.key.model,
        lambda row: show.model(row, store).to_json(),
    )


async def patch(request: Request) -> dict[str, Any]:
    """The Operation is done when it is answered."""
    service = service_of(request)
    given = await bodies.read(request, Model, "model")
    paths = masks.of(request, PATCHABLE)
    # From here on nothing is awaited: what is read is what is changed.
    row = existing(service.store, model_key(request))
    etags.check("model.etag", given.etag, show.model(row, service.store).etag or "")
    plain = [path for path in paths if path != "defaultVersion.name"]
    model = masks.apply(row.model, given, plain)
    model = model.replace(description=model.description or None, labels=model.labels or None)
    validate.model_labels(model.labels)
    default = _default(service.store, row, given) if "defaultVersion.name" in paths else row.default_version
    changed = ModelRow(row.key, model, default, row.policy)
    shown = show.model(changed, service.store)
    operation = finished(service, "UPDATE_MODEL", row.key, labels=model.labels, response=show.response(shown))
    service.store.update_model(changed, operation)
    return show.operation(operation)


async def delete(request: Request) -> dict[str, Any]:
    """Only a model without versions. The Operation is done when it is answered."""
    service = service_of(request)
    row = existing(service.store, model_key(request))
    if service.store.has_versions(row.key):
        text = "A model that has versions cannot be deleted. Please delete its versions first."
        raise violation(FailedPrecondition, "name", text)
    operation = finished(service, "DELETE_MODEL", row.key, labels=row.model.labels)
    service.store.delete_model(row.key, operation)
    return show.operation(operation)


def existing(store: Store, key: ModelKey) -> ModelRow:
    row = store.model(key)
    if row is None:
        raise problems.no_model(key.model)
    return row


def _default(store: Store, row: ModelRow, given: Model) -> str:
    """The version that a patch makes the default, by its id or full name."""
    name = (given.defaultVersion.name if given.defaultVersion else None) or ""
    version = name.removeprefix(f"{row.key.name}/versions/")
    if not version or "/" in version:
        text = f"The name of a version of the model {row.key.model!r} is required."
        raise violation(InvalidArgument, "model.default_version.name", text)
    found = store.version(row.key.child(version))
    if found is None:
        raise problems.no_version(version, row.key.model)
    problems.must_be_ready(found.version.state)
    return version
