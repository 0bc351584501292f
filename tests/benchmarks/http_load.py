"""A load generator that costs little itself: keep-alive connections, a prepared request, latencies.

A program of its own (`python http_load.py PORT CONNECTIONS SECONDS < request`), so that its processor time is not
counted with a server's; it writes one JSON object. It shares the processors with the server all the same, and would
hold back the faster one more: so there is nothing between the sockets and their readiness.
"""

from __future__ import annotations

import json
import re
import selectors
import socket
import sys
import time

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class _Connection:
    """One request at a time; `begun` is when it was sent."""

    def __init__(self, port: int, request: bytes) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = request
        self._received = b""
        self.ask()

    def ask(self) -> None:
        self.begun = time.perf_counter()
        self.sock.sendall(self._request)

    def answer(self) -> bytes | None:
        """The answer, None as long as it is not there whole. ConnectionError when it will never be."""
        data = self.sock.recv(1 << 16)
        if not data:
            raise ConnectionResetError
        self._received += data
        if not _whole(self._received):
            return None
        answer, self._received = self._received, b""
        return answer


def _whole(answer: bytes) -> bool:
    head = answer.find(b"\r\n\r\n")
    if head < 0:
        return False
    length = LENGTH.search(answer, 0, head)
    return len(answer) >= head + 4 + int(length[1]) if length else answer.endswith(b"0\r\n\r\n")  # chunked


def load(port: int, request: bytes, connections: int, seconds: float) -> dict[str, object]:
    """Send `request` over so many connections, one at a time on each, for so long.

    Returns the rate in answers a second, the answers by HTTP status, how many connections ended in the middle of a
    request, and latencies in seconds.
    """
    statuses: dict[int, int] = {}
    latencies: list[float] = []
    lost = 0
    begun = time.perf_counter()
    end = begun + seconds
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            made = _Connection(port, request)
            selector.register(made.sock, selectors.EVENT_READ, made)
        while selector.get_map():
            for key, _ in selector.select():
                connection: _Connection = key.data
                try:
                    answer = connection.answer()
                except ConnectionError:
                    lost += 1
                    answer = b""
                if answer is None:
                    continue
                now = time.perf_counter()
                if answer:
                    status = int(answer[9:12])
                    statuses[status] = statuses.get(status, 0) + 1
                    latencies.append(now - connection.begun)
                if answer and now < end:
                    connection.ask()
                else:
                    selector.unregister(connection.sock)
                    connection.sock.close()
    taken = time.perf_counter() - begun
    latencies.sort()
    return {
        "rate": len(latencies) / taken,
        "statuses": statuses,
        "lost": lost,
        "p50": latencies[len(latencies) // 2],
        "p99": latencies[min(len(latencies) - 1, int(0.99 * len(latencies)))],
        "worst": latencies[-1],
    }


def post(path: str, body: bytes, token: str = "") -> bytes:
    """The bytes of a POST request with a JSON body."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    if token:
        head += f"Authorization: Bearer {token}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


if __name__ == "__main__":
    port, connections, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    sys.stdout.write(json.dumps(load(port, sys.stdin.buffer.read(), connections, seconds)) + "\n")
