"""What this folder's tests import: several conftest.py have the same module name, so it cannot be there."""

from __future__ import annotations

import contextlib
import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from aip_magics.artifacts import File

MakeFiles = Callable[[dict[str, bytes]], list[File]]
Orphans = Callable[[str], list[str]]


@contextlib.contextmanager
def serving(server: http.server.ThreadingHTTPServer, certificate: tuple[Path, Path] | None = None) -> Iterator[str]:
    """Have the server answer on a thread, over TLS with a certificate (and its key); gives its URL."""
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*map(str, certificate))
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
