"""The parts put together: from a data directory to one ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import weakref
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path

from starlette.routing import Router

from aip_magics.prediction import AsyncWorker, Loaded, ParentPool, WorkerSpec
from aip_magics.prediction.packages import install
from aip_magics.server.api import routes
from aip_magics.server.context import AppContext
from aip_magics.server.gate import Gate
from aip_magics.server.gcs import ObjectStore
from aip_magics.server.gcs import routes as object_routes
from aip_magics.server.last_use import LastUse
from aip_magics.server.names import VersionKey
from aip_magics.server.nodes import Nodes, Recipe
from aip_magics.server.serving.journals import Journals
from aip_magics.server.serving.scaling import IDLE_SECONDS
from aip_magics.server.state.database import Database
from aip_magics.server.state.model_snapshots import ModelSnapshots
from aip_magics.server.version_creation import VersionCreator
from aip_magics.trust import trust_in


@dataclasses.dataclass(frozen=True)
class Serving:
    """How versions are served: on how many processors, `idle_seconds` until their nodes are ended, merged or not."""

    cores: int = 1
    idle_seconds: float = IDLE_SECONDS
    merge: bool = False


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
        serving: Serving,
    ) -> None:
        self._parents = ParentPool()
        self._workers: weakref.WeakSet[AsyncWorker] = weakref.WeakSet()
        self._data_dir = data_dir
        self._store = Database(data_dir / "service.sqlite")
        self._objects = ObjectStore(data_dir, clock)
        copies = ModelSnapshots(data_dir / "artifacts")
        copies.keep_only(self._store.list_snapshots())
        journals = Journals(data_dir / "logs", clock)
        journals.keep_only(self._store.list_version_keys())
        nodes = Nodes(
            self._start_worker,
            self._note_runtime,
            journals=journals,
            on_closed=self._forget_gone,
            cores=serving.cores,
            idle_seconds=serving.idle_seconds,
            merge=serving.merge,
        )
        creations = VersionCreator(self._store, self._objects, copies, nodes, clock, self._install)
        self.service = AppContext(
            self._store,
            self._objects,
            copies,
            nodes,
            creations,
            LastUse(self._store, clock),
            journals,
            clock=clock,
            python=python,
            version=version,
            pid=os.getpid(),
            warm=self._warm,
            stop=stop,
        )
        router = Router(
            [*routes.routes(), *object_routes(self._objects)], redirect_slashes=False, default=routes.nowhere
        )
        self.gate = Gate(router, self.service, token)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Between the start and the end of serving: unfinished operations go on, at the end all workers are gone."""
        self.service.version_creator.resume()
        try:
            yield
        finally:
            await self.service.version_creator.close()
            await self.service.nodes.close_all()
            self.service.last_use.write()
            self.service.journals.flush()
            await asyncio.to_thread(self._parents.close)
            self._objects.close()
            self._store.close()

    @property
    def idle(self) -> bool:
        """Whether neither a request nor an operation is in progress."""
        return not self.gate.busy and not self.service.version_creator.running

    async def _start_worker(self, recipe: Recipe) -> AsyncWorker:
        packages = await asyncio.to_thread(self._install, recipe)
        trusted, modules = await asyncio.to_thread(self._trust, recipe)
        spec = WorkerSpec(
            recipe.model_dir,
            recipe.framework,
            recipe.python,
            threads=self.service.nodes.threads(recipe),
            packages=packages,
            prediction_class=recipe.prediction_class,
            package_uris=recipe.package_uris,
            trusted=trusted,
            trusted_modules=modules,
        )
        journals = self.service.journals.of(recipe.key)
        journals.prune({worker.log for worker in self._workers if worker.alive})
        worker = await AsyncWorker.start(spec, log_dir=journals.folder, parents=self._parents)
        self._workers.add(worker)
        return worker

    def _trust(self, recipe: Recipe) -> tuple[bool, tuple[str, ...]]:
        # Anew for every worker: consent may have come since. Whoever asked for the version has no say in it.
        trust = trust_in(self._data_dir)
        modules = tuple(sorted(trust.modules))
        if not trust.files:
            return False, modules
        from aip_magics.deploy import trust_store  # with all rules: not before a model of somebody was trusted

        return trust_store.load_trust(trust, recipe.model_dir, recipe.framework, recipe.prediction_class), modules

    def _install(self, recipe: Recipe) -> tuple[Path, ...]:
        # Again for every worker: it is a look where it was done before, and mends a cache that was emptied.
        if not recipe.packages:
            return ()
        return (install(recipe.packages, recipe.python, self._data_dir, trusted=trust_in(self._data_dir).files),)

    def _warm(self, python: str, framework: str | None) -> None:
        self._parents.warm(python, framework or "SCIKIT_LEARN")

    def _note_runtime(self, key: VersionKey, loaded: Loaded) -> None:
        protection = dict(loaded.protection)
        runtime = {"libraries": dict(loaded.libraries), "class": loaded.class_name, "protection": protection}
        self._store.set_runtime(key, runtime)

    def _forget_gone(self, key: VersionKey) -> None:
        if self._store.get_version(key) is None:
            self.service.journals.remove(key)
