"""From what a handler returns to the bytes of the answer, as the query parameters common to all Google APIs want it.

`fields` cuts the answer down, `prettyPrint` makes it readable, `alt` may only be `json`. The others (`key`,
`quotaUser`, `access_token`, `$.xgafv` …), and any that nobody knows, change nothing.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from aip_magics.errors import InvalidArgument
from aip_magics.server.conventions.error_responses import violation
from aip_magics.server.gcs.api.partial_response import select

Handler = Callable[[Request], Awaitable[Mapping[str, Any]]]

_FIELDS_CHARS = 2000


def json_endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of a handler that returns the JSON object to answer with."""

    async def endpoint(request: Request) -> Response:
        fields = _fields(request)  # before anything is done: a request that is refused changes nothing
        value = await handler(request)
        shown = select(value, fields) if fields else value
        if request.query_params.get("prettyPrint", "").lower() in ("true", "1"):
            return Response(json.dumps(shown, ensure_ascii=False, indent=2) + "\n", media_type="application/json")
        return JSONResponse(shown)

    return endpoint


def _fields(request: Request) -> str:
    alt = request.query_params.get("alt") or "json"
    if alt != "json":
        raise violation(InvalidArgument, "alt", "This server answers with alt=json only.")
    # Both separators mean the same: `metadata.version/name`.
    fields = (request.query_params.get("fields") or "").replace(".", "/")
    if len(fields) > _FIELDS_CHARS:
        raise violation(InvalidArgument, "fields", f"At most {_FIELDS_CHARS} characters are allowed.")
    if fields:
        try:
            select({}, fields)
        except InvalidArgument as error:  # in the words of Cloud Storage, with its details
            raise violation(InvalidArgument, "fields", error.message) from None
    return fields
