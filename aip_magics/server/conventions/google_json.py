"""Google's JSON conventions: error object, bodies, times, etags."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
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
JSON_LIMIT = 1 << 20  # bytes of a management request; the largest real one is a Version of a few kB

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
    """Google's error object with the HTTP status that belongs to the error."""
    status, body = error_body(error)
    return Response(body, status, media_type="application/json")


def error_body(error: AipError) -> tuple[int, bytes]:
    """The HTTP status and the body of the answer that says this error."""
    error = _as_api_error(error)
    code, status = HTTP_STATUS.get(type(error), (500, "INTERNAL"))
    code, status = error.code or code, error.status or status
    body: dict[str, Any] = {"code": code, "message": error.message, "status": status}
    if error.details:
        body["details"] = list(error.details)
    return code, dump_json({"error": body})


def dump_json(value: Any) -> bytes:
    """JSON as every answer has it."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8")


def _as_api_error(error: AipError) -> ApiError:
    if isinstance(error, ApiError):
        return error
    if isinstance(error, FieldError):
        return violation(InvalidArgument, error.where, "; ".join(filter(None, (error.message, error.fix))))
    if isinstance(error, InputError):
        return InvalidArgument(error.message)
    return ApiError(error.message)


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body; InvalidArgument with the service's own text when it is larger than `limit` bytes."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:
            chunks.append(chunk)
        elif size > 16 * limit:
            break  # a client that only listens after sending gets its answer for anything but a flood
    if size > limit:
        raise InvalidArgument(f"Request payload size exceeds the limit: {limit} bytes.")
    return b"".join(chunks)


async def read_json(request: Request) -> dict[str, Any]:
    """The JSON object of a management request; an empty body is an empty object, as at Google."""
    body = await read_body(request, JSON_LIMIT)
    if not body.strip():
        return {}
    try:
        data = json.loads(body, parse_constant=_refuse_constant)
        json.dumps(data, ensure_ascii=False).encode()  # lone surrogates are legal JSON but no text to store
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"Invalid JSON payload received. {error}") from None
    if not isinstance(data, dict):
        raise InvalidArgument("Invalid JSON payload received. The body must be a JSON object.")
    return data


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with second precision, `2020-12-14T01:47:55Z`, as the service writes times."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def etag(parts: Iterable[object]) -> str:
    """Eight bytes in base64 that change whenever one of `parts` does."""
    text = json.dumps(list(parts), sort_keys=True, default=str)
    return base64.b64encode(hashlib.blake2b(text.encode(), digest_size=8).digest()).decode("ascii")
