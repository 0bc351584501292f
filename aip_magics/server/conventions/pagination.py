"""The list methods: paging and filter."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from starlette.requests import Request

from aip_magics import catalog
from aip_magics.errors import InvalidArgument
from aip_magics.server.conventions import filters
from aip_magics.server.conventions.error_responses import violation

T = TypeVar("T")


def paginate(
    request: Request,
    field: str,
    fetch: Callable[[str, int], Sequence[T]],
    key: Callable[[T], str],
    show: Callable[[T], Mapping[str, Any]],
) -> dict[str, Any]:
    """One page of resources as `{field: […], "nextPageToken": …}`; nothing found is `{}`.

    `fetch(after, count)` gives at most `count` rows in their order, those after the key `after`.
    """
    size, after = _page(request)
    wanted = filters.parse(request.query_params.get("filter") or "")
    found: list[tuple[str, Mapping[str, Any]]] = []
    more = True
    while more and len(found) <= size:
        rows = fetch(after, size + 1)
        found += [(key(row), shown) for row in rows if wanted(shown := show(row))]
        more = len(rows) > size
        after = key(rows[-1]) if rows else after
    answer: dict[str, Any] = {field: [shown for _, shown in found[:size]]} if found else {}
    if len(found) > size:
        answer["nextPageToken"] = base64.urlsafe_b64encode(found[size - 1][0].encode("utf-8")).decode("ascii")
    return answer


def bad_token() -> Exception:
    return violation(InvalidArgument, "page_token", "The page token is not one that a list has given.")


def _page(request: Request) -> tuple[int, str]:
    """`pageSize` (default 20, at most 100) and the key after which the page begins, from `pageToken`."""
    text = request.query_params.get("pageSize") or "0"
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise violation(InvalidArgument, "page_size", f"A number of items is wanted, not {text[:100]!r}.")
    token = request.query_params.get("pageToken") or ""
    try:
        after = base64.urlsafe_b64decode(token.encode("ascii")).decode("utf-8")
    except (ValueError, binascii.Error):
        raise bad_token() from None
    limits = catalog.limits()
    return min(int(text) or limits.list_page_size, limits.list_page_size_max), after
