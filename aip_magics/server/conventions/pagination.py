"""Pagination and filters of list methods."""

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
    """Return a page of resources as `{field: […], "nextPageToken": …}`, or `{}` without resources.

    `fetch(after, count)` returns at most `count` rows in order, after the key `after`.
    """
    size, after = _page(request)
    matches = filters.parse(request.query_params.get("filter") or "")
    items: list[tuple[str, Mapping[str, Any]]] = []
    more = True
    while more and len(items) <= size:
        rows = fetch(after, size + 1)
        items += [(key(row), shown) for row in rows if matches(shown := show(row))]
        more = len(rows) > size
        after = key(rows[-1]) if rows else after
    answer: dict[str, Any] = {field: [shown for _, shown in items[:size]]} if items else {}
    if len(items) > size:
        answer["nextPageToken"] = base64.urlsafe_b64encode(items[size - 1][0].encode("utf-8")).decode("ascii")
    return answer


def bad_token() -> Exception:
    """Build the error of an invalid page token."""
    return violation(InvalidArgument, "page_token", "Invalid page token: expected the value returned by list.")


def _page(request: Request) -> tuple[int, str]:
    """Return `pageSize` (default 20, at most 100) and, from `pageToken`, the key before the first item."""
    text = request.query_params.get("pageSize") or "0"
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise violation(InvalidArgument, "page_size", f"Expected a number of items, got {text[:100]!r}.")
    token = request.query_params.get("pageToken") or ""
    try:
        after = base64.urlsafe_b64decode(token.encode("ascii")).decode("utf-8")
    except (ValueError, binascii.Error):
        raise bad_token() from None
    limits = catalog.limits()
    return min(int(text) or limits.list_page_size, limits.list_page_size_max), after
