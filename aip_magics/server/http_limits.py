"""Limits of connections before authentication: size and time of a request head, number of connections.

uvicorn and its parser limit none of these. Every process on the machine, and every web page in a browser on it, can
open connections; the token is checked once a head is complete, so everything before that is limited for all clients.

The protocol also determines the request's target (RFC 9112, 3.2), and ignores requests to upgrade the protocol.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
from collections.abc import Callable
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from aip_magics.errors import ApiError
from aip_magics.server.conventions import google_json
from aip_magics.server.descriptors import MOST_CONNECTIONS

URL_BYTES = 16 << 10  # two names of objects, quoted, have 6 KB
HEAD_BYTES = 64 << 10
HEADER_BYTES = 32  # that each header costs beside its text
HEAD_SECONDS = 20.0
LINGER_SECONDS = 1.0  # after a refusal, in which the client may read it; so much of what it still sends is taken
LINGER_BYTES = 1 << 20
_ABSOLUTE = re.compile(rb"https?://(?P<host>[^/?#@\\]+)(?P<path>/[^?#]*)?(?P<query>\?[^#]*)?(?:#.*)?", re.IGNORECASE)


class RequestRefused(Exception):
    """The request cannot be taken: `code` and text of the answer, after which the connection is closed."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class ConnectionLimiter:
    """All connections: where there are too many, those that have not shown the token go first, the oldest of them."""

    def __init__(self, most: int = MOST_CONNECTIONS) -> None:
        self.most = most
        self._strangers: dict[LimitedProtocol, None] = {}

    def enter(self, one: LimitedProtocol, there: int) -> bool:
        """Whether there is room, or room was made."""
        if there > self.most:
            if not self._strangers:
                return False
            oldest = next(iter(self._strangers))
            del self._strangers[oldest]
            oldest.transport.abort()
        self._strangers[one] = None
        return True

    def know(self, one: LimitedProtocol) -> None:
        """It has shown the token, or is gone."""
        self._strangers.pop(one, None)


class LimitedProtocol(HttpToolsProtocol):
    """uvicorn's connection with limits. The application calls `on_token` in the scope once the token was right."""

    def __init__(self, limiter: ConnectionLimiter, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._limiter = limiter
        self._parsing = False  # whether the parser has the beginning of a request, and not its end
        self._headed = False  # whether it has its whole head
        self._upgrading = False  # whether the parser has a head that asks for an upgrade
        self._head_bytes = 0  # of the headers of this message
        self._unused = 0  # bytes since the parser last made something of them
        self._late: asyncio.TimerHandle | None = None
        self._refused = False
        self._discarded = 0  # bytes that came after the refusal

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self._limiter.enter(self, len(self.connections)):
            self._wait_for_head()
        else:
            self._refuse(RequestRefused(503, "This server has too many connections open; close some, or try again."))

    def connection_lost(self, exc: Exception | None) -> None:
        self._limiter.know(self)
        self._have_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        while data and not self._refused:
            self._unused += len(data)
            data = self._feed(data)
        if self._refused:
            self._discarded += len(data)
            if self._discarded > LINGER_BYTES:
                self.transport.pause_reading()
            return
        if self._unused > HEAD_BYTES:
            self._refuse(RequestRefused(431, f"The request's head or a line in its body exceeds {HEAD_BYTES} bytes."))
        elif self.cycle is not None and (not self.cycle.response_complete or not self._parsing):
            self._have_head()
            if self.cycle.response_complete:  # between two requests again, after the end of one that was answered
                self._rest()
        else:
            # A head that is not whole, or the rest of a request that was answered.
            self._wait_for_head()

    def _feed(self, data: bytes) -> bytes:
        """Have the parser read; what it left, as it stops after a request that asks for an upgrade."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # RFC 9110, 7.8: who does not speak the other protocol goes on in this one. The parser took what follows the
            # head for the other protocol; so it reads the request once more, as if no upgrade was asked for.
            head = self._plain_head()
            self._upgrading = False
            self.parser = httptools.HttpRequestParser(self)
            with contextlib.suppress(AttributeError):  # httptools before 0.6.3; as uvicorn does
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
            return head + data[int(upgrade.args[0]) :]
        except httptools.HttpParserError as error:
            cause = error.__context__
            self._refuse(
                cause if isinstance(cause, RequestRefused) else RequestRefused(400, "Invalid HTTP request received.")
            )
        return b""

    def on_message_begin(self) -> None:
        self._parsing = True
        self._head_bytes = 0
        super().on_message_begin()
        scope = cast(dict[str, Any], self.scope)
        scope["on_token"] = self.on_token

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > URL_BYTES:
            raise RequestRefused(414, f"The request's URL exceeds {URL_BYTES} bytes.")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value) + HEADER_BYTES
        if self._head_bytes > HEAD_BYTES:
            raise RequestRefused(431, f"The request's head exceeds {HEAD_BYTES} bytes.")
        if not self._headed:  # a trailer is none of the headers, which were looked at by then
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._unused = 0
        if self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT":
            self._upgrading = True  # it comes again
            return
        self._aim()
        super().on_headers_complete()
        self._headed = True

    def _plain_head(self) -> bytes:
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        for name, value in self.headers:
            if name == b"connection":
                value = b",".join(word for word in value.split(b",") if word.strip().lower() != b"upgrade")
            if name != b"upgrade" and (value or name != b"connection"):
                lines.append(b"%b: %b" % (name, value))
        return b"\r\n".join([*lines, b"", b""])

    def _aim(self) -> None:
        """Of `http://HOST/PATH` the host counts, whatever the Host header says; then it is as if `/PATH` was asked."""
        if self.url.startswith(b"/") and self.parser.get_method() != b"CONNECT":
            return
        found = _ABSOLUTE.fullmatch(self.url)
        if found is None or self.parser.get_method() == b"CONNECT":
            raise RequestRefused(400, "The request's target is expected to be a path, or a URL of this server.")
        self.url = (found["path"] or b"/") + (found["query"] or b"")
        scope = cast(dict[str, Any], self.scope)
        scope["authority"] = found["host"].decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._unused = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self._upgrading:
            return
        self._parsing = self._headed = False
        self._unused = 0
        super().on_message_complete()

    def on_token(self) -> None:
        """This connection has shown the token."""
        self._limiter.know(self)

    def _wait_for_head(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(HEAD_SECONDS, self._too_late)

    def _have_head(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _rest(self) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _too_late(self) -> None:
        self._late = None
        if not self._parsing:
            self.transport.close()  # no request has been started
        elif self.cycle is None or self.cycle.response_complete:
            self._refuse(RequestRefused(408, f"The request's head did not come within {HEAD_SECONDS:g} seconds."))

    def _refuse(self, refusal: RequestRefused) -> None:
        """Send the reason and close. Further input is discarded: closing immediately would lose the response."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        self._have_head()
        self._limiter.know(self)
        if self.cycle is not None and not self.cycle.response_complete:
            if not self._headed:  # the requests before this one are still to be answered, and are the last
                self.cycle.keep_alive = False
                return
            if self.cycle.response_started or self.pipeline:
                self.transport.abort()
                return
            self.cycle.disconnected = True  # no response is sent to an incomplete request
            self.cycle.message_event.set()
        _, body = google_json.error_body(ApiError(str(refusal), code=refusal.code, status=_STATUS[refusal.code]))
        head = [STATUS_LINE[refusal.code]]
        head += [b"%b: %b\r\n" % header for header in self.server_state.default_headers]
        head.append(b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body))
        self.transport.write(b"".join([*head, b"connection: close\r\n\r\n", body]))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)


def protocol(connections: int) -> Callable[..., LimitedProtocol]:
    """What uvicorn creates its connections with, at most so many at once."""
    return functools.partial(LimitedProtocol, ConnectionLimiter(connections))


_STATUS = {
    400: "INVALID_ARGUMENT",
    408: "DEADLINE_EXCEEDED",
    414: "INVALID_ARGUMENT",
    431: "INVALID_ARGUMENT",
    503: "UNAVAILABLE",
}
