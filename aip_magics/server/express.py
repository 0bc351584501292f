"""The short way of online prediction: from a connection's bytes to a node and back, without a web framework between.

A client that predicts sends the same head with every request. uvicorn parses it, starts a task and builds an ASGI scope
each time, Starlette matches forty routes; together that is as much work as the model's. So a whole predict request
that arrives in one piece on a quiet connection is answered here: its head is parsed (by httptools) and admitted (by
the Gate) once, then remembered. Whatever is in any way different goes the long way, with the same answers.
"""

from __future__ import annotations

import functools
import logging
import re
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from aip_magics import catalog
from aip_magics.errors import AipError
from aip_magics.server import predict
from aip_magics.server.gate import Gate
from aip_magics.server.limits import Door, Guarded
from aip_magics.server.names import ModelKey, VersionKey
from aip_magics.server.nodes import NodeGroup

log = logging.getLogger(__name__)

HEADS = 256  # remembered; all are forgotten when there are more
HEAD_BYTES = 8192
WAITING_BYTES = 1 << 16  # of the requests that follow before one is answered; then the client has to wait
START = b"POST /v1/projects/"
PREDICT = re.compile(rb"/v1/projects/([^/?#%]+)/models/([^/?#%:]+)(?:/versions/([^/?#%:]+))?:predict(?:\?[^#]*)?")
# What these headers ask for is uvicorn's to do.
UNCOMMON = frozenset({b"connection", b"transfer-encoding", b"expect", b"upgrade"})


class Head(NamedTuple):
    """What the head of an admitted predict request says. `body` is the length of its body in bytes."""

    key: ModelKey
    body: int


class Counter:
    """Takes predict requests: knows the heads it has seen, and where a version is served."""

    def __init__(self, gate: Gate, dates: Callable[[], None]) -> None:
        self.gate = gate
        self.dates = dates  # brings the Date header up to date
        self._heads: dict[bytes, Head | None] = {}

    def head(self, raw: bytes) -> Head | None:
        """The head as it was sent, parsed; None where it is not one of ours."""
        if raw not in self._heads:
            if len(self._heads) >= HEADS:
                self._heads.clear()
            self._heads[raw] = self._read(raw)
        return self._heads[raw]

    def find(self, key: ModelKey) -> tuple[VersionKey, NodeGroup] | None:
        """The group that serves this version, or the model's default version, where it is ready to."""
        service = self.gate.service
        if not isinstance(key, VersionKey):
            name = service.database.get_default_version(key)
            if name is None:
                return None
            key = key.child(name)
        group = service.nodes.find(key)
        return (key, group) if group is not None and group.ready else None

    def _read(self, raw: bytes) -> Head | None:
        parsed = _Parsed()
        parser = httptools.HttpRequestParser(parsed)
        try:
            parser.feed_data(raw)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            return None
        path = PREDICT.fullmatch(parsed.url)
        common = parsed.complete and parser.get_http_version() == "1.1" and not parser.should_upgrade()
        if path is None or not common or UNCOMMON & {name for name, _ in parsed.headers}:
            return None
        lengths = [value for name, value in parsed.headers if name == b"content-length"]
        if len(lengths) != 1 or not lengths[0].isdigit() or int(lengths[0]) > catalog.limits().predict_body_bytes:
            return None
        names = [part.decode("ascii", "replace") for part in path.groups() if part is not None]
        scope: dict[str, Any] = {"path": "", "raw_path": parsed.url, "headers": parsed.headers}
        try:
            self.gate.admit(scope)
        except AipError:
            return None
        return Head((VersionKey if len(names) == 3 else ModelKey)(scope["location"], *names), int(lengths[0]))


class _Parsed:
    """What httptools calls back."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self.complete = True


class Express(Guarded):
    """One connection: uvicorn's, but for predict requests."""

    def __init__(self, counter: Counter, door: Door, *arguments: Any, **options: Any) -> None:
        super().__init__(door, *arguments, **options)
        self._counter = counter
        self._asked = False  # whether one of ours is on its way
        self._waiting = b""  # what came after it
        self._served = False  # whether one of ours was taken
        self._last = False  # whether to close after it
        self._used = 0.0  # when the last one was answered

    def data_received(self, data: bytes) -> None:
        if self._asked:
            self._waiting += data
            if len(self._waiting) > WAITING_BYTES:
                self.flow.pause_reading()
        elif not (data.startswith(START) and not self._parsing and self._quiet and self._take(data)):
            super().data_received(data)

    def shutdown(self) -> None:
        if self._asked:
            self._last = True
        else:
            super().shutdown()

    @property
    def _quiet(self) -> bool:
        """Whether nothing is under way here, neither a request nor an answer that the client does not read."""
        return (self.cycle is None or self.cycle.response_complete) and not self.flow.write_paused

    def _take(self, data: bytes) -> bool:
        """Whether `data` is one predict request, neither less nor more; then it is under way."""
        end = data.find(b"\r\n\r\n", 0, HEAD_BYTES) + 4
        head = self._counter.head(data[:end]) if end > 4 else None
        if head is None or len(data) != end + head.body:
            return False
        found = self._counter.find(head.key)
        if found is None:
            return False
        if not self._served:
            self._served = True
            self.known()
        self._have_head()
        self._asked = True
        self._ask(*found, data[end:])
        return True

    def _ask(self, key: VersionKey, group: NodeGroup, body: bytes) -> None:
        gate = self._counter.gate
        begun = self.loop.time()
        gate.begin()

        def then(answer: bytes) -> None:
            try:
                predict.note(gate.service, key, group, 200, self.loop.time() - begun, body, answer)
                self._end(200, answer)
            except Exception:
                log.exception("an answer of %s could not be sent", key.name)
                self.transport.abort()

        def otherwise(asked: Coroutine[Any, Any, bytes] | None) -> None:
            task = self.loop.create_task(self._wait(key, group, body, asked))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

        if not group.predict_soon(body, catalog.limits().predict_seconds, then, otherwise):
            otherwise(None)

    async def _wait(
        self, key: VersionKey, group: NodeGroup, body: bytes, asked: Coroutine[Any, Any, bytes] | None
    ) -> None:
        gate = self._counter.gate
        try:
            status, answer = await predict.answered(gate.service, key, group, body, asked)
        except Exception as error:  # noqa: BLE001 (the Gate tells it and logs it)
            status, answer = gate.failure(error, f"predict {key.name}")
        self._end(status, answer)

    def _end(self, status: int, answer: bytes) -> None:
        """Answer, and go on with what came meanwhile."""
        self._counter.gate.end()
        self._asked = False
        self._used = self.loop.time()
        if self.transport.is_closing():
            return
        self._write(status, answer)
        if self.timeout_keep_alive_task is None:
            self.on_response_complete()
        if self._waiting:
            waiting, self._waiting = self._waiting, b""
            self.flow.resume_reading()
            self.loop.call_soon(self.data_received, waiting)

    def _write(self, status: int, answer: bytes) -> None:
        self._counter.dates()
        lines = [STATUS_LINE[status]]
        lines += [b"%b: %b\r\n" % header for header in self.server_state.default_headers]
        lines.append(b"content-length: %d\r\ncontent-type: application/json\r\n" % len(answer))
        if status == predict.TOO_MANY:
            lines.append(b"retry-after: %b\r\n" % predict.RETRY_SECONDS.encode())
        lines.append(b"connection: close\r\n\r\n" if self._last else b"\r\n")
        lines.append(answer)
        self.transport.write(b"".join(lines))
        if self._last:
            self.transport.close()

    def timeout_keep_alive_handler(self) -> None:
        # The timer is not set anew for each of our requests; here it learns that there was one since.
        left = self._used + self.timeout_keep_alive - self.loop.time()
        if self._asked or left > 0:
            wait = self.timeout_keep_alive if self._asked else left
            self.timeout_keep_alive_task = self.loop.call_later(wait, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()


def protocol(counter: Counter) -> Callable[..., Express]:
    """What uvicorn makes its connections with."""
    return functools.partial(Express, counter, Door())
