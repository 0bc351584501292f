"""Turns the JSON object of a handler into a response, by the query parameters common to all Google APIs.

`fields` selects fields, `prettyPrint` indents the JSON, `alt` must be `json`. Other parameters (`key`, `quotaUser`,
`access_token`, `$.xgafv` …), known or unknown, have no effect.
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

_MAX_FIELDS_CHARS = 2000


def json_endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Build the endpoint of a handler that returns the JSON object of the response."""

    async def endpoint(request: Request) -> Response:
        fields = _fields(request)  # before the handler runs: an invalid request must not change anything
        value = await handler(request)
        selected = select(value, fields) if fields else value
        if request.query_params.get("prettyPrint", "").lower() in ("true", "1"):
            return Response(json.dumps(selected, ensure_ascii=False, indent=2) + "\n", media_type="application/json")
        return JSONResponse(selected)

    return endpoint


def _fields(request: Request) -> str:
    alt = request.query_params.get("alt") or "json"
    if alt.partition(";")[0] != "json":  # `json;enum-encoding=int` too: clients read enums in both encodings
        raise violation(InvalidArgument, "alt", "Only alt=json is supported.")
    # Both separators are equivalent: `metadata.version/name`.
    fields = (request.query_params.get("fields") or "").replace(".", "/")
    if len(fields) > _MAX_FIELDS_CHARS:
        raise violation(InvalidArgument, "fields", f"At most {_MAX_FIELDS_CHARS} characters are allowed.")
    if fields:
        try:
            select({}, fields)
        except InvalidArgument as error:  # replace the error details of Cloud Storage
            raise violation(InvalidArgument, "fields", error.message) from None
    return fields
