"""urllib3's pool of connections, that tells which sockets are in use."""

from __future__ import annotations

import socket
import sys
from typing import Any, ClassVar

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from aip_magics.bounded_response import BoundedResponse
from aip_magics.storage.sockets import Sockets

# Bytes that the kernel holds beyond what is on its way: so progress tells what left the machine, and on a slow line
# no answer is waited for while megabytes still lie here.
_UNSENT = 128 << 10
_LOWAT = getattr(socket, "TCP_NOTSENT_LOWAT", {"linux": 25, "darwin": 0x201}.get(sys.platform))


def open_pool(sockets: Sockets, *, size: int, proxy: str | None, ca_file: str | None) -> urllib3.PoolManager:
    """A pool for `size` threads. `ca_file` None means the certificates that urllib3 finds."""
    options: dict[str, Any] = {
        "maxsize": size,
        "block": False,
        "blocksize": 256 << 10,
        "socket_options": [*HTTPConnection.default_socket_options, *_unsent_limit()],
    }
    if ca_file:
        options["ca_certs"] = ca_file
    manager = urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)
    http = type("Http", (_Tracked,), {"sockets": sockets})
    https = type("Https", (_TrackedHttps,), {"sockets": sockets})
    manager.pool_classes_by_scheme = {
        "http": type("HttpPool", (HTTPConnectionPool,), {"ConnectionCls": http}),
        "https": type("HttpsPool", (HTTPSConnectionPool,), {"ConnectionCls": https}),
    }
    return manager


def _unsent_limit() -> list[tuple[int, int, int]]:
    return [(socket.IPPROTO_TCP, _LOWAT, _UNSENT)] if _LOWAT is not None else []


class _Tracked(HTTPConnection):
    """Tells which socket this thread uses."""

    response_class = BoundedResponse  # a stall in its content is the crew's to see
    sockets: ClassVar[Sockets]

    def connect(self) -> None:
        super().connect()
        self.sockets.use(self.sock)

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            self.sockets.use(self.sock)
        super().request(*args, **kwargs)


class _TrackedHttps(_Tracked, HTTPSConnection):
    """The same with TLS."""
