"""projects.predict: the body goes to a worker as it came, the worker's answer to the caller as it came."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from aip_magics import catalog
from aip_magics.errors import ApiError, FailedPrecondition, PredictionError, ResourceExhausted
from aip_magics.server import models, problems, wire
from aip_magics.server.context import Service, model_key, service_of, version_key
from aip_magics.server.creation import recipe
from aip_magics.server.names import ModelKey, VersionKey
from aip_magics.server.nodes import NodeGroup
from aip_magics.server.problems import violation

RETRY_SECONDS = "1"


async def by_version(request: Request) -> Response:
    return await _predict(request, version_key(request))


async def by_model(request: Request) -> Response:
    """By the model's default version."""
    return await _predict(request, _default(service_of(request), model_key(request)))


async def _predict(request: Request, key: VersionKey) -> Response:
    service = service_of(request)
    group = _group(service, key)
    limits = catalog.limits()
    body, answer = b"", b""
    said = ""
    clock = asyncio.get_running_loop().time
    begun = clock()
    try:
        body = await wire.read_body(request, limits.predict_body_bytes)
        begun = clock()
        answer = await group.predict(body, limits.predict_seconds)
        response = Response(answer, media_type="application/json")
    except PredictionError as error:
        # The one place where the service's `error` is a text and not an object.
        said = f"Prediction failed: {error.detail}"
        response = JSONResponse({"error": said}, 400)
    except ApiError as error:
        said = error.message
        response = wire.error_response(error)
        if isinstance(error, ResourceExhausted):
            response.headers["retry-after"] = RETRY_SECONDS
    if service.nodes.find(key) is group:  # or the version was deleted meanwhile, and its logs with it
        seconds = clock() - begun
        group.statistics.record(response.status_code, seconds)
        service.journals.of(key).request(response.status_code, seconds, body, said or answer)
        if not said:
            service.last_use.note(key)
    return response


def _default(service: Service, key: ModelKey) -> VersionKey:
    version = service.store.default_version(key)
    if version is None:
        models.existing(service.store, key)
        text = f'The model "{key.model}" has no default version; name a version.'
        raise violation(FailedPrecondition, "name", text)
    return key.child(version)


def _group(service: Service, key: VersionKey) -> NodeGroup:
    group = service.nodes.find(key)
    if group is not None and group.ready:
        return group  # no look into the store on the path of most requests
    row = service.store.version(key)
    if row is None:
        models.existing(service.store, key.parent)
        raise problems.no_version(key.version, key.model)
    if row.version.state != "READY" or row.artifact is None:
        text = (
            "Online prediction is unavailable for this version. Please verify that CreateVersion has completed "
            "successfully."
        )
        raise violation(FailedPrecondition, "name", text)
    group = service.nodes.group(recipe(row, service.copies))
    group.ready = True
    service.journals.of(key).log_requests(row.version.requestLoggingConfig)
    return group
