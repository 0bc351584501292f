"""Run by the benchmarks as a process: the object store, every answer later by the seconds given. It prints its port."""

from __future__ import annotations

import asyncio
import socket
import sys
from datetime import datetime, timezone
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from aip_magics.server.objects import ObjectStore, routes


class Later:
    """The way to a server far away takes time, however many requests are on it."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._seconds:
            await asyncio.sleep(self._seconds)
        await self._app(scope, receive, send)


def main() -> None:
    store = ObjectStore(Path(sys.argv[1]), lambda: datetime.now(timezone.utc))
    app = Later(Starlette(routes=routes(store)), float(sys.argv[2]))
    # asyncio sets TCP_NODELAY only on sockets made with this protocol number; without it every answer waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(app, log_level="warning", lifespan="off", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])
    store.close()


if __name__ == "__main__":
    main()
