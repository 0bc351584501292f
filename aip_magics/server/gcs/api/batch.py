"""Batch: up to 100 calls of the JSON API in one `multipart/mixed` request, each answered on its own."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from email import message_from_bytes
from email.message import Message
from urllib.parse import unquote, urlsplit

from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Message as Event
from starlette.types import Scope

from aip_magics.server.gcs.api.multipart import boundary
from aip_magics.server.gcs.api.routing import Handler, ObjectRequest, failure_response
from aip_magics.server.gcs.gcs_errors import invalid, refusal

MAX_CALLS = 100


def batch(table: Sequence[BaseRoute]) -> Handler:
    """POST /batch/storage/v1: a handler that passes each call to a route of `table`."""

    async def run(call: ObjectRequest) -> Response:
        content_type = call.headers.get("content-type", "")
        boundary(content_type)
        parts = _parts(content_type, await call.body())
        limit = secrets.token_hex(16)
        answers = [await _answer(table, call.request.scope, part) for part in parts]
        body = "".join(f"--{limit}\r\n{answer}\r\n" for answer in answers) + f"--{limit}--\r\n"
        return Response(body.encode(), media_type=f'multipart/mixed; boundary="{limit}"')

    return run


def _parts(content_type: str, body: bytes) -> list[Message]:
    message = message_from_bytes(b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n" + body)
    parts = message.get_payload()
    if not isinstance(parts, list) or not parts:
        raise invalid("Failed to parse batch request: a multipart/mixed body of calls is wanted.", "badRequest")
    if len(parts) > MAX_CALLS:
        raise invalid(f"The batch has {len(parts)} calls; at most {MAX_CALLS} are allowed.", "badRequest")
    return [part for part in parts if isinstance(part, Message)]


async def _answer(table: Sequence[BaseRoute], outer: Scope, part: Message) -> str:
    status, headers, body = await _run(table, outer, _payload(part))
    id_ = re.sub(r"[^ -~]", "", part.get("Content-ID", ""))
    named = f"Content-ID: <response-{id_.strip('<>')}>\r\n" if id_ else ""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    first = f"HTTP/1.1 {status} {_PHRASES.get(status, 'Error')}\r\n"
    return f"Content-Type: application/http\r\n{named}\r\n{first}{lines}\r\n{body.decode()}"


_PHRASES = {200: "OK", 204: "No Content", 304: "Not Modified", 400: "Bad Request", 404: "Not Found"}


def _payload(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        # message/… types are parsed by the email package; the call is then a message inside
        raise invalid("Failed to parse batch request: every part must be application/http.", "badRequest")
    return payload


async def _run(table: Sequence[BaseRoute], outer: Scope, payload: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    scope, body = _scope(outer, payload)
    for route in table:
        match, more = route.matches(scope)
        if match is Match.FULL:
            return await _collect(route, {**scope, **more}, body)
    error = failure_response(refusal(404, "notFound", "Not Found: no such method in a batch."))
    return error.status_code, [("Content-Type", "application/json")], bytes(error.body)


def _scope(outer: Scope, payload: bytes) -> tuple[Scope, bytes]:
    head, _, body = payload.lstrip().replace(b"\r\n", b"\n").partition(b"\n\n")
    first, *lines = head.decode("latin-1").split("\n")
    found = re.fullmatch(r"([A-Z]+) (\S+)(?: HTTP/\d(?:\.\d)?)?", first.strip())
    if not found:
        raise invalid(f"Failed to parse batch request: '{first[:100]}' is no request line.", "badRequest")
    try:
        url = urlsplit(found[2])
    except ValueError:
        raise invalid(f"Failed to parse batch request: '{found[2][:100]}' is no URL.", "badRequest") from None
    if "alt=media" in url.query:
        raise invalid("Failed to parse batch request: contents cannot be read in a batch.", "badRequest")
    headers = [
        (name.strip().lower().encode("latin-1"), value.strip().encode("latin-1"))
        for name, _, value in (line.partition(":") for line in lines)
        if name.strip().lower() not in ("host", "content-length", "")
    ]
    # The links of the answers are made from the Host of the outer request, which the server has checked.
    host = [item for item in outer["headers"] if item[0] == b"host"]
    scope = {
        **outer,
        "method": found[1],
        "path": unquote(url.path),
        "raw_path": url.path.encode("latin-1"),
        "query_string": url.query.encode("latin-1"),
        "headers": [*headers, *host],
    }
    return scope, body


async def _collect(route: BaseRoute, scope: Scope, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    events: list[Event] = []

    async def receive() -> Event:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(event: Event) -> None:
        events.append(event)

    await route.handle(scope, receive, send)
    start, *rest = events
    headers = [(name.decode("latin-1").title(), value.decode("latin-1")) for name, value in start["headers"]]
    return start["status"], headers, b"".join(event.get("body", b"") for event in rest)
