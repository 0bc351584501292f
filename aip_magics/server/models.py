"""projects.models: create, get, list, delete."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from aip_magics.errors import FailedPrecondition
from aip_magics.server import problems, show, validate, wire
from aip_magics.server.context import model_key, service_of
from aip_magics.server.names import ModelKey
from aip_magics.server.operations import finished
from aip_magics.server.problems import violation
from aip_magics.server.store import ModelRow, Store
from aip_magics.spec import Model


async def create(request: Request) -> Response:
    service = service_of(request)
    given = Model.from_json(await wire.read_json(request))
    location = request.scope["location"]
    key = ModelKey(location, request.path_params["project"], validate.resource_id("model.name", given.name))
    row = ModelRow(key, validate.model(given, location), None)
    service.store.create_model(row)
    return JSONResponse(show.model(row, service.store).to_json())


async def get(request: Request) -> Response:
    store = service_of(request).store
    return JSONResponse(show.model(existing(store, model_key(request)), store).to_json())


async def list_(request: Request) -> Response:
    store = service_of(request).store
    size, after = wire.page(request)
    rows = store.models(request.scope["location"], request.path_params["project"], after, size + 1)
    return wire.paged("models", rows, size, lambda row: row.key.model, lambda row: show.model(row, store).to_json())


async def delete(request: Request) -> Response:
    """Only a model without versions. The Operation is done when it is answered."""
    service = service_of(request)
    row = existing(service.store, model_key(request))
    if service.store.has_versions(row.key):
        text = "A model that has versions cannot be deleted. Please delete its versions first."
        raise violation(FailedPrecondition, "name", text)
    operation = finished(service, "DELETE_MODEL", row.key, labels=row.model.labels)
    service.store.delete_model(row.key, operation)
    return JSONResponse(show.operation(operation))


def existing(store: Store, key: ModelKey) -> ModelRow:
    row = store.model(key)
    if row is None:
        raise problems.no_model(key.model)
    return row
