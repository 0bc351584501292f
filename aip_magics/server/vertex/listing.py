"""Lists of Vertex AI's API: filter, order and pages over resources that are in memory already."""

from __future__ import annotations

import base64
import binascii
import functools
import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from starlette.requests import Request

from aip_magics.server.conventions import filters
from aip_magics.server.conventions.error_responses import to_snake_case
from aip_magics.server.conventions.request_parsing import query_parameter, to_camel_case
from aip_magics.server.vertex import error_texts

PAGE_SIZE = 100
MAX_PAGE_SIZE = 1000

Resource = Mapping[str, Any]
_TERM = re.compile(r"([A-Za-z_]+)(?:\s+(asc|desc))?", re.IGNORECASE)
ORDER_FIELDS = {"displayName": "displayName", "createTime": "createTime", "updateTime": "updateTime"}


def list_resources(
    request: Request,
    field: str,
    resources: Sequence[Resource],
    id_of: Callable[[Resource], str],
    id_name: str,
    order_fields: Mapping[str, str] = ORDER_FIELDS,
    default_order: str = "create_time desc",
) -> dict[str, Any]:
    """Return the page that the request asks for as `{field: […], "nextPageToken": …}`.

    Args:
        request: The request, with `filter`, `orderBy`, `pageSize` and `pageToken`.
        field: The field of the answer.
        resources: All resources.
        id_of: The id of a resource, different for each.
        id_name: The name of the id in filters: `model`.
        order_fields: The fields that `orderBy` may name, with the field of a resource that has the value.
        default_order: The order without `orderBy`.

    Raises:
        InvalidArgument: A parameter is not valid.
    """
    matches = filters.parse(query_parameter(request, "filter"))
    order = _parse_order(query_parameter(request, "orderBy") or default_order, order_fields)
    size, after = _parse_page(request, len(order))
    found = [resource for resource in resources if matches({**resource, id_name: id_of(resource)})]
    found.sort(key=functools.cmp_to_key(lambda a, b: _compare(_key(a, order, id_of), _key(b, order, id_of), order)))
    if after is not None:
        found = [resource for resource in found if _compare(_key(resource, order, id_of), after, order) > 0]
    page = found[:size]
    answer: dict[str, Any] = {field: page} if page else {}
    if len(found) > size:
        token = json.dumps(_key(page[-1], order, id_of), ensure_ascii=False)
        answer["nextPageToken"] = base64.urlsafe_b64encode(token.encode()).decode("ascii")
    return answer


def _parse_order(text: str, fields: Mapping[str, str]) -> list[tuple[str, bool]]:
    """Return the fields to order by, each with whether it is descending."""
    order = []
    for term in filter(None, (part.strip() for part in text.split(","))):
        match = _TERM.fullmatch(term)
        field = to_camel_case(match[1]) if match else ""
        if match is None or field not in fields:
            options = ", ".join(map(to_snake_case, fields))
            message = f"Cannot order by {term[:100]!r}: expected one of {options}, and desc after it to reverse."
            raise error_texts.field_error("order_by", message)
        order.append((fields[field], (match[2] or "").lower() == "desc"))
    return order[:10]


def _parse_page(request: Request, fields: int) -> tuple[int, list[str] | None]:
    """Return the size of the page, and the key of the last resource of the page before."""
    text = query_parameter(request, "pageSize") or "0"
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise error_texts.field_error("page_size", f"Expected a number of items, got {text[:100]!r}.")
    size = min(int(text) or PAGE_SIZE, MAX_PAGE_SIZE)
    token = query_parameter(request, "pageToken")
    if not token:
        return size, None
    try:
        key = json.loads(base64.urlsafe_b64decode(token.encode("ascii")))
    except (ValueError, binascii.Error, RecursionError):
        key = None
    if not (isinstance(key, list) and len(key) == fields + 1 and all(isinstance(part, str) for part in key)):
        message = "Invalid page token: expected the value returned by a list with the same order."
        raise error_texts.field_error("page_token", message)
    return size, key


def _key(resource: Resource, order: Collection[tuple[str, bool]], id_of: Callable[[Resource], str]) -> list[str]:
    return [*(str(resource.get(field, "")) for field, _ in order), id_of(resource)]


def _compare(one: list[str], other: list[str], order: Sequence[tuple[str, bool]]) -> int:
    """Return -1, 0 or 1: how the keys of two resources compare; the id decides between equals."""
    for number, (mine, theirs) in enumerate(zip(one, other, strict=True)):
        if mine != theirs:
            descending = number < len(order) and order[number][1]
            return -1 if (mine < theirs) != descending else 1
    return 0
