"""Listings of any API: page after page, within bounds."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from aip_magics.client.calls import Request
from aip_magics.client.transport import Transport
from aip_magics.connection_errors import check_endpoint_fix
from aip_magics.errors import ApiError
from aip_magics.i18n import gettext as _
from aip_magics.spec import Operation

# A project has at most 100 models, 200 versions, and the operations of some weeks.
MAX_PAGES = 1000
MAX_ITEMS = 20_000
MAX_LIST_BYTES = 64 << 20
MAX_TOKEN_CHARS = 4096


def items(transport: Transport, key: str, request: Callable[[str], Request]) -> Iterator[Any]:
    """Request all pages, and yield their items. Arguments and errors as of `pages`."""
    return itertools.chain.from_iterable(found for found, _more in pages(transport, key, request))


def pages(transport: Transport, key: str, request: Callable[[str], Request]) -> Iterator[tuple[Sequence[Any], bool]]:
    """Request page after page; yield its items, and whether there is another page.

    Args:
        transport: Sends the requests.
        key: The member of a page that has its items.
        request: The request for the page of a token; the first page's is empty.

    Raises:
        ApiError: A page is not one, or there is no end of pages.
    """
    token, seen, count, before = "", set[str](), 0, transport.bytes_received
    for _unused in range(MAX_PAGES):
        page = transport.send(request(token))
        found = page.get(key) or ()
        if not isinstance(found, (list, tuple)):
            raise _listing_error(transport, key, _("expected a list"))
        count += len(found)
        token = str(page.get("nextPageToken") or "")
        yield found, bool(token)
        if not token:
            return
        if token in seen or len(token) > MAX_TOKEN_CHARS:
            raise _listing_error(transport, key, _("repeated or invalid page token"))
        seen.add(token)
        if count > MAX_ITEMS or transport.bytes_received - before > MAX_LIST_BYTES:
            break
    raise _listing_error(transport, key, _("more than {count} entries", count=count))


def newest_operations(
    read: Iterable[tuple[Sequence[Operation], bool]], limit: int, *, newest_first: bool
) -> tuple[list[Operation], bool]:
    """Return at most `limit` operations of these pages, the newest first, and whether there are older ones."""
    found: list[Operation] = []
    has_more = False
    for operations, has_more in read:  # noqa: B007 - that of the last page that was read
        found += operations
        if newest_first and len(found) >= limit:
            break
    found.sort(key=_create_time, reverse=True)  # keeps the order of those of the same second
    return found[:limit], has_more or len(found) > limit


def _listing_error(transport: Transport, key: str, reason: str) -> ApiError:
    text = _("could not list {key}: {reason}", key=key, reason=reason)
    return ApiError(text, where=transport.base_url, fix=check_endpoint_fix())


def _create_time(operation: Operation) -> str:
    """A key that sorts by time: without the Z, which sorts after the point of a fraction of a second."""
    return ((operation.metadata.createTime if operation.metadata else None) or "").rstrip("Z")
