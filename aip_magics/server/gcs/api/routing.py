"""Requests of the Cloud Storage API, and routes that match the *raw* path.

Starlette matches the decoded path, in which `a%2Fb` and `a/b` are the same; as object names they are different.
"""

from __future__ import annotations

import asyncio
import functools
import json
import re
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ParamSpec, TypeVar
from urllib.parse import parse_qsl, unquote_to_bytes
from xml.sax.saxutils import escape

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from aip_magics.data_directory import is_disk_full
from aip_magics.errors import ApiError
from aip_magics.server import descriptors
from aip_magics.server.gcs.api.partial_response import select
from aip_magics.server.gcs.gcs_errors import invalid, refusal
from aip_magics.server.gcs.object_store import ObjectStore
from aip_magics.server.gcs.preconditions import Preconditions, integer

P = ParamSpec("P")
T = TypeVar("T")

MAX_JSON = 1 << 20  # bytes of a request body that is read whole


class ObjectRequest:
    """A request with decoded path parameters and query, strictly UTF-8."""

    def __init__(self, store: ObjectStore, request: Request, raw: Mapping[str, str]) -> None:
        self.store = store
        self.request = request
        try:
            self.params = {name: unquote_to_bytes(value).decode() for name, value in raw.items()}
            text = request.scope["query_string"].decode("ascii")
            pairs = parse_qsl(text, keep_blank_values=True, errors="strict")
        except ValueError:
            raise invalid("The URL is not valid percent-encoded UTF-8.") from None
        self.pairs = pairs
        self.query: dict[str, str] = dict(pairs)

    @property
    def bucket(self) -> str:
        return self.params["bucket"]

    @property
    def object(self) -> str:
        return self.params["object"]

    @property
    def headers(self) -> Mapping[str, str]:
        return self.request.headers

    @property
    def base(self) -> str:
        """The URL at which the client reached the server, without a trailing slash."""
        host = self.headers.get("host", "")
        if not re.fullmatch(r"[A-Za-z0-9.:\[\]_-]+", host):
            host = "127.0.0.1"  # becomes part of URLs in the response
        return f"{self.request.scope.get('scheme', 'http')}://{host}"

    def query_int(self, name: str) -> int | None:
        """Return an integer query parameter, None when it is missing."""
        return integer(name, self.query[name]) if name in self.query else None

    def query_bool(self, name: str) -> bool:
        """Return a boolean query parameter, False when it is missing."""
        return self.query.get(name, "").lower() == "true"

    def conditions(self) -> Preconditions:
        """Return the preconditions of the query."""
        return Preconditions.from_query(self.query)

    def length(self) -> int | None:
        """Return Content-Length in bytes, None when it is missing."""
        return integer("Content-Length", self.headers["content-length"]) if "content-length" in self.headers else None

    async def body(self) -> bytes:
        """Read the whole body; 413 when it exceeds 1 MiB."""
        blocks, size = [], 0
        async for block in self.request.stream():
            blocks.append(block)
            size += len(block)
            if size > MAX_JSON:
                text = f"The request body exceeds {MAX_JSON} bytes."
                raise refusal(413, "uploadTooLarge", text, "EntityTooLarge")
        return b"".join(blocks)

    async def json(self) -> dict[str, Any]:
        """Read the body as a JSON object; an empty body is an empty object."""
        return parse_json(await self.body())

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking function on a disk thread and return its result."""
        return await self.submit(work, *args, **kwargs)

    def submit(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Start a blocking function on a disk thread."""
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self.store.threads, functools.partial(work, *args, **kwargs))

    def answer(self, value: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
        """Build a JSON response with the fields that `fields=` selects."""
        selected = select(value, self.query["fields"]) if self.query.get("fields") else value
        return json_response(200, selected, headers)


Handler = Callable[[ObjectRequest], Awaitable[Response]]


class ObjectRoute(BaseRoute):
    """A route: `method`, a template of the raw path, and a handler.

    `{bucket}` is one segment, `{object}` one segment (slashes encoded), `{object*}` the rest of the path. Without the
    `required` query parameters the route does not match. With `xml`, errors are XML.
    """

    def __init__(
        self, store: ObjectStore, method: str, template: str, handler: Handler, *required: str, xml: bool = False
    ) -> None:
        self.methods = {method, "HEAD"} if method == "GET" else {method}
        self.path = template
        self._store = store
        self._handler = handler
        self._required = required
        self._xml = xml
        self._pattern = re.compile(_pattern(template, xml), re.DOTALL)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http":
            return Match.NONE, {}
        match = self._pattern.fullmatch(raw_path(scope))
        if not match or not all(_has(scope["query_string"], name) for name in self._required):
            return Match.NONE, {}
        if scope["method"] not in self.methods:
            # A path that looks like BUCKET/OBJECT belongs to the XML API only with one of its methods.
            return (Match.NONE if self._xml else Match.PARTIAL), {}
        return Match.FULL, {"path_params": match.groupdict(), "endpoint": self._handler}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._respond(scope, receive)
        if response is not None:
            await response(scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive) -> Response | None:
        try:
            if scope["method"] not in self.methods:
                text = f"The method {scope['method']} is not allowed for the resource."
                raise refusal(405, "methodNotAllowed", text, "MethodNotAllowed")
            return await self._handler(ObjectRequest(self._store, Request(scope, receive), scope["path_params"]))
        except ClientDisconnect:
            return None
        except ApiError as error:
            return failure_response(error, xml=self._xml)
        except (OSError, sqlite3.Error) as error:
            if descriptors.is_exhausted(error):
                text = descriptors.exhausted_text()
                return failure_response(refusal(429, "rateLimitExceeded", text, "SlowDown"), xml=self._xml)
            if not is_disk_full(error):
                raise
            text = "The disk of the embedded object store is full."
            return failure_response(refusal(507, "insufficientStorage", text, "InsufficientStorage"), xml=self._xml)


def raw_path(scope: Scope) -> str:
    """Return the path as the client sent it, percent-encoded."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.decode("latin-1")


def parse_json(body: bytes) -> dict[str, Any]:
    """Parse a JSON object; InvalidArgument (400) for anything else."""
    try:
        value = json.loads(body) if body.strip() else {}
    except (ValueError, RecursionError):
        raise invalid("Parse Error: the body is not JSON.", "parseError") from None
    if not isinstance(value, dict):
        raise invalid("Parse Error: expected a JSON object.", "parseError")
    return value


def json_response(status: int, value: object, headers: Mapping[str, str] | None = None) -> Response:
    """Build a JSON response."""
    content = json.dumps(value, separators=(",", ":")).encode()
    return Response(content, status, headers, media_type="application/json; charset=UTF-8")


def failure_response(error: ApiError, *, xml: bool = False) -> Response:
    """Build the error response of the JSON or XML API. 304 has no body."""
    code = error.code or 500
    if code == 304:
        return Response(status_code=304)
    entry, *more = error.details or ({},)
    if xml:
        name = more[0]["xmlCode"] if more else "InternalError"
        text = f"<Error><Code>{name}</Code><Message>{xml_text(error.message)}</Message></Error>"
        return xml_response(text, code)
    return json_response(code, {"error": {"code": code, "message": error.message, "errors": [entry]}})


def xml_response(text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Build an XML response."""
    content = f"<?xml version='1.0' encoding='UTF-8'?>{text}"
    return Response(content.encode(), status, headers, media_type="application/xml; charset=UTF-8")


def xml_text(text: str) -> str:
    """Escape text for XML 1.0, which does not allow control characters."""
    return escape("".join(char if char >= " " or char in "\t\n" else "\ufffd" for char in text))


def _pattern(template: str, xml: bool) -> str:
    # Reserved first segments belong to the JSON API; anything else that looks like a bucket may be the XML API.
    first = r"(?!storage/|upload/|resumable/|download/|batch/)(?P<bucket>[a-z0-9][a-z0-9._-]{1,220}[a-z0-9])"
    pattern = template.replace(".", r"\.").replace("{bucket}", first if xml else r"(?P<bucket>[^/]+)")
    pattern = pattern.replace("{object*}", r"(?P<object>.+)")
    return re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)


def _has(query: bytes, name: str) -> bool:
    return any(item.partition(b"=")[0] == name.encode() for item in query.split(b"&"))
