"""Our own extensions: what a version's nodes have done (`:stats`) and what was written down of it (`:logs`)."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from aip_magics.errors import InvalidArgument
from aip_magics.server.api import versions
from aip_magics.server.context import get_context, version_key
from aip_magics.server.conventions.error_responses import violation
from aip_magics.server.version_creation import node_spec_of

LINES, MOST_LINES = 50, 10_000


async def stats(request: Request) -> dict[str, Any]:
    """Counters, latencies and nodes of a version, since the server started."""
    service = get_context(request)
    row = versions.existing(service, version_key(request))
    group = service.nodes.find(row.key)
    if group is None and row.artifact is not None:
        group = service.nodes.group(node_spec_of(row, service.copies))  # starts nothing
    return {"name": row.key.name, **(group.to_json() if group else {})}


async def logs(request: Request) -> dict[str, Any]:
    """The last `lines` of a version's access log, of what its nodes printed, and of its request log."""
    service = get_context(request)
    row = versions.existing(service, version_key(request))
    text = request.query_params.get("lines") or str(LINES)
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise violation(InvalidArgument, "lines", f"A number of lines is wanted, not {text!r}.")
    tails = service.request_logs.of(row.key).tails(min(int(text), MOST_LINES))
    return {"name": row.key.name, **tails}
