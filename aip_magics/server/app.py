"""The parts put together: from a data directory to one ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path

from starlette.routing import Router

from aip_magics.prediction import AsyncWorker, Loaded, ParentPool, WorkerSpec
from aip_magics.prediction.packages import install
from aip_magics.server import api
from aip_magics.server.context import Service
from aip_magics.server.copies import Copies
from aip_magics.server.creation import Creations
from aip_magics.server.gate import Gate
from aip_magics.server.names import VersionKey
from aip_magics.server.nodes import Nodes, Recipe
from aip_magics.server.objects import ObjectStore
from aip_magics.server.objects import routes as object_routes
from aip_magics.server.store import Store


class App:
    """The parts of a server. `gate` is the ASGI application; `running` owns the databases and every worker."""

    def __init__(
        self,
        data_dir: Path,
        *,
        token: str,
        python: str,
        version: str,
        clock: Callable[[], datetime],
        stop: Callable[[], None],
    ) -> None:
        self._parents = ParentPool()
        self._data_dir = data_dir
        self._logs = data_dir / "logs"
        self._store = Store(data_dir / "service.sqlite")
        self._objects = ObjectStore(data_dir, clock)
        copies = Copies(data_dir / "artifacts")
        copies.keep_only(self._store.copies())
        nodes = Nodes(self._start_worker, self._note_runtime)
        creations = Creations(self._store, self._objects, copies, nodes, clock)
        self.service = Service(
            self._store,
            self._objects,
            copies,
            nodes,
            creations,
            clock=clock,
            python=python,
            version=version,
            pid=os.getpid(),
            warm=self._warm,
            stop=stop,
        )
        router = Router([*api.routes(), *object_routes(self._objects)], redirect_slashes=False)
        self.gate = Gate(router, self.service, token)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Between the start and the end of serving: unfinished operations go on, at the end all workers are gone."""
        self.service.creations.resume()
        try:
            yield
        finally:
            await self.service.creations.close()
            await self.service.nodes.close_all()
            await asyncio.to_thread(self._parents.close)
            self._objects.close()
            self._store.close()

    @property
    def idle(self) -> bool:
        """Whether neither a request nor an operation is in progress."""
        return not self.gate.busy and not self.service.creations.running

    async def _start_worker(self, recipe: Recipe) -> AsyncWorker:
        packages = await asyncio.to_thread(self._install, recipe)
        spec = WorkerSpec(
            recipe.model_dir,
            recipe.framework,
            recipe.python,
            packages=packages,
            prediction_class=recipe.prediction_class,
            package_uris=recipe.package_uris,
        )
        return await AsyncWorker.start(spec, log_dir=_made(self._logs / _folder(recipe.key)), parents=self._parents)

    def _install(self, recipe: Recipe) -> tuple[Path, ...]:
        # Again for every worker: it is a look where it was done before, and mends a cache that was emptied.
        return (install(recipe.packages, recipe.python, self._data_dir),) if recipe.packages else ()

    def _warm(self, python: str, framework: str | None) -> None:
        self._parents.warm(python, framework or "SCIKIT_LEARN")

    def _note_runtime(self, key: VersionKey, loaded: Loaded) -> None:
        runtime = {"libraries": dict(loaded.libraries), "class": loaded.class_name}
        self._store.set_runtime(key, runtime)


def _folder(key: VersionKey) -> str:
    # A digest: no path comes from what a request says.
    return hashlib.sha256(f"{key.location}/{key.name}".encode()).hexdigest()[:16]


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
