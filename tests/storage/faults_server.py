"""The embedded object store behind the faults, served over real HTTP by a thread of the test's own process."""

from __future__ import annotations

import logging
import socket
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

import uvicorn
from faults import Faults, Protocol
from starlette.applications import Starlette

from aip_magics.server.gcs import ObjectStore, routes

# uvicorn's Server.shutdown waits for open connections; those of a client's pool stay open until it is closed.
SHUTDOWN_SECONDS = 1


class FaultServer:
    """`url` has no slash at its end; `faults` is the middleware, `store` what lies behind it."""

    def __init__(self, data_dir: Path) -> None:
        self.store = ObjectStore(data_dir, lambda: datetime.now(timezone.utc))
        self.faults = Faults(Starlette(routes=routes(self.store)))
        # asyncio sets TCP_NODELAY only on sockets made with this protocol number; without it every answer waits 40 ms.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        config = uvicorn.Config(
            self.faults,
            http=Protocol,
            loop="asyncio",
            lifespan="off",
            proxy_headers=False,
            access_log=False,
            log_config=None,
            log_level=logging.CRITICAL,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]}, name="faults")
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def stop(self) -> None:
        """End the thread and close the store."""
        self._server.should_exit = True
        self._thread.join(10)
        assert not self._thread.is_alive()
        self.store.close()
