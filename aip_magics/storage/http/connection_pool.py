"""urllib3 connection pool whose connections register their sockets."""

from __future__ import annotations

import socket
import sys
from typing import Any, ClassVar

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from aip_magics.bounded_response import BoundedResponse
from aip_magics.storage.http.socket_registry import SocketRegistry

# Bytes that the kernel buffers beyond those in transit: progress then counts what has left the machine, and on a slow
# network no timeout runs while megabytes are still in the local buffer.
_UNSENT_BYTES = 128 << 10
_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", {"linux": 25, "darwin": 0x201}.get(sys.platform))


def open_connection_pool(
    sockets: SocketRegistry, *, size: int, proxy: str | None, ca_file: str | None
) -> urllib3.PoolManager:
    """Create a pool for `size` threads. Without `ca_file` urllib3's default certificates are used."""
    options: dict[str, Any] = {
        "maxsize": size,
        "block": False,
        "blocksize": 256 << 10,
        "socket_options": [*HTTPConnection.default_socket_options, *_unsent_limit()],
    }
    if ca_file:
        options["ca_certs"] = ca_file
    manager = urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)
    http = type("Http", (_RegisteredConnection,), {"sockets": sockets})
    https = type("Https", (_RegisteredHttpsConnection,), {"sockets": sockets})
    manager.pool_classes_by_scheme = {
        "http": type("HttpPool", (HTTPConnectionPool,), {"ConnectionCls": http}),
        "https": type("HttpsPool", (HTTPSConnectionPool,), {"ConnectionCls": https}),
    }
    return manager


def _unsent_limit() -> list[tuple[int, int, int]]:
    return [(socket.IPPROTO_TCP, _LOWAT, _UNSENT_BYTES)] if _LOWAT is not None else []


class _RegisteredConnection(HTTPConnection):
    """HTTP connection that registers its socket for the current thread."""

    response_class = BoundedResponse  # a stall in the content is detected by the registry
    sockets: ClassVar[SocketRegistry]

    def connect(self) -> None:
        super().connect()
        self.sockets.register(self.sock)

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            self.sockets.register(self.sock)
        super().request(*args, **kwargs)


class _RegisteredHttpsConnection(_RegisteredConnection, HTTPSConnection):
    """The same over TLS."""
