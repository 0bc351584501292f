"""projects.locations of both APIs: regions of AI Platform, with capabilities, and of Vertex AI, with a locationId.

AI Platform's regions offer online prediction without accelerators.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from aip_magics import catalog
from aip_magics.errors import NotFound
from aip_magics.server.conventions import pagination
from aip_magics.server.conventions.error_responses import violation


async def list_(request: Request) -> dict[str, Any]:
    """locations.list"""
    project = request.path_params["project"]
    return pagination.paginate(
        request,
        "locations",
        lambda after, count: [name for name in _names() if name > after][:count],
        str,
        lambda name: _serialize(project, name),
    )


async def get(request: Request) -> dict[str, Any]:
    """locations.get"""
    location = request.path_params["location"]
    if location not in _names():
        raise violation(NotFound, "name", f'The location resource: "{location}" was not found.')
    return _serialize(request.path_params["project"], location)


def vertex_regions() -> frozenset[str]:
    """Return the regions of Vertex AI."""
    return frozenset((*catalog.vertex_regions(), *catalog.newer_vertex_regions()))


def _ai_platform_regions() -> frozenset[str]:
    return frozenset((*catalog.regional_regions(), *catalog.global_regions()))


def _names() -> list[str]:
    return sorted(_ai_platform_regions() | vertex_regions())


def _serialize(project: str, location: str) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": f"projects/{project}/locations/{location}"}
    if location in vertex_regions():
        shown["locationId"] = location
    if location in _ai_platform_regions():
        shown["capabilities"] = [{"type": "ONLINE_PREDICTION"}]
    return shown
