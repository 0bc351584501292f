"""Request bodies as resources: fields in both spellings, unknown ones refused in Google's words."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from starlette.requests import Request

from aip_magics.errors import ApiError, FieldError, InvalidArgument
from aip_magics.server.conventions import google_json
from aip_magics.server.conventions.error_responses import bad_request, snake, violation
from aip_magics.spec import Resource, field_types, nearest

T = TypeVar("T", bound=Resource)


@dataclasses.dataclass(frozen=True)
class EmptyRequest(Resource):
    """A request whose message has no fields, like SetDefaultVersionRequest."""


async def parse_resource(request: Request, kind: type[T], where: str = "") -> T:
    """The body as a resource. `where` is the field of the request that the body is (`model`), if it is not all of it.

    InvalidArgument for what is no JSON object, for fields the resource does not have and for values of a wrong type.
    """
    data = await google_json.read_json(request)
    unknown: list[tuple[str, str, str]] = []
    named = _named(kind, data, where, unknown)
    if unknown:
        raise _unknown(unknown)
    try:
        return kind.from_json(named, where)
    except FieldError as error:
        text = "; ".join(filter(None, (error.message, error.fix)))
        raise violation(InvalidArgument, snake(error.where), text) from None


def camel(name: str) -> str:
    """`deployment_uri` as the JSON spells it: `deploymentUri`."""
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name)


def _named(hint: Any, value: Any, where: str, unknown: list[tuple[str, str, str]]) -> Any:
    """The value with all its fields in camelCase. Google's JSON takes a field by both of its names."""
    if typing.get_origin(hint) is tuple and isinstance(value, list):
        inner = typing.get_args(hint)[0]
        return [_named(inner, item, f"{where}[{number}]", unknown) for number, item in enumerate(value)]
    if not (isinstance(hint, type) and issubclass(hint, Resource) and isinstance(value, Mapping)):
        return value
    resource: Any = hint  # mypy takes a dataclass's type for unhashable
    hints = field_types(resource)
    named = {}
    for name, item in value.items():
        field = name if name in hints else camel(name)
        if field in hints:
            named[field] = _named(hints[field], item, f"{where}.{snake(field)}" if where else snake(field), unknown)
        else:
            unknown.append((where, name, nearest(name, list(hints))))
    return named


def _unknown(found: list[tuple[str, str, str]]) -> ApiError:
    texts, violations = [], []
    for where, name, hint in found[:20]:
        at = f" at '{where}'" if where else ""
        texts.append(f'Invalid JSON payload received. Unknown name "{name[:200]}"{at}: Cannot find field.')
        violations.append({"field": where, "description": " ".join(filter(None, (texts[-1], hint)))})
    return bad_request("\n".join(texts), violations)
