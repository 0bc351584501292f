"""All routes of the prediction REST API, in the order of the API reference; others are elsewhere.

`:predict` is in predict_app.py, and what is below locations, of this API and Vertex AI's, in vertex/routes.py.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from aip_magics.errors import NotFound
from aip_magics.server.api import explain, iam, jobs, models, monitoring, operations, projects, versions
from aip_magics.server.context import get_context
from aip_magics.server.conventions.json_endpoint import Handler, json_endpoint

NAME = "aip-magics"
HEALTH = "/healthz"

_PROJECT = "/v1/projects/{project}"
_MODELS = f"{_PROJECT}/models"
_MODEL = f"{_MODELS}/{{model}}"
_VERSIONS = f"{_MODEL}/versions"
_VERSION = f"{_VERSIONS}/{{version}}"
_OPERATIONS = f"{_PROJECT}/operations"
_OPERATION = f"{_OPERATIONS}/{{operation}}"
_JOBS = f"{_PROJECT}/jobs"
_JOB = f"{_JOBS}/{{job}}"
_EVERY_METHOD = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


async def health(request: Request) -> Response:
    """Health check, without a token: a client can tell this server from another one on the same port."""
    context = get_context(request)
    return JSONResponse({"name": NAME, "version": context.version, "pid": context.pid})


async def stop(request: Request) -> dict[str, Any]:
    """Extension of the API: stop the server."""
    get_context(request).stop()
    return {}


async def unknown(request: Request) -> Response:
    """Route for unknown paths below /v1/: NotFound."""
    raise _nowhere(request.scope)


async def nowhere(scope: Scope, _receive: Receive, _send: Send) -> None:
    """ASGI application for requests that match no route, including those of the object store: NotFound."""
    raise _nowhere(scope)


def _nowhere(scope: Scope) -> NotFound:
    return NotFound(f"The requested URL {scope['path']} with method {scope['method']} was not found on this server.")


def routes() -> list[BaseRoute]:
    """Build the routes of the v1 API and its extensions."""
    return [
        *(Route(path, json_endpoint(handler), methods=[verb]) for verb, path, handler in _METHODS),
        Route(HEALTH, health, methods=["GET"]),
    ]


def unknown_routes() -> list[BaseRoute]:
    """Build the routes of all other paths of the API. The object store's, which match any path, must follow."""
    return [Route("/v1/{rest:path}", unknown, methods=_EVERY_METHOD)]


_METHODS: tuple[tuple[str, str, Handler], ...] = (
    ("POST", f"{_VERSION}:explain", explain.by_version),
    ("POST", f"{_MODEL}:explain", explain.by_model),
    ("GET", f"{_PROJECT}:getConfig", projects.get_config),
    ("POST", _MODELS, models.create),
    ("GET", _MODELS, models.list_),
    ("GET", f"{_MODEL}:getIamPolicy", iam.get),
    ("POST", f"{_MODEL}:setIamPolicy", iam.set_),
    ("POST", f"{_MODEL}:testIamPermissions", iam.test),
    ("GET", _MODEL, models.get),
    ("PATCH", _MODEL, models.patch),
    ("DELETE", _MODEL, models.delete),
    ("POST", _VERSIONS, versions.create),
    ("GET", _VERSIONS, versions.list_),
    ("POST", f"{_VERSION}:setDefault", versions.set_default),
    ("GET", f"{_VERSION}:runtime", versions.runtime),  # extension, like the next two
    ("GET", f"{_VERSION}:stats", monitoring.stats),
    ("GET", f"{_VERSION}:logs", monitoring.logs),
    ("GET", _VERSION, versions.get),
    ("PATCH", _VERSION, versions.patch),
    ("DELETE", _VERSION, versions.delete),
    ("GET", _OPERATIONS, operations.list_),
    ("POST", f"{_OPERATION}:cancel", operations.cancel),
    ("GET", _OPERATION, operations.get),
    ("POST", _JOBS, jobs.create),
    ("GET", _JOBS, jobs.list_),
    ("POST", f"{_JOB}:cancel", jobs.missing),
    ("GET", f"{_JOB}:getIamPolicy", jobs.missing),
    ("POST", f"{_JOB}:setIamPolicy", jobs.missing),
    ("POST", f"{_JOB}:testIamPermissions", iam.test_job),
    ("GET", _JOB, jobs.missing),
    ("PATCH", _JOB, jobs.missing),
    ("POST", "/aip-magics/warm", versions.warm),  # extension, like the next
    ("POST", "/aip-magics/stop", stop),
)
