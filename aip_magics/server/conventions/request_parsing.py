"""Parses request bodies into resources: fields in both spellings, unknown fields are errors in Google's words."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from starlette.requests import Request

from aip_magics.errors import ApiError, FieldError, InvalidArgument
from aip_magics.server.conventions import google_json
from aip_magics.server.conventions.error_responses import bad_request, to_snake_case, violation
from aip_magics.spec import Resource, field_types, nearest

T = TypeVar("T", bound=Resource)


@dataclasses.dataclass(frozen=True)
class EmptyRequest(Resource):
    """A request whose message has no fields, like SetDefaultVersionRequest."""


async def parse_resource(request: Request, kind: type[T], where: str = "") -> T:
    """Parse the body as a resource. `where` is the field of the request message that the body is (`model`), if any.

    InvalidArgument for a body that is not a JSON object, unknown fields, and values of a wrong type.
    """
    return parse_data(await google_json.read_json(request), kind, where)


def parse_data(data: Mapping[str, Any], kind: type[T], where: str = "") -> T:
    """Parse a JSON object as a resource; errors as those of `parse_resource`."""
    unknown: list[tuple[str, str, str]] = []
    body = _to_camel_keys(kind, data, where, unknown)
    if unknown:
        raise _unknown_fields(unknown)
    try:
        return kind.from_json(body, where)
    except FieldError as error:
        text = "; ".join(filter(None, (error.message, error.fix)))
        raise violation(InvalidArgument, to_snake_case(error.where), text) from None


def query_parameter(request: Request, name: str) -> str:
    """Return a parameter of the query, empty without it. Its name, `pageSize`, is also accepted in snake case."""
    query = request.query_params
    return query.get(name) or query.get(to_snake_case(name)) or ""


def to_camel_case(name: str) -> str:
    """Convert a field name such as `deployment_uri` to its JSON name `deploymentUri`."""
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name)


def _to_camel_keys(hint: Any, value: Any, where: str, unknown: list[tuple[str, str, str]]) -> Any:
    """Return the value with all fields in camelCase: Google's APIs accept both spellings."""
    if typing.get_origin(hint) is tuple and isinstance(value, list):
        inner = typing.get_args(hint)[0]
        return [_to_camel_keys(inner, item, f"{where}[{number}]", unknown) for number, item in enumerate(value)]
    if not (isinstance(hint, type) and issubclass(hint, Resource) and isinstance(value, Mapping)):
        return value
    resource: Any = hint  # mypy considers the type of a dataclass unhashable
    hints = field_types(resource)
    renamed = {}
    for name, item in value.items():
        field = name if name in hints else to_camel_case(name)
        if field in hints:
            renamed[field] = _to_camel_keys(
                hints[field], item, f"{where}.{to_snake_case(field)}" if where else to_snake_case(field), unknown
            )
        else:
            unknown.append((where, name, nearest(name, list(hints))))
    return renamed


def _unknown_fields(fields: list[tuple[str, str, str]]) -> ApiError:
    texts, violations = [], []
    for where, name, hint in fields[:20]:
        at = f" at '{where}'" if where else ""
        texts.append(f'Invalid JSON payload received. Unknown name "{name[:200]}"{at}: Cannot find field.')
        violations.append({"field": where, "description": " ".join(filter(None, (texts[-1], hint)))})
    return bad_request("\n".join(texts), violations)
