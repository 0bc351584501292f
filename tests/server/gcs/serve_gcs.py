"""Run by the tests as a process: only the object store's routes. It prints its port.

Arguments: data directory, kill point (see kill_points.py).
"""

import socket
import sys
from datetime import datetime, timezone
from pathlib import Path

import kill_points
import uvicorn
from starlette.applications import Starlette

from aip_magics.server.gcs import ObjectStore, routes


def main() -> None:
    if len(sys.argv) > 2:
        kill_points.arm(sys.argv[2])
    store = ObjectStore(Path(sys.argv[1]), lambda: datetime.now(timezone.utc))
    # asyncio sets TCP_NODELAY only on sockets made with this protocol number; without it every answer waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    config = uvicorn.Config(Starlette(routes=routes(store)), log_level="warning", lifespan="off", access_log=False)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    uvicorn.Server(config).run(sockets=[listener])
    store.close()


if __name__ == "__main__":
    main()
