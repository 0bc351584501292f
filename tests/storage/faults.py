"""Faults on purpose: an ASGI middleware around an object store, with the contract of Google's storage testbench.

`POST /retry_test` with `{"instructions": {OPERATION: [FAULT, …]}}` answers `{"id": …}`; requests that carry this id in
the header `x-retry-test-id` meet the faults, one per request, in this order; `GET /retry_test/ID` says whether all of
them were met (`completed`), `DELETE` ends it. `everywhere` takes an id for all requests that carry none.

An OPERATION is the API's method (`storage.objects.insert`), or one kind of its requests
(`storage.objects.insert/multipart`, `/start`, `/resume`, `/query`; `storage.multipart/part`, `/complete` …).

The testbench's faults (`return-X`, `return-X-after-YK`, `return-reset-connection`, `return-broken-stream[-after-YK]`,
`return-broken-stream-final-chunk-after-YB`, `stall-for-Ts-after-YK`, `return-corrupted-data`), and ours:

- `return-X-retry-after-Ts`: with the header Retry-After
- `lose-answer`: all is done as asked, and the connection reset instead of an answer
- `corrupt-upload`: one byte of the body is another when it arrives
- `drip-YK`: the body and the answer pass at Y KiB a second
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

FEW = 10  # bytes that pass before a stream without a number breaks
KI = 1024

_OPERATIONS = tuple(
    (method, re.compile(pattern), name)
    for method, pattern, name in (
        ("POST", r"/upload/.*\buploadType=multipart\b", "storage.objects.insert/multipart"),
        ("POST", r"/upload/.*\buploadType=media\b", "storage.objects.insert/media"),
        ("POST", r"(/resumable)?/upload/.*\buploadType=resumable\b", "storage.objects.insert/start"),
        ("PUT", r"(/resumable)?/upload/.*\bupload_id=", "storage.objects.insert/resume"),
        ("DELETE", r"(/resumable)?/upload/.*\bupload_id=", "storage.objects.insert/cancel"),
        ("GET", r"/download/", "storage.objects.get/media"),
        ("POST", r"/storage/v1/b/[^/]+/o/[^/]+/rewriteTo/", "storage.objects.rewrite"),
        ("GET", r"/storage/v1/b/[^/]+/o/[^/?]+\?(.*&)?alt=media\b", "storage.objects.get/media"),
        ("GET", r"/storage/v1/b/[^/]+/o/[^/]+$", "storage.objects.get/metadata"),
        ("DELETE", r"/storage/v1/b/[^/]+/o/[^/]+$", "storage.objects.delete"),
        ("GET", r"/storage/v1/b/[^/]+/o(\?|$)", "storage.objects.list"),
        ("GET", r"/storage/v1/b/[^/]+/iam/testPermissions", "storage.buckets.testIamPermissions"),
        ("GET", r"/storage/v1/b/[^/?]+(\?|$)", "storage.buckets.get"),
        ("POST", r"/storage/v1/b\?", "storage.buckets.insert"),
        ("POST", r"/[^/]+/[^?]+\?uploads", "storage.multipart/start"),
        ("PUT", r"/[^/]+/[^?]+\?.*\bpartNumber=", "storage.multipart/part"),
        ("POST", r"/[^/]+/[^?]+\?.*\buploadId=", "storage.multipart/complete"),
        ("DELETE", r"/[^/]+/[^?]+\?.*\buploadId=", "storage.multipart/abort"),
        ("GET", r"/[^/]+/[^?]+\?.*\buploadId=", "storage.multipart/parts"),
        ("GET", r"/[^/]+/", "storage.objects.get/media"),
        ("PUT", r"/[^/]+/", "storage.objects.insert/xml"),
    )
)


class Protocol(HttpToolsProtocol):
    """uvicorn's, but the application finds the connection in `scope["state"]`: how else could it be reset?"""

    def connection_made(self, transport: Any) -> None:
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


class Faults:
    """The middleware. `asked` are the operations of all requests so far, in their order."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._tests: dict[str, dict[str, list[str]]] = {}
        self.everywhere = ""
        self.asked: list[str] = []

    def plan(self, instructions: dict[str, list[str]]) -> str:
        """Keep these instructions; returns their id. ValueError for a fault that there is not."""
        for fault in (fault for faults in instructions.values() for fault in faults):
            _fault(fault)
        id_ = uuid.uuid4().hex
        self._tests[id_] = {operation: list(faults) for operation, faults in instructions.items()}
        return id_

    def completed(self, id_: str) -> bool:
        """Whether every fault of it was met."""
        return not any(self._tests[id_].values())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        if scope["path"].startswith("/retry_test"):
            await self._contract(scope, receive, send)
            return
        operation = operation_of(scope)
        self.asked.append(operation)
        met = self._next(scope, operation)
        if met is None:
            await self._app(scope, receive, send)
        else:
            await met(self._app, scope, receive, send)

    def _next(self, scope: Scope, operation: str) -> _Fault | None:
        headers = dict(scope["headers"])
        id_ = headers.get(b"x-retry-test-id", self.everywhere.encode()).decode()
        planned = self._tests.get(id_, {})
        faults = planned.get(operation) or planned.get(operation.partition("/")[0])
        if not faults:
            return None
        met, least = _fault(faults[0])
        if int(headers.get(b"content-length", b"0")) < least:
            return None  # as at the testbench: it waits for a body that is long enough
        faults.pop(0)
        return met

    async def _contract(self, scope: Scope, receive: Receive, send: Send) -> None:
        id_ = scope["path"].rpartition("/")[2]
        if scope["method"] == "POST":
            try:
                id_ = self.plan(json.loads(await _whole(receive))["instructions"])
            except (ValueError, LookupError) as error:
                await _answer(send, 400, {"error": {"code": 400, "message": str(error)}})
                return
        if id_ not in self._tests:
            await _answer(send, 404, {"error": {"code": 404, "message": f"Retry Test {id_} was not found"}})
            return
        about = {"id": id_, "instructions": self._tests[id_], "completed": self.completed(id_), "transport": "HTTP"}
        if scope["method"] == "DELETE":
            del self._tests[id_]
        await _answer(send, 200, about)


def operation_of(scope: Scope) -> str:
    """The API's method that a request is meant for, and after a slash which kind of its requests."""
    path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    asked = f"{path}?{query}" if query else path
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    for wanted, pattern, name in _OPERATIONS:
        if wanted == method and pattern.match(asked):
            said = dict(scope["headers"]).get(b"content-range", b"")
            if name.endswith("/resume") and said.startswith(b"bytes */"):
                return name.replace("/resume", "/query")
            return name
    return f"{method} {path}"


_Fault = Callable[[ASGIApp, Scope, Receive, Send], Awaitable[None]]


def _fault(text: str) -> tuple[_Fault, int]:
    """What happens, and how many bytes the request's body must have for it."""
    for pattern, make in _GRAMMAR:
        if found := re.fullmatch(pattern, text):
            return make(*(int(part) for part in found.groups()))
    raise ValueError(f"there is no fault {text!r}")


def _return(code: int) -> tuple[_Fault, int]:
    return _return_later(code, 0)


def _return_later(code: int, seconds: int) -> tuple[_Fault, int]:
    async def fault(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        await _refuse(send, code, seconds)

    return fault, 0


def _return_after(code: int, kibibytes: int) -> tuple[_Fault, int]:
    async def fault(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        if await _with_part(app, scope, receive, send, kibibytes * KI):
            await _refuse(send, code)

    return fault, kibibytes * KI + 1


def _break_upload(count: int) -> tuple[_Fault, int]:
    async def fault(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        if await _with_part(app, scope, receive, send, count):
            await _reset(scope, receive)

    return fault, count + 1


def _reset_now() -> tuple[_Fault, int]:
    async def fault(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        await _reset(scope, receive)

    return fault, 0


def _lose_answer() -> tuple[_Fault, int]:
    async def fault(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        async def swallow(message: Message) -> None: ...

        await app(scope, receive, swallow)
        await _reset(scope, receive)

    return fault, 0


def _break_answer_after(kibibytes: int) -> tuple[_Fault, int]:
    return _break_answer(kibibytes * KI), 0


def _break_answer(count: int) -> _Fault:
    async def fault(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        left, broken = count, False

        async def cut(message: Message) -> None:
            nonlocal left, broken
            if message["type"] == "http.response.start":
                await send(message)
            if broken or message["type"] != "http.response.body":
                return
            body, last = message.get("body", b""), not message.get("more_body")
            passes = max(min(left, len(body) - last), 0)  # of the last piece never all: what breaks is not whole
            left -= passes
            if passes:
                await send({**message, "body": body[:passes], "more_body": True})
            if last or passes < len(body):
                broken = True
                await asyncio.sleep(0.05)  # what was sent before shall arrive before the reset takes it back
                await _reset(scope, receive)

        await app(scope, receive, cut)

    return fault


def _corrupt_answer() -> tuple[_Fault, int]:
    async def fault(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        done = False

        async def corrupt(message: Message) -> None:
            nonlocal done
            if not done and message.get("body"):
                message, done = {**message, "body": _damaged(message["body"])}, True
            await send(message)

        await app(scope, receive, corrupt)

    return fault, 0


def _corrupt_upload() -> tuple[_Fault, int]:
    async def fault(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        done = False

        async def corrupt() -> Message:
            nonlocal done
            message = await receive()
            # The first piece may be nothing but the metadata: what is meant is the content.
            if not done and len(message.get("body", b"")) >= KI:
                message, done = {**message, "body": _damaged(message["body"])}, True
            return message

        await app(scope, corrupt, send)

    return fault, KI


def _stall(seconds: int, kibibytes: int) -> tuple[_Fault, int]:
    async def fault(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        passed, stalled = 0, False

        async def stall(message: Message) -> None:
            nonlocal passed, stalled
            passed += len(message.get("body", b""))
            if not stalled and passed >= kibibytes * KI:
                stalled = True
                await asyncio.sleep(seconds)

        await _with_each(app, scope, receive, send, stall)

    return fault, 0


def _drip(kibibytes: int) -> tuple[_Fault, int]:
    async def fault(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        async def drip(message: Message) -> None:
            await asyncio.sleep(len(message.get("body", b"")) / (kibibytes * KI))

        await _with_each(app, scope, receive, send, drip)

    return fault, 0


_GRAMMAR: tuple[tuple[str, Callable[..., tuple[_Fault, int]]], ...] = (
    (r"return-(\d{3})", _return),
    (r"return-(\d{3})-after-(\d+)K", _return_after),
    (r"return-(\d{3})-retry-after-(\d+)s", _return_later),
    (r"return-reset-connection", _reset_now),
    (r"return-broken-stream", lambda: (_break_answer(FEW), 0)),
    (r"return-broken-stream-after-(\d+)K", _break_answer_after),
    (r"return-broken-stream-final-chunk-after-(\d+)B", _break_upload),
    (r"return-corrupted-data", _corrupt_answer),
    (r"stall-for-(\d+)s-after-(\d+)K", _stall),
    (r"lose-answer", _lose_answer),
    (r"corrupt-upload", _corrupt_upload),
    (r"drip-(\d+)K", _drip),
)


async def _with_part(app: ASGIApp, scope: Scope, receive: Receive, send: Send, count: int) -> bool:
    """Run it with the first `count` bytes of the body and then a client that is gone. False: it answered before."""
    left, gone, answered = count, False, False

    async def part() -> Message:
        nonlocal left, gone
        if left == 0:
            gone = True
            return {"type": "http.disconnect"}
        message = await receive()
        body = message.get("body", b"")
        if len(body) > left:
            message = {**message, "body": body[:left], "more_body": True}
        left -= min(len(body), left)
        return message

    async def unless_gone(message: Message) -> None:
        nonlocal answered
        if not gone:
            answered = True
            await send(message)

    await app(scope, part, unless_gone)
    return not answered


async def _with_each(
    app: ASGIApp, scope: Scope, receive: Receive, send: Send, wait: Callable[[Message], Awaitable[None]]
) -> None:
    """Run it with a wait at every piece of the body and of the answer."""

    async def slow_receive() -> Message:
        message = await receive()
        await wait(message)
        return message

    async def slow_send(message: Message) -> None:
        await wait(message)
        await send(message)

    await app(scope, slow_receive, slow_send)


def _damaged(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :] if data else data


async def _reset(scope: Scope, receive: Receive) -> None:
    transport = scope["state"]["transport"]
    # Without lingering, closing sends RST instead of FIN: the other end gets "connection reset by peer".
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass  # else uvicorn would take it for an application that has forgotten to answer


async def _refuse(send: Send, code: int, retry_after: int = 0) -> None:
    headers = [(b"retry-after", str(retry_after).encode())] if retry_after else []
    error = {"code": code, "message": f"Retry Test: Caused a {code}", "errors": [{"reason": "retryTest"}]}
    await _answer(send, code, {"error": error}, headers)


async def _answer(send: Send, code: int, value: object, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    body = json.dumps(value).encode()
    always = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": code, "headers": [*always, *(headers or [])]})
    await send({"type": "http.response.body", "body": body})


async def _whole(receive: Receive) -> bytes:
    blocks = []
    while True:
        message = await receive()
        blocks.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(blocks)
