"""Serve the model of a container: listen at once, load, answer, drain on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType
from typing import Any

from aip_magics import stop_signals
from aip_magics.errors import AipError, ServerError
from aip_magics.i18n import gettext as _
from aip_magics.prediction import ForkServerPool, WorkerSpec, machine
from aip_magics.prediction.local import framework_name, worker_spec
from aip_magics.prediction.worker_spec import NO_PRELOAD
from aip_magics.serving import model_files
from aip_magics.serving.app import ServingApp
from aip_magics.serving.contract import Contract
from aip_magics.serving.manifest import Manifest
from aip_magics.serving.worker_group import WorkerGroup

log = logging.getLogger(__name__)

DRAIN_SECONDS = 25  # platforms kill a container 30 seconds after SIGTERM
KEEP_ALIVE_SECONDS = 620  # longer than the load balancers in front: they close connections first
BACKLOG = 1024


def run(contract: Contract, manifest: Manifest, address: str, variables: Mapping[str, str]) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        ServerError: The address cannot be bound.
        AipError: The model cannot be found, downloaded or loaded, or no worker is left.
    """
    # Process 1 of a container ignores a signal without a handler; uvicorn sets its own as soon as it listens.
    signal.signal(signal.SIGTERM, _end)
    model = model_files.find_model(contract.storage_uri, manifest.directory)
    log_dir = Path(tempfile.mkdtemp(prefix="aip-serving-"))
    try:
        with contextlib.closing(_listen(address, contract.port)) as listener, ForkServerPool(log_dir=log_dir) as pool:
            serving = _Serving(contract, manifest, model, variables, log_dir, pool)
            serving.preload()  # before uvicorn is imported: both take a while
            asyncio.run(serving.serve(listener))
    finally:
        shutil.rmtree(log_dir, ignore_errors=True)


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


@dataclasses.dataclass
class _Serving:
    contract: Contract
    manifest: Manifest
    model: str
    variables: Mapping[str, str]
    log_dir: Path
    pool: ForkServerPool
    downloaded: Path | None = None
    stopped: threading.Event = dataclasses.field(default_factory=threading.Event)

    @property
    def python(self) -> str:
        return self.manifest.python or sys.executable

    def preload(self) -> None:
        """Begin to import the framework, if it is known."""
        if not self.model.startswith("gs://"):
            with contextlib.suppress(AipError):  # the load says what is wrong
                self.pool.preload(self.python, self._spec(Path(self.model)).preload)
        elif framework := framework_name(self.manifest.framework):
            self.pool.preload(self.python, NO_PRELOAD if self.manifest.prediction_class else framework)

    async def serve(self, listener: socket.socket) -> None:
        app = ServingApp(self.contract)
        server = _make_server(app)
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def fail(error: AipError) -> None:
            if not failed.done():
                failed.set_exception(error)

        serving = asyncio.create_task(server.serve(sockets=[listener]))
        loading = asyncio.create_task(self._load(app, fail))
        try:
            await asyncio.wait({serving, loading}, return_when=asyncio.FIRST_COMPLETED)
            if loading.done():
                loading.result()
                await asyncio.wait({serving, failed}, return_when=asyncio.FIRST_COMPLETED)
            if failed.done():
                failed.result()
        finally:
            server.should_exit = True
            self.stopped.set()
            loading.cancel()
            with contextlib.suppress(asyncio.CancelledError, AipError):
                await loading
            await serving
            if isinstance(app.group, WorkerGroup):
                await app.group.close()
            if self.downloaded is not None:
                model_files.remove(self.downloaded)
            failed.cancel()

    async def _load(self, app: ServingApp, fail: Any) -> None:
        model_dir = Path(self.model)
        if self.model.startswith("gs://"):
            log.info("downloading %s", self.model)
            model_dir = self.downloaded = await asyncio.to_thread(
                model_files.download, self.model, self.variables, self.stopped
            )
        spec = self._spec(model_dir)
        contract = self.contract
        group = WorkerGroup(
            spec,
            contract.workers,
            self.log_dir,
            self.pool,
            fail,
            predict_seconds=contract.predict_seconds,
            coalesce=contract.coalesce,
        )
        try:
            loaded = await group.start()
        except BaseException:
            await group.close()
            raise
        app.group = group
        log.info("loaded %s in %.1f s; ready", loaded.class_name, loaded.load_seconds)

    def _spec(self, model_dir: Path) -> WorkerSpec:
        manifest = self.manifest
        spec = worker_spec(
            model_dir,
            None if manifest.prediction_class else manifest.framework,
            self.python,
            [manifest.directory / package for package in manifest.packages],
            manifest.prediction_class,
            trusted=True,  # who built the image has chosen model and code
        )
        threads = max(1, machine.processors() // (self.contract.workers or machine.processors()))
        return dataclasses.replace(
            spec, threads=threads, package_uris=manifest.package_names, variables=tuple(self.variables.items())
        )


def _listen(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # With its protocol named: else asyncio would leave Nagle's algorithm on, which delays each answer by 40 ms.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        text = _("could not listen on port {port}: {reason}", port=port, reason=error.strerror or error)
        raise ServerError(
            text, where=address, fix=_("stop the process that uses the port, or use another AIP_HTTP_PORT")
        ) from None
    return sock


def _make_server(app: ServingApp) -> Any:
    import uvicorn

    class Server(uvicorn.Server):
        """uvicorn's, which tells the health check that it drains, and does not raise the signal once more."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            app.draining = True
            super().handle_exit(sig, frame)

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            with stop_signals.handled_by(self.handle_exit):
                yield

    config = uvicorn.Config(
        app,
        http="httptools",
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        interface="asgi3",
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    return Server(config)
