"""Parses request bodies of Vertex AI's API: enums as numbers or names, output-only fields without effect."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from starlette.requests import Request

from aip_magics.server.conventions import google_json, request_parsing
from aip_magics.server.conventions.request_parsing import to_camel_case
from aip_magics.spec import Resource, field_types

T = TypeVar("T", bound="VertexResource")


class VertexResource(Resource):
    """A resource or message of the API."""

    # Fields that only the service sets. Clients that patch a resource as they read it send them, too.
    OUTPUT_ONLY: ClassVar[frozenset[str]] = frozenset()
    # The numbers of enums, by field: the SDK sends those instead of the names.
    ENUMS: ClassVar[Mapping[str, Mapping[int, str]]] = {}


async def parse_body(request: Request, kind: type[T], where: str = "") -> T:
    """Parse the body as a resource; errors as those of `request_parsing.parse_resource`."""
    return parse_object(await google_json.read_json(request), kind, where)


def parse_object(data: Mapping[str, Any], kind: type[T], where: str = "") -> T:
    """Parse a JSON object as a resource."""
    return request_parsing.parse_data(_prepare(kind, data), kind, where)


def _prepare(hint: Any, value: Any) -> Any:
    """Return the value without output-only fields, and with the names of enums."""
    if typing.get_origin(hint) is tuple and isinstance(value, list):
        return [_prepare(typing.get_args(hint)[0], item) for item in value]
    if not (isinstance(hint, type) and issubclass(hint, VertexResource) and isinstance(value, Mapping)):
        return value
    resource: Any = hint  # mypy considers the type of a dataclass unhashable
    hints = field_types(resource)
    prepared = {}
    for name, item in value.items():
        field = name if name in hints else to_camel_case(name)
        if field in hint.OUTPUT_ONLY:
            continue
        names = hint.ENUMS.get(field, {})
        if isinstance(item, int) and not isinstance(item, bool):
            item = names.get(item, item)
        prepared[name] = _prepare(hints[field], item) if field in hints else item
    return prepared
