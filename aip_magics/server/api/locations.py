"""projects.locations: the regions a model can be in. They offer online prediction, without accelerators."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from aip_magics import catalog
from aip_magics.errors import NotFound
from aip_magics.server.conventions import pagination
from aip_magics.server.conventions.error_responses import violation


async def list_(request: Request) -> dict[str, Any]:
    project = request.path_params["project"]
    return pagination.paginate(
        request,
        "locations",
        lambda after, count: [name for name in _names() if name > after][:count],
        str,
        lambda name: _shown(project, name),
    )


async def get(request: Request) -> dict[str, Any]:
    location = request.path_params["location"]
    if location not in _names():
        raise violation(NotFound, "name", f'The location resource: "{location}" was not found.')
    return _shown(request.path_params["project"], location)


def _names() -> list[str]:
    return sorted({*catalog.regional_regions(), *catalog.global_regions()})


def _shown(project: str, location: str) -> dict[str, Any]:
    return {"name": f"projects/{project}/locations/{location}", "capabilities": [{"type": "ONLINE_PREDICTION"}]}
