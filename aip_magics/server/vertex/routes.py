"""The routes of Vertex AI's API. They come after those of AI Platform's, which no path below a location collides with.

Clients use `/v1/` and `/v1beta1/`, the SDK also `/ui/`; all three are the same here.
"""

from __future__ import annotations

from typing import Any

from starlette.convertors import StringConvertor, register_url_convertor
from starlette.requests import Request
from starlette.routing import BaseRoute, Route

from aip_magics.server.api import locations
from aip_magics.server.api.routes import unknown
from aip_magics.server.conventions.json_endpoint import Handler, json_endpoint
from aip_magics.server.vertex import (
    deployed_models,
    endpoints,
    error_texts,
    images,
    model_versions,
    models,
    monitoring,
    operations,
)
from aip_magics.server.vertex.error_texts import with_own_words

_EVERY_METHOD = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class _Prefix(StringConvertor):
    regex = "v1|v1beta1|ui"


class _ResourceId(StringConvertor):
    regex = "[^/:]+"  # so that `M:verb` is never taken for the id of a resource


class _CollectionWithOperations(StringConvertor):
    regex = "models|endpoints"


register_url_convertor("api_prefix", _Prefix())
register_url_convertor("resource_id", _ResourceId())
register_url_convertor("with_operations", _CollectionWithOperations())

_LOCATIONS = "/{api:api_prefix}/projects/{project}/locations"
_LOCATION = f"{_LOCATIONS}/{{location:resource_id}}"
_MODELS = f"{_LOCATION}/models"
_MODEL = f"{_MODELS}/{{model:resource_id}}"
_ENDPOINTS = f"{_LOCATION}/endpoints"
_ENDPOINT = f"{_ENDPOINTS}/{{endpoint:resource_id}}"
_DEPLOYED_MODEL = f"{_ENDPOINT}/deployedModels/{{deployed_model:resource_id}}"
_OPERATIONS = f"{_LOCATION}/operations"
_NESTED_OPERATIONS = f"{_LOCATION}/{{collection:with_operations}}/{{resource:resource_id}}/operations"


def routes() -> list[BaseRoute]:
    """Build the routes."""
    return [
        *(Route(path, json_endpoint(with_own_words(handler)), methods=[verb]) for verb, path, handler in _METHODS),
        Route(f"{_LOCATION}/{{rest:path}}", json_endpoint(unimplemented), methods=_EVERY_METHOD),
        Route(f"{_LOCATION}:{{rest}}", json_endpoint(unimplemented), methods=_EVERY_METHOD),
        Route("/{api:api_prefix}/projects/{rest:path}", unknown, methods=_EVERY_METHOD),
    ]


def _operation_methods(operations_path: str) -> tuple[tuple[str, str, Handler], ...]:
    operation = f"{operations_path}/{{operation:resource_id}}"
    return (
        ("GET", operations_path, operations.list_),
        ("POST", f"{operation}:wait", operations.wait),
        ("POST", f"{operation}:cancel", operations.cancel),
        ("GET", operation, operations.get),
        ("DELETE", operation, operations.delete),
    )


async def unimplemented(request: Request) -> dict[str, Any]:
    """Every other method of the API: refused."""
    path = request.path_params["rest"]
    raise error_texts.unimplemented(
        f"The embedded server does not offer {request.method} {path[:200]!r} of Vertex AI's API: it has models, their "
        "versions, endpoints with online prediction, and operations."
    )


_METHODS: tuple[tuple[str, str, Handler], ...] = (
    ("POST", f"{_MODELS}:upload", models.upload),
    ("GET", _MODELS, models.list_),
    ("GET", f"{_MODEL}:listVersions", model_versions.list_),
    ("POST", f"{_MODEL}:mergeVersionAliases", model_versions.merge_aliases),
    ("DELETE", f"{_MODEL}:deleteVersion", model_versions.delete),
    ("GET", _MODEL, models.get),
    ("PATCH", _MODEL, models.patch),
    ("DELETE", _MODEL, models.delete),
    ("POST", _ENDPOINTS, endpoints.create),
    ("GET", _ENDPOINTS, endpoints.list_),
    ("POST", f"{_ENDPOINT}:deployModel", deployed_models.deploy),
    ("POST", f"{_ENDPOINT}:undeployModel", deployed_models.undeploy),
    ("POST", f"{_ENDPOINT}:mutateDeployedModel", deployed_models.mutate),
    ("POST", f"{_ENDPOINT}:explain", endpoints.explain),
    ("GET", f"{_DEPLOYED_MODEL}:runtime", monitoring.runtime),  # extension, like the next two
    ("GET", f"{_DEPLOYED_MODEL}:stats", monitoring.stats),
    ("GET", f"{_DEPLOYED_MODEL}:logs", monitoring.logs),
    ("GET", _ENDPOINT, endpoints.get),
    ("PATCH", _ENDPOINT, endpoints.patch),
    ("DELETE", _ENDPOINT, endpoints.delete),
    ("GET", _LOCATIONS, locations.list_),
    ("GET", _LOCATION, locations.get),
    *_operation_methods(_OPERATIONS),
    *_operation_methods(_NESTED_OPERATIONS),
    ("PUT", "/aip-magics/images", images.put),  # extension, like the next
    ("GET", "/aip-magics/images", images.list_),
)
