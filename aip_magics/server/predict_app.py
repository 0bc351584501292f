"""Online prediction (`projects.predict`, `endpoints.predict`): an ASGI application in front of the router.

Predict is the one method that clients call often, so its requests do not pass the router and need no Response object.
The body goes to a node as it came, the node's answer to the caller as it came.
"""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Callable

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aip_magics import catalog
from aip_magics.errors import ApiError, FailedPrecondition, PredictionError
from aip_magics.server.api import models
from aip_magics.server.context import AppContext
from aip_magics.server.conventions import error_responses, google_json
from aip_magics.server.conventions.error_responses import violation
from aip_magics.server.names import ModelKey, VersionKey
from aip_magics.server.predict_target import PredictApi, PredictTarget, TooLarge
from aip_magics.server.serving.node_groups import NodeGroup
from aip_magics.server.version_creation import build_node_spec
from aip_magics.server.vertex.predict import find_resolver

TARGET = re.compile(r"/v1/projects/([^/]+)/models/([^/]+?)(?:/versions/([^/]+))?:predict")
RETRY_SECONDS = b"1"
TOO_MANY_REQUESTS = 429
MAX_PATHS = 256  # remembered; a path has at most `http_limits.URL_BYTES`


class PredictApp:
    """ASGI application: answer predict requests, pass every other request on to `app`.

    Both APIs predict in the same way; a `PredictTarget` says in what they differ.
    """

    def __init__(self, app: ASGIApp, context: AppContext) -> None:
        self._app = app
        self._context = context
        # By location and path: what finds the target of such a request.
        self._resolvers: dict[tuple[str, str], Callable[[], PredictTarget]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        resolve = self._resolver(scope["location"], scope["path"]) if scope["method"] == "POST" else None
        if resolve is None:
            await self._app(scope, receive, send)
            return
        target = resolve()
        status, answer = await self._predict(target, scope, receive)
        headers = [(b"content-length", b"%d" % len(answer)), (b"content-type", b"application/json"), *target.headers]
        if status == TOO_MANY_REQUESTS:
            headers.append((b"retry-after", RETRY_SECONDS))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _predict(self, target: PredictTarget, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        """The HTTP status and the body of the answer, which the version's statistics and logs record."""
        key, api = target.key, target.api
        group = self._node_group(key)
        clock = self._loop.time
        body, begun, error_text = b"", 0.0, ""
        try:
            body = await _read_body(scope, receive, api.body_bytes, api.too_large)
            begun = clock()
            sent = target.rewrite(body) if target.rewrite else body
            status, answer = 200, await group.predict(sent, api.seconds)
            if target.ending:
                answer = answer[:-1] + target.ending
        except PredictionError as error:
            error_text = f"Prediction failed: {error.detail}"
            status, answer = 400, api.model_error(error_text)
        except ApiError as error:
            error_text = error.message
            status, answer = google_json.error_body(error)
        seconds = clock() - begun if begun else 0.0
        if self._context.nodes.find(key) is group:  # otherwise the version and its logs were deleted during the request
            group.statistics.record(status, seconds)
            self._context.request_logs.of(key).request(status, seconds, body, error_text or answer)
            if not error_text:
                self._context.last_use.note(key)
        return status, answer

    @functools.cached_property
    def _loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()  # which makes a system call every time

    def _resolver(self, location: str, path: str) -> Callable[[], PredictTarget] | None:
        """What finds the version to predict with; None if the path is not that of a predict method."""
        resolve = self._resolvers.get((location, path))
        if resolve is None:
            resolve = find_resolver(self._context, path) or self._ai_platform_resolver(location, path)
            if resolve is not None:
                if len(self._resolvers) >= MAX_PATHS:
                    self._resolvers.clear()
                self._resolvers[location, path] = resolve
        return resolve

    def _ai_platform_resolver(self, location: str, path: str) -> Callable[[], PredictTarget] | None:
        """As `_resolver`: the version is named, or the default version of its model at the time of the request."""
        named = TARGET.fullmatch(path)
        if named is None:
            return None
        project, model, version = named.groups()
        key = ModelKey(location, project, model)
        if version is None:
            return lambda: PredictTarget(self._default_version(key), _ai_platform())
        target = PredictTarget(key.child(version), _ai_platform())
        return lambda: target

    def _default_version(self, key: ModelKey) -> VersionKey:
        version = self._context.database.get_default_version(key)
        if version is None:
            models.require_model(self._context.database, key)
            raise error_responses.no_default(key.model)
        return key.child(version)

    def _node_group(self, key: VersionKey) -> NodeGroup:
        group = self._context.nodes.find(key)
        if group is not None and group.ready:
            return group  # most requests need not ask the store
        row = self._context.database.get_version(key)
        if row is None:
            models.require_model(self._context.database, key.parent)
            raise error_responses.no_version(key.version, key.model)
        if row.version.state != "READY" or row.artifact is None:
            text = (
                "Online prediction is unavailable for this version. Please verify that CreateVersion has completed "
                "successfully."
            )
            raise violation(FailedPrecondition, "name", text)
        group = self._context.nodes.group(build_node_spec(row, self._context.model_snapshots))
        group.ready = True
        self._context.request_logs.of(key).log_requests(row.version.requestLoggingConfig)
        return group


@functools.cache
def _ai_platform() -> PredictApi:
    limits = catalog.limits()
    return PredictApi(limits.predict_body_bytes, limits.predict_seconds, google_json.too_large, _text_error)


def _text_error(text: str) -> bytes:
    return google_json.dump_json({"error": text})  # the one place where the service's `error` is not an object


async def _read_body(scope: Scope, receive: Receive, limit: int, too_large: TooLarge) -> bytes:
    """As `google_json.read_body`; most bodies come whole in one message, and need no Request to read them."""
    first = await receive()
    if first["type"] == "http.request" and not first.get("more_body") and len(first["body"]) <= limit:
        body: bytes = first["body"]
        return body
    messages = [first]

    async def rest() -> Message:
        return messages.pop() if messages else await receive()

    return await google_json.read_body(Request(scope, rest), limit, too_large)
