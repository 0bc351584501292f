"""The life of the server process: lock, port, token, state file; serving; a clean end.

The one place of the server that reads the clock and the process's surroundings.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import filelock
import uvicorn

import aip_magics
from aip_magics.errors import ServerError
from aip_magics.server import logs
from aip_magics.server.app import App
from aip_magics.server.identity import HOST, Identity, listen, token_from
from aip_magics.targets.state import STATE_FILE, ServerState

log = logging.getLogger(__name__)

LOCK_FILE = "server.lock"
LOCK_SECONDS = 10.0
GRACE_SECONDS = 5


class AlreadyRunning(ServerError):
    """Another server holds the data directory."""


def run(data_dir: Path, *, port: int | None, token_file: Path | None, idle_exit: float | None) -> None:
    """Serve until told to stop. AlreadyRunning or ServerError when it cannot start."""
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    if os.name == "posix":
        data_dir.chmod(0o700)
    with _locked(data_dir):
        identity = Identity.read(data_dir)
        token = token_from(token_file) if token_file else identity.token
        listener = listen(port, identity.port)
        used: int = listener.getsockname()[1]
        Identity(token, used).write(data_dir)
        logs.to_file(data_dir, token)
        state = ServerState(
            pid=os.getpid(),
            start_time=time.time(),
            host=HOST,
            port=used,
            token=token,
            version=aip_magics.__version__,
            python=sys.executable,
            data_dir=data_dir,
        )
        with contextlib.closing(listener):
            asyncio.run(_serve(state, listener, idle_exit))


async def _serve(state: ServerState, listener: socket.socket, idle_exit: float | None) -> None:
    server = _Server(state)
    app = App(
        state.data_dir,
        token=state.token,
        python=state.python,
        version=state.version,
        clock=lambda: datetime.now(timezone.utc),
        stop=server.end,
    )
    server.config.app = app.gate
    async with app.running():
        state.write()
        log.info("serving %s at %s, process %d, version %s", state.data_dir, state.url, state.pid, state.version)
        watch = asyncio.create_task(_end_when_idle(app, server, idle_exit)) if idle_exit else None
        try:
            await server.serve(sockets=[listener])
        finally:
            if watch:
                watch.cancel()
            server.forget()
    log.info("stopped")


class _Server(uvicorn.Server):
    def __init__(self, state: ServerState) -> None:
        config = uvicorn.Config(
            app="",
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        super().__init__(config)
        self._state = state

    def end(self) -> None:
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.forget()  # from now on a client that looks for a server finds none, rather than one that is going
        await super().shutdown(sockets)

    def forget(self) -> None:
        """Take the state file away, if it is still ours."""
        found = ServerState.read(self._state.data_dir)
        if found and found.pid == self._state.pid:
            (self._state.data_dir / STATE_FILE).unlink(missing_ok=True)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn's own raises the signal once more at the end, which would kill us before the workers are ended.
        previous = {sig: signal.signal(sig, self.handle_exit) for sig in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for sig, handler in previous.items():
                signal.signal(sig, handler)


async def _end_when_idle(app: App, server: _Server, seconds: float) -> None:
    served = -1
    while served != app.gate.served or not app.idle:
        served = app.gate.served
        await asyncio.sleep(seconds)
    log.info("nothing to do for %g seconds", seconds)
    server.end()


@contextlib.contextmanager
def _locked(data_dir: Path) -> Iterator[None]:
    """Hold the data directory. A server that is just ending is waited for; one that serves is AlreadyRunning."""
    lock = filelock.FileLock(data_dir / LOCK_FILE)
    until = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            lock.acquire(timeout=0)
            break
        except filelock.Timeout:
            state = ServerState.read(data_dir)
            if state or time.monotonic() > until:
                raise AlreadyRunning(
                    f"a server is already running at {state.url}, process {state.pid}"
                    if state
                    else "another server holds the data directory but does not serve it",
                    where=str(data_dir),
                    fix="use that one, stop it first, or give another --data-dir",
                ) from None
            time.sleep(0.02)
    try:
        yield
    finally:
        lock.release()
