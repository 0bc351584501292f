"""A load generator that costs little itself: keep-alive connections on one event loop, a prepared request, latencies.

Also a program of its own (`python http_load.py PORT CONNECTIONS SECONDS < request`), so that its processor time is not
counted with a server's; it writes one JSON object.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import sys
import time

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclasses.dataclass
class Outcome:
    """`statuses` counts the answers by HTTP status, `lost` connections that ended in the middle of a request."""

    seconds: float
    statuses: dict[int, int]
    lost: int
    latencies: list[float] = dataclasses.field(repr=False, default_factory=list)  # seconds, of all answers

    @property
    def answered(self) -> int:
        return sum(self.statuses.values())

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.answered / self.seconds

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def to_json(self) -> dict[str, object]:
        shown = {"p50": self.percentile(0.5), "p99": self.percentile(0.99), "worst": max(self.latencies)}
        return {"rate": self.rate, "statuses": self.statuses, "lost": self.lost, **shown}


class _Connection(asyncio.Protocol):
    def __init__(self, load: _Load) -> None:
        self._load = load
        self._buffer = b""
        self._begun = 0.0
        self._busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not _whole(self._buffer):
            return
        status, self._buffer, self._busy = int(self._buffer[9:12]), b"", False
        self._load.answered(status, time.perf_counter() - self._begun)
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.closed(lost=self._busy)

    def _next(self) -> None:
        if self._load.over:
            self._transport.close()
            return
        self._load.begun += 1
        self._busy, self._begun = True, time.perf_counter()
        self._transport.write(self._load.request)


def _whole(answer: bytes) -> bool:
    head = answer.find(b"\r\n\r\n")
    if head < 0:
        return False
    length = LENGTH.search(answer, 0, head)
    return len(answer) >= head + 4 + int(length[1]) if length else answer.endswith(b"0\r\n\r\n")  # chunked


class _Load:
    def __init__(self, request: bytes, connections: int, end: float, most: int | None) -> None:
        self.request = request
        self.begun = 0
        self._end, self._most, self._open = end, most, connections
        self.outcome = Outcome(0.0, {}, 0)
        self.done = asyncio.get_running_loop().create_future()

    @property
    def over(self) -> bool:
        return time.perf_counter() >= self._end or (self._most is not None and self.begun >= self._most)

    def answered(self, status: int, seconds: float) -> None:
        self.outcome.statuses[status] = self.outcome.statuses.get(status, 0) + 1
        self.outcome.latencies.append(seconds)

    def closed(self, *, lost: bool) -> None:
        self.outcome.lost += lost
        self._open -= 1
        if not self._open and not self.done.done():
            self.done.set_result(None)


async def load(
    port: int, request: bytes, connections: int = 8, *, seconds: float = 3600.0, most: int | None = None
) -> Outcome:
    """Send `request` over so many connections, one at a time on each, for `seconds` or `most` requests."""
    begun = time.perf_counter()
    run = _Load(request, connections, begun + seconds, most)
    loop = asyncio.get_running_loop()
    await asyncio.gather(
        *(loop.create_connection(lambda: _Connection(run), "127.0.0.1", port) for _ in range(connections))
    )
    await run.done
    run.outcome.seconds = time.perf_counter() - begun
    return run.outcome


def post(path: str, body: bytes, token: str = "") -> bytes:
    """The bytes of a POST request with a JSON body."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    if token:
        head += f"Authorization: Bearer {token}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


if __name__ == "__main__":
    port, connections, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    found = asyncio.run(load(port, sys.stdin.buffer.read(), connections, seconds=seconds))
    sys.stdout.write(json.dumps(found.to_json()) + "\n")
