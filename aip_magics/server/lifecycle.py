"""The life of the server process: lock, port, token, state file; serving; a clean end.

The one place of the server that reads the clock and the process's surroundings.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import socket
import sys
import time
from collections.abc import Awaitable, Iterator
from datetime import datetime, timezone
from email.utils import formatdate
from pathlib import Path
from types import FrameType

import filelock
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

import aip_magics
from aip_magics import stop_signals
from aip_magics.data_directory import create_data_dir
from aip_magics.errors import ServerError
from aip_magics.server import descriptors, logs
from aip_magics.server.app import App, Serving
from aip_magics.server.descriptors import DescriptorBudget, accept_burst
from aip_magics.server.http_limits import protocol
from aip_magics.server.listener import Listener, handle_loop_exception
from aip_magics.server.persisted_endpoint import HOST, PersistedEndpoint, listen, token_from
from aip_magics.server.serving import memory
from aip_magics.server.serving.autoscaler import IDLE_SECONDS
from aip_magics.targets.state import LOCK_FILE, STATE_FILE, ServerState
from aip_magics.wording import size_text

log = logging.getLogger(__name__)

LOCK_SECONDS = 10.0
GRACE_SECONDS = 5
# As long as Google's own: a client that pauses between two requests must not find its connection closed under it.
KEEP_ALIVE_SECONDS = 240


class AlreadyRunning(ServerError):
    """Another server holds the data directory."""


@dataclasses.dataclass(frozen=True)
class Options:
    """What the command line says. None leaves it to us; times are in seconds, the memory budget in bytes."""

    port: int | None = None
    token_file: Path | None = None
    idle_exit: float | None = None
    idle_nodes: float = IDLE_SECONDS
    batching: bool = False
    memory_budget: int | None = None
    foreground: bool = False


def run(data_dir: Path, options: Options) -> None:
    """Serve until told to stop. AlreadyRunning or ServerError when it cannot start."""
    create_data_dir(data_dir, "use another --data-dir")
    if os.name == "posix":
        data_dir.chmod(0o700)
    with _locked(data_dir):
        identity = PersistedEndpoint.read(data_dir)
        token = token_from(options.token_file) if options.token_file else identity.token
        listener = listen(options.port, identity.port)
        used: int = listener.getsockname()[1]
        PersistedEndpoint(token, used).write(data_dir)
        logs.to_file(data_dir, token)
        if options.foreground:
            logs.to_terminal(token)
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
        descriptor_budget = DescriptorBudget.of(descriptors.raise_limit())
        with contextlib.closing(Listener(listener, accept_burst(descriptor_budget.connections))) as accepting:
            asyncio.run(_serve(state, accepting, options, descriptor_budget))


async def _serve(
    state: ServerState, listener: socket.socket, options: Options, descriptor_budget: DescriptorBudget
) -> None:
    server = _Server(state)
    asyncio.get_running_loop().set_exception_handler(handle_loop_exception)
    app = App(
        state.data_dir,
        token=state.token,
        python=state.python,
        version=state.version,
        clock=lambda: datetime.now(timezone.utc),
        stop=server.end,
        serving=Serving(
            _processors(),
            options.idle_nodes,
            options.batching,
            _memory_budget(options.memory_budget),
            descriptor_budget.nodes,
        ),
    )
    server.config.app = server.dated(app.asgi)
    server.config.http = protocol(descriptor_budget.connections)  # type: ignore[assignment]
    async with app.running():
        state.write()
        log.info("serving %s at %s, process %d, version %s", state.data_dir, state.url, state.pid, state.version)
        idle_exit = options.idle_exit
        watch = asyncio.create_task(_end_when_idle(app, server, idle_exit)) if idle_exit else None
        try:
            await server.serve(sockets=[listener])
        finally:
            if watch:
                watch.cancel()
            server.forget()
    log.info("stopped")


class _Server(uvicorn.Server):
    """uvicorn's, but asleep while nothing happens: its own looks ten times a second whether it shall end."""

    def __init__(self, state: ServerState) -> None:
        config = uvicorn.Config(
            app="",
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            date_header=False,
            interface="asgi3",
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        super().__init__(config)
        self._state = state
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._dated_at = 0.0

    def end(self) -> None:
        self.should_exit = True
        self._ended.set()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._loop.call_soon_threadsafe(self._ended.set)  # a signal handler must wake the loop that sleeps

    async def main_loop(self) -> None:
        if not self.should_exit:
            await self._ended.wait()

    def dated(self, app: ASGIApp) -> ASGIApp:
        """The application, with the Date header kept right when requests come, as no tick does it."""

        def call(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            self.date()
            return app(scope, receive, send)

        return call

    def date(self) -> None:
        """Bring the Date header up to date."""
        now = time.time()
        if now - self._dated_at >= 1.0:
            self._dated_at = now
            # In place: the request that is being answered holds this very list.
            self.server_state.default_headers[:] = [(b"date", formatdate(now, usegmt=True).encode())]

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
        with stop_signals.handled_by(self.handle_exit):
            yield


def _processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_budget(wanted: int | None) -> int | None:
    """How much memory all nodes may hold together; None where that cannot be measured."""
    if not memory.can_measure():
        log.warning("the memory of nodes is not limited: this system does not tell how much a process holds")
        return None
    there = memory.available()
    budget = wanted if wanted is not None else there and there // 2
    if budget is None:
        log.warning("the memory of nodes is not limited: this system does not tell its memory; use --memory-budget")
    else:
        log.info("memory budget of all nodes: %s of %s", size_text(budget), size_text(there) if there else "unknown")
    return budget


async def _end_when_idle(app: App, server: _Server, seconds: float) -> None:
    served = -1
    while served != app.asgi.served or not app.idle:
        served = app.asgi.served
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
