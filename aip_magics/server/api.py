"""Every route of the server, in the order of the API's own list of methods."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from aip_magics.errors import NotFound
from aip_magics.server import models, operations, predict, versions
from aip_magics.server.context import service_of

NAME = "aip-magics"
HEALTH = "/healthz"

_PROJECT = "/v1/projects/{project}"
_MODELS = f"{_PROJECT}/models"
_MODEL = f"{_MODELS}/{{model}}"
_VERSIONS = f"{_MODEL}/versions"
_VERSION = f"{_VERSIONS}/{{version}}"
_OPERATIONS = f"{_PROJECT}/operations"
_OPERATION = f"{_OPERATIONS}/{{operation}}"
_EVERY_METHOD = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


async def health(request: Request) -> Response:
    """The one answer that needs no token: by it a client tells our server from another on the same port."""
    service = service_of(request)
    return JSONResponse({"name": NAME, "version": service.version, "pid": service.pid})


async def stop(request: Request) -> Response:
    service_of(request).stop()
    return JSONResponse({})


async def unknown(request: Request) -> Response:
    raise NotFound(f"The requested URL {request.url.path} with method {request.method} was not found on this server.")


def routes() -> list[BaseRoute]:
    """The v1 API and our own few routes; those of the object store come after, as they take any other path."""
    return [
        # predict first: it is what is called often
        Route(f"{_VERSION}:predict", predict.by_version, methods=["POST"]),
        Route(f"{_MODEL}:predict", predict.by_model, methods=["POST"]),
        Route(_MODELS, models.create, methods=["POST"]),
        Route(_MODELS, models.list_, methods=["GET"]),
        Route(_MODEL, models.get, methods=["GET"]),
        Route(_MODEL, models.delete, methods=["DELETE"]),
        Route(_VERSIONS, versions.create, methods=["POST"]),
        Route(_VERSIONS, versions.list_, methods=["GET"]),
        Route(f"{_VERSION}:setDefault", versions.set_default, methods=["POST"]),
        Route(f"{_VERSION}:runtime", versions.runtime, methods=["GET"]),
        Route(_VERSION, versions.get, methods=["GET"]),
        Route(_VERSION, versions.delete, methods=["DELETE"]),
        Route(_OPERATIONS, operations.list_, methods=["GET"]),
        Route(f"{_OPERATION}:cancel", operations.cancel, methods=["POST"]),
        Route(_OPERATION, operations.get, methods=["GET"]),
        Route(HEALTH, health, methods=["GET"]),
        Route("/aip-magics/warm", versions.warm, methods=["POST"]),
        Route("/aip-magics/stop", stop, methods=["POST"]),
        Route("/v1/{rest:path}", unknown, methods=_EVERY_METHOD),
    ]
