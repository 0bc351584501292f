"""Run by the benchmarks as a process: the object store of the embedded server, on the disk. It prints its port."""

from __future__ import annotations

import socket
import sys
from datetime import datetime, timezone
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from aip_magics.server.gcs import ObjectStore, routes


def main() -> None:
    store = ObjectStore(Path(sys.argv[1]), lambda: datetime.now(timezone.utc))
    app = Starlette(routes=routes(store))
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
