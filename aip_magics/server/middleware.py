"""ASGI middleware of all requests: host check, authentication, error responses.

The server listens on the loopback interface only, but other users of the machine and web pages in the user's browser
reach that too. Hence a token on every route, a list of host names, and no answer to anything that a page has sent.
"""

from __future__ import annotations

import hmac
import logging
import secrets
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aip_magics.data_directory import is_disk_full
from aip_magics.errors import AipError, ApiError, InvalidArgument, PermissionDenied, Unauthenticated
from aip_magics.server import descriptors
from aip_magics.server.api.routes import HEALTH
from aip_magics.server.context import AppContext
from aip_magics.server.conventions.error_responses import disk_full
from aip_magics.server.conventions.google_json import error_body
from aip_magics.server.names import get_location

log = logging.getLogger(__name__)

MAX_HEADS = 64  # remembered; each has at most `http_limits.HEAD_BYTES`
Head = tuple[Any, ...]  # the authority, and the headers as pairs of bytes


class AccessMiddleware:
    """Authorize requests and answer errors. `busy` counts the requests in progress, `served` all since the start."""

    def __init__(self, app: ASGIApp, service: AppContext, token: str) -> None:
        self._app = app
        self.service = service
        self._expected = f"Bearer {token}".encode()
        self._locations: dict[Head, str] = {}  # of heads that showed the token: a client repeats its head
        self.busy = 0
        self.served = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # neither websockets nor anything else
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        self.busy += 1
        self.served += 1
        try:
            self.authorize(scope)
            await self._app(scope, receive, watched)
        except ClientDisconnect:
            pass  # the client has disconnected
        except Exception as error:
            if started:  # abort the response, so that the client does not take it for complete
                raise ConnectionError(str(error)) from error
            status, body = self._error_response(error, f"{scope['method']} {scope['path']}")
            headers = {"www-authenticate": "Bearer"} if isinstance(error, Unauthenticated) else None
            await Response(body, status, headers, "application/json")(scope, receive, send)
        finally:
            self.busy -= 1

    def _error_response(self, error: Exception, doing: str) -> tuple[int, bytes]:
        """Return the HTTP status and body for an error; an unexpected one is logged under a reference."""
        if isinstance(error, HTTPException):
            error = ApiError(error.detail, code=error.status_code)
        elif is_disk_full(error):
            log.error("the disk is full: %s in %s", error, doing)
            error = disk_full()
        elif descriptors.is_exhausted(error):
            log.error("no descriptor is left: %s in %s", error, doing)
            error = descriptors.exhausted()
        elif not isinstance(error, AipError):
            reference = secrets.token_hex(4)
            log.error("internal error %s in %s", reference, doing, exc_info=error)
            text = f"Internal error encountered; the server's log has it under {reference}."
            error = ApiError(text, code=500, status="INTERNAL")
        return error_body(error)

    def authorize(self, scope: Scope) -> None:
        """Set `service` and `location` in the scope, or refuse: PermissionDenied, Unauthenticated, InvalidArgument."""
        scope["service"] = self.service
        head = (scope.get("authority"), *scope["headers"])
        location = self._locations.get(head)
        if location is None:
            location, has_token = self._check(scope)
            if has_token:
                if len(self._locations) >= MAX_HEADS:
                    self._locations.clear()
                self._locations[head] = location
        else:
            has_token = True
        scope["location"] = location
        if has_token and "on_token" in scope:
            scope["on_token"]()

    def _check(self, scope: Scope) -> tuple[str, bool]:
        """The location that the request is meant for, and whether it showed the token: health is told without."""
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name, []).append(value)
        hosts = headers.get(b"host", [])
        if len(hosts) > 1 or (not hosts and scope.get("http_version") != "1.0"):
            raise InvalidArgument(f"The request should have one Host header, not {len(hosts)}.")  # RFC 9112, 3.2
        # gcloud sends a URL for a target when this server is set as its proxy: that is how it reaches the regional
        # endpoints here. Its host is the one that counts (http_limits.py).
        host = scope.get("authority") or (hosts[0].decode("latin-1") if hosts else "")
        location = get_location(host)
        if location is None:
            raise PermissionDenied(f"This server does not answer for the host {host!r}.")
        if b"origin" in headers:
            raise PermissionDenied("Requests from web pages are not allowed.")
        has_token = self._has_token(headers.get(b"authorization", []))
        if not has_token and scope["path"] != HEALTH:
            raise Unauthenticated(
                "Request had invalid authentication credentials. Expected the access token of this server in the "
                "header 'Authorization: Bearer TOKEN'; the file server.json in its data directory holds it."
            )
        return location, has_token

    def _has_token(self, given: list[bytes]) -> bool:
        """Whether the header was sent once, with the token of this server."""
        if len(given) != 1:
            return False
        scheme, _, credential = given[0].partition(b" ")
        return hmac.compare_digest(scheme.title() + b" " + credential.strip(), self._expected)
