"""Requests that wait for a node, the queue they wait in, and the errors that end the wait."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
from typing import TYPE_CHECKING

from aip_magics.errors import ApiError, Unavailable
from aip_magics.prediction import batching
from aip_magics.server.conventions.error_responses import retry_later
from aip_magics.server.serving.node_budget import NodeShare

if TYPE_CHECKING:
    from aip_magics.prediction import AsyncWorkerClient, LoadedModel

QUEUE_REQUESTS = 500
QUEUE_BYTES = 64 << 20


@dataclasses.dataclass(eq=False)
class Node:
    """One worker with the model loaded. A node predicts one request at a time."""

    worker: AsyncWorkerClient
    loaded: LoadedModel
    share: NodeShare


@dataclasses.dataclass(eq=False)
class QueuedRequest(batching.WaitingRequest):
    """A predict request on its way to a node, which its `turn` yields."""

    # By the event loop's clock; the only place where a request's deadline is kept.
    deadline: float = dataclasses.field(kw_only=True)
    turn: asyncio.Future[Node | bytes] | None = None


class RequestQueue:
    """Requests that wait for a node, in the order in which they get one."""

    def __init__(self) -> None:
        self._requests: collections.deque[QueuedRequest] = collections.deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._requests)

    def is_full(self, body: bytes) -> bool:
        """Whether a request with this body would exceed a limit."""
        return len(self._requests) >= QUEUE_REQUESTS or self._bytes + len(body) > QUEUE_BYTES

    def add(self, request: QueuedRequest, *, first: bool = False) -> None:
        (self._requests.appendleft if first else self._requests.append)(request)
        self._bytes += len(request.body)

    def pop(self) -> QueuedRequest:
        request = self._requests.popleft()
        self._bytes -= len(request.body)
        return request

    def remove(self, request: QueuedRequest) -> None:
        """Remove the request if it is still in the queue."""
        if request in self._requests:
            self._requests.remove(request)
            self._bytes -= len(request.body)

    def clear(self) -> list[QueuedRequest]:
        """Remove and return all requests."""
        requests = list(self._requests)
        self._requests.clear()
        self._bytes = 0
        return requests

    def pop_batch(self, request: QueuedRequest) -> list[QueuedRequest]:
        """Remove and return the requests that can be batched with this one."""
        batch = batching.find_batch(request, self._requests)
        for other in batch:
            self.remove(other)
        return batch


def deadline_exceeded() -> ApiError:
    return ApiError("Deadline expired before operation could complete.", code=504, status="DEADLINE_EXCEEDED")


def queue_full(waiting: int) -> ApiError:
    text = f"Rate of requests is too high: {waiting} of them wait for a node of this version. Please retry later."
    return retry_later(text)


def taken_down() -> ApiError:
    return Unavailable("The version is being taken down.")
