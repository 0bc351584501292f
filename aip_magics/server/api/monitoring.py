"""Extensions of the API: statistics (`:stats`) and logs (`:logs`) of a version."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from aip_magics.errors import InvalidArgument
from aip_magics.server.api import versions
from aip_magics.server.context import AppContext, get_context, version_key
from aip_magics.server.conventions.error_responses import violation
from aip_magics.server.state.database import VersionRow
from aip_magics.server.version_creation import build_node_spec

DEFAULT_LINES, MAX_LINES = 50, 10_000


async def stats(request: Request) -> dict[str, Any]:
    """Return counters, latencies and nodes of a version since the server started, and what all nodes use together."""
    context = get_context(request)
    row = versions.require_version(context, version_key(request))
    return {"name": row.key.name, **read_statistics(context, row)}


async def logs(request: Request) -> dict[str, Any]:
    """Return the last `lines` of a version's access log, node output and request log."""
    row = versions.require_version(get_context(request), version_key(request))
    return {"name": row.key.name, **read_logs(request, row)}


def read_statistics(context: AppContext, row: VersionRow) -> dict[str, Any]:
    """Return what `stats` does of a row."""
    group = context.nodes.find(row.key)
    if group is None and row.artifact is not None:
        group = context.nodes.group(build_node_spec(row, context.model_snapshots))  # does not start a node
    return {**(group.to_json() if group else {}), "allVersions": context.nodes.budget.to_json()}


def read_logs(request: Request, row: VersionRow) -> dict[str, Any]:
    """Return what `logs` does of a row; InvalidArgument for an invalid number of lines."""
    text = request.query_params.get("lines") or str(DEFAULT_LINES)
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise violation(InvalidArgument, "lines", f"Expected a number of lines, got {text!r}.")
    return dict(get_context(request).request_logs.of(row.key).tails(min(int(text), MAX_LINES)))
