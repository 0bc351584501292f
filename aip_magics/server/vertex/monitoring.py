"""Extensions of the API: statistics, logs and runtime environment of a deployed model.

`GET …/endpoints/E/deployedModels/D:stats`, `:logs`, `:runtime`; the answers are those of AI Platform's versions.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from aip_magics.server.api import monitoring
from aip_magics.server.context import get_context
from aip_magics.server.state.database import VersionRow
from aip_magics.server.vertex import deployed_models, endpoints, names


async def stats(request: Request) -> dict[str, Any]:
    """Return counters, latencies and nodes since the server started, and what all nodes use together."""
    row, name = _require_deployed(request)
    return {"name": name, **monitoring.read_statistics(get_context(request), row)}


async def logs(request: Request) -> dict[str, Any]:
    """Return the last `lines` of access log, node output and request log."""
    row, name = _require_deployed(request)
    return {"name": name, **monitoring.read_logs(request, row)}


async def runtime(request: Request) -> dict[str, Any]:
    """Return the Python that serves the model, its imported libraries, its worker's confinement."""
    row, _name = _require_deployed(request)
    return {"python": row.python, **row.runtime}


def _require_deployed(request: Request) -> tuple[VersionRow, str]:
    """Return the row of the deployed model in the path, and its full name; NotFound without one."""
    context, key = get_context(request), endpoints.endpoint_key(request)
    endpoint = endpoints.require_endpoint(context, key)
    id_ = deployed_models.require_deployed(endpoint, request.path_params["deployed_model"])["id"]
    row = context.database.get_version(key.child(id_))
    assert row is not None  # as the endpoint has the model
    return row, f"{names.endpoint_name(key)}/deployedModels/{id_}"
