"""Google's JSON conventions: error objects, request bodies, timestamps, etags."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from typing import Any, NoReturn

from starlette.requests import Request
from starlette.responses import Response

from aip_magics.errors import (
    AipError,
    AlreadyExists,
    ApiError,
    FailedPrecondition,
    FieldError,
    InputError,
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
)
from aip_magics.server.conventions.error_responses import violation

TYPE = "type.googleapis.com/google.cloud.ml.v1."
EMPTY = {"@type": "type.googleapis.com/google.protobuf.Empty"}
MAX_JSON_BYTES = 1 << 20  # of a management request; the largest one in practice is a Version of a few kB
MAX_JSON_DEPTH = 100  # as in protobuf, and far from where json's own recursion ends, which depends on the caller

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)s")

HTTP_STATUS: dict[type[ApiError], tuple[int, str]] = {
    InvalidArgument: (400, "INVALID_ARGUMENT"),
    FailedPrecondition: (400, "FAILED_PRECONDITION"),
    Unauthenticated: (401, "UNAUTHENTICATED"),
    PermissionDenied: (403, "PERMISSION_DENIED"),
    NotFound: (404, "NOT_FOUND"),
    AlreadyExists: (409, "ALREADY_EXISTS"),
    ResourceExhausted: (429, "RESOURCE_EXHAUSTED"),
    Unavailable: (503, "UNAVAILABLE"),
}


def error_response(error: AipError) -> Response:
    """Build the response for an error: Google's error object with its HTTP status."""
    status, body = error_body(error)
    return Response(body, status, media_type="application/json")


def error_body(error: AipError) -> tuple[int, bytes]:
    """Return the HTTP status and the response body for an error."""
    error = _as_api_error(error)
    code, status = HTTP_STATUS.get(type(error), (500, "INTERNAL"))
    code, status = error.code or code, error.status or status
    body: dict[str, Any] = {"code": code, "message": error.message, "status": status}
    if error.details:
        body["details"] = list(error.details)
    return code, dump_json({"error": body})


def dump_json(value: Any) -> bytes:
    """Serialize a value as in every response."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")


def _as_api_error(error: AipError) -> ApiError:
    if isinstance(error, ApiError):
        return error
    if isinstance(error, FieldError):
        return violation(InvalidArgument, error.where, "; ".join(filter(None, (error.message, error.fix))))
    if isinstance(error, InputError):
        return InvalidArgument(error.message)
    return ApiError(error.message)


def too_large(_size: int, limit: int) -> ApiError:
    """Build the error of a body that exceeds `limit` bytes, in the service's words."""
    return InvalidArgument(f"Request payload size exceeds the limit: {limit} bytes.")


async def read_body(request: Request, limit: int, too_large: Callable[[int, int], ApiError] = too_large) -> bytes:
    """Read the whole body; the error of `too_large(size, limit)` when it exceeds `limit` bytes."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        elif size > 16 * limit:
            break  # a client may read the response only after sending the body: read on up to this size
    if size > limit:
        raise too_large(size, limit)
    return b"".join(chunks)


async def read_json(request: Request) -> dict[str, Any]:
    """Read the JSON object of a management request; an empty body is an empty object, as in Google's APIs."""
    body = await read_body(request, MAX_JSON_BYTES)
    if not body.strip():
        return {}
    try:
        data = json.loads(body, parse_constant=_refuse_constant)
        json.dumps(data, ensure_ascii=False).encode()  # lone surrogates are legal in JSON but cannot be stored
        if _depth(data) > MAX_JSON_DEPTH:
            raise ValueError(f"Message too deep: at most {MAX_JSON_DEPTH} levels are allowed.")
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"Invalid JSON payload received. {error}") from None
    if not isinstance(data, dict):
        raise InvalidArgument("Invalid JSON payload received. The body must be a JSON object.")
    return data


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, (dict, list))]:
        depth += 1
        level = [inner for item in level for inner in (item.values() if isinstance(item, dict) else item)]
    return depth


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def timestamp(moment: datetime) -> str:
    """Format a time as in the service: RFC 3339 in UTC with seconds, `2020-12-14T01:47:55Z`."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_duration(text: str) -> float | None:
    """Return the seconds of a protobuf Duration such as `30s` or `0.5s`; None for another text."""
    match = _DURATION.fullmatch(text)
    return float(match[1]) if match else None


def etag(parts: Iterable[object]) -> str:
    """Return eight bytes in base64 that change whenever one of `parts` changes."""
    text = json.dumps(list(parts), sort_keys=True, default=str)
    return base64.b64encode(hashlib.blake2b(text.encode(), digest_size=8).digest()).decode("ascii")
