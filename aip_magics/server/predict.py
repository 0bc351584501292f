"""projects.predict: the body goes to a worker as it came, the worker's answer to the caller as it came."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from aip_magics import catalog
from aip_magics.errors import ApiError, FailedPrecondition, PredictionError
from aip_magics.server.api import models
from aip_magics.server.context import AppContext, get_context, model_key, version_key
from aip_magics.server.conventions import error_responses, google_json
from aip_magics.server.conventions.error_responses import violation
from aip_magics.server.names import ModelKey, VersionKey
from aip_magics.server.nodes import NodeGroup
from aip_magics.server.version_creation import build_node_spec

RETRY_SECONDS = "1"
TOO_MANY = 429


async def by_version(request: Request) -> Response:
    return await _predict(request, version_key(request))


async def by_model(request: Request) -> Response:
    """By the model's default version."""
    return await _predict(request, _default(get_context(request), model_key(request)))


async def _predict(request: Request, key: VersionKey) -> Response:
    service = get_context(request)
    group = _group(service, key)
    try:
        body = await google_json.read_body(request, catalog.limits().predict_body_bytes)
    except ApiError as error:
        note(service, key, group, google_json.error_body(error)[0], 0.0, b"", error.message)
        raise
    status, answer = await answered(service, key, group, body)
    response = Response(answer, status, media_type="application/json")
    if status == TOO_MANY:
        response.headers["retry-after"] = RETRY_SECONDS
    return response


async def answered(
    service: AppContext, key: VersionKey, group: NodeGroup, body: bytes, asked: Coroutine[Any, Any, bytes] | None = None
) -> tuple[int, bytes]:
    """The HTTP status and the body of the answer to a request's body, written down in the version's journals.

    `asked` is what the group began already, if it did.
    """
    clock = asyncio.get_running_loop().time
    begun = clock()
    said = ""
    try:
        status, answer = 200, await (asked or group.predict(body, catalog.limits().predict_seconds))
    except PredictionError as error:
        # The one place where the service's `error` is a text and not an object.
        said = f"Prediction failed: {error.detail}"
        status, answer = 400, google_json.dump_json({"error": said})
    except ApiError as error:
        said = error.message
        status, answer = google_json.error_body(error)
    note(service, key, group, status, clock() - begun, body, said or answer)
    return status, answer


def note(
    service: AppContext,
    key: VersionKey,
    group: NodeGroup,
    status: int,
    seconds: float,
    body: bytes,
    answer: bytes | str,
) -> None:
    """Write down a request and its answer's body, or the text of the error."""
    if service.nodes.find(key) is group:  # or the version was deleted meanwhile, and its logs with it
        group.statistics.record(status, seconds)
        service.journals.of(key).request(status, seconds, body, answer)
        if isinstance(answer, bytes):
            service.last_use.note(key)


def _default(service: AppContext, key: ModelKey) -> VersionKey:
    version = service.database.get_default_version(key)
    if version is None:
        models.require_model(service.database, key)
        text = f'The model "{key.model}" has no default version; name a version.'
        raise violation(FailedPrecondition, "name", text)
    return key.child(version)


def _group(service: AppContext, key: VersionKey) -> NodeGroup:
    group = service.nodes.find(key)
    if group is not None and group.ready:
        return group  # no look into the store on the path of most requests
    row = service.database.get_version(key)
    if row is None:
        models.require_model(service.database, key.parent)
        raise error_responses.no_version(key.version, key.model)
    if row.version.state != "READY" or row.artifact is None:
        text = (
            "Online prediction is unavailable for this version. Please verify that CreateVersion has completed "
            "successfully."
        )
        raise violation(FailedPrecondition, "name", text)
    group = service.nodes.group(build_node_spec(row, service.model_snapshots))
    group.ready = True
    service.journals.of(key).log_requests(row.version.requestLoggingConfig)
    return group
