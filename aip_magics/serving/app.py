"""The HTTP interface of a container: health checks, predictions, and KServe's protocol version 1.

Predict requests pass no router: body and answer are bytes that only the worker parses and writes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from aip_magics.errors import PredictionError, WorkerError
from aip_magics.prediction.parameters import spread_parameters
from aip_magics.serving.contract import Contract
from aip_magics.serving.worker_group import NotReady, TooManyRequests

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

BODY_BYTES = 64 << 20  # the largest request of a platform has 10 MB
_MODEL = re.compile(r"/v1/models/([^/]+?)(:predict)?")
# What a caller can change is his error: nobody should send such a request again as it is.
_CALLERS_ERRORS = frozenset({"INVALID_INPUTS", "FAILED_TO_RUN_MODEL"})

Answer = tuple[int, bytes]


class Predictor(Protocol):
    """The part of `WorkerGroup` that answers requests."""

    @property
    def ready(self) -> bool: ...

    async def predict(self, body: bytes) -> bytes: ...


class BodyTooLarge(Exception):
    """The body of a request exceeds BODY_BYTES."""


class ServingApp:
    """ASGI application. `group` is None as long as the model is not loaded, `draining` is set on the way out."""

    def __init__(self, contract: Contract) -> None:
        self.group: Predictor | None = None
        self.draining = False
        self._contract = contract

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        method, path = scope["method"], scope["path"]
        if method == "POST" and path == self._contract.predict_route:
            status, answer = await self._predict(scope, receive)
        else:
            status, answer = await self._other(method, path)(scope, receive)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        if status == 413:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else answer})

    def _other(self, method: str, path: str) -> Callable[[Scope, Receive], Awaitable[Answer]]:
        """The handler of any request but the most frequent one."""
        reads = method in ("GET", "HEAD")
        model = _MODEL.fullmatch(path)
        known = path in (self._contract.health_route, self._contract.predict_route, "/", "/v1/models") or model
        if path == self._contract.health_route and reads:
            return self._health
        if path == "/" and reads:
            return _alive
        if path == "/v1/models" and reads:
            return self._models
        if model and not self._is_name(model[1]):
            return _refused(404, f"model {model[1]} not found; this server has {self._contract.model_name}")
        if model and model[2] and method == "POST":
            return self._predict
        if model and not model[2] and reads:
            return self._model_state(model[1])
        if known:
            return _refused(405, f"method {method} is not allowed for {path}")
        text = f"{path} not found; this server answers POST {self._contract.predict_route} and GET "
        return _refused(404, text + self._contract.health_route)

    def _is_name(self, name: str) -> bool:
        return self._contract.model_name in ("", name)

    @property
    def _is_ready(self) -> bool:
        return self.group is not None and not self.draining and self.group.ready

    async def _health(self, _scope: Scope, _receive: Receive) -> Answer:
        return (200, b"{}") if self._is_ready else self._not_ready()

    def _not_ready(self) -> Answer:
        return _error(503, "the server is shutting down" if self.draining else "the model is not loaded yet")

    async def _models(self, _scope: Scope, _receive: Receive) -> Answer:
        names = [self._contract.model_name or "model"]
        return 200, json.dumps({"models": names}).encode()

    def _model_state(self, name: str) -> Callable[[Scope, Receive], Awaitable[Answer]]:
        async def answer(_scope: Scope, _receive: Receive) -> Answer:
            ready = self._is_ready
            return 200 if ready else 503, json.dumps({"name": name, "ready": ready}).encode()

        return answer

    async def _predict(self, scope: Scope, receive: Receive) -> Answer:
        if self.group is None:
            return self._not_ready()
        try:
            body = await _read_body(scope, receive)
            return 200, await self.group.predict(spread_parameters(body))
        except WorkerError as error:
            return _error(500, error.detail)
        except PredictionError as error:
            text = f"{error.detail} ({error.fix})" if error.fix else error.detail
            return _error(400 if error.kind in _CALLERS_ERRORS else 500, f"Prediction failed: {text}")
        except TooManyRequests:
            return _error(503, "too many requests are waiting for the model")
        except NotReady:
            return self._not_ready()
        except BodyTooLarge:
            return _error(413, f"the body of the request exceeds {BODY_BYTES} bytes")


def _error(status: int, text: str) -> Answer:
    return status, json.dumps({"error": text}).encode()


async def _alive(_scope: Scope, _receive: Receive) -> Answer:
    return 200, b'{"status": "alive"}'


def _refused(status: int, text: str) -> Callable[[Scope, Receive], Awaitable[Answer]]:
    async def answer(_scope: Scope, _receive: Receive) -> Answer:
        return _error(status, text)

    return answer


async def _read_body(scope: Scope, receive: Receive) -> bytes:
    """Read the body, which most clients send in one piece. BodyTooLarge above BODY_BYTES."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > BODY_BYTES:
            raise BodyTooLarge
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":  # the client has gone
            return b""
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > BODY_BYTES:
            raise BodyTooLarge
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)
