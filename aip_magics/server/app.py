"""The parts put together: from a data directory to one ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import math
import os
import sqlite3
import weakref
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path

from starlette.routing import Router

from aip_magics.data_directory import is_disk_full
from aip_magics.prediction import AsyncWorkerClient, ForkServerPool, LoadedModel, WorkerSpec
from aip_magics.prediction.environments import is_environment
from aip_magics.prediction.packages import install
from aip_magics.server import descriptors
from aip_magics.server.api import routes
from aip_magics.server.context import AppContext
from aip_magics.server.conventions.google_json import timestamp
from aip_magics.server.gcs import ObjectStore
from aip_magics.server.gcs import routes as object_routes
from aip_magics.server.middleware import AccessMiddleware
from aip_magics.server.names import VersionKey
from aip_magics.server.predict_app import PredictApp
from aip_magics.server.serving import memory
from aip_magics.server.serving.autoscaler import IDLE_SECONDS
from aip_magics.server.serving.node_budget import Amounts, NodeBudget
from aip_magics.server.serving.node_groups import NodeGroups, NodeSpec
from aip_magics.server.serving.request_logs import TRIM_SECONDS, RequestLogs
from aip_magics.server.state.database import Database
from aip_magics.server.state.installations import Installations
from aip_magics.server.state.last_use_times import LastUseTimes
from aip_magics.server.state.model_snapshots import ModelSnapshots
from aip_magics.server.state.operations_table import OperationRow
from aip_magics.server.version_creation import VersionCreator
from aip_magics.server.vertex import deployment_end
from aip_magics.server.vertex import routes as vertex_routes
from aip_magics.server.vertex.names import is_vertex
from aip_magics.spec import Version
from aip_magics.trust import trust_in

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Serving:
    """How versions are served: on how many processors, how long without requests, with requests batched or not.

    `memory_bytes` and `descriptors` limit what all nodes use together; None: no limit.
    """

    cores: int = 1
    idle_seconds: float = IDLE_SECONDS
    batching: bool = False
    memory_bytes: int | None = None
    descriptors: int | None = None

    def budget(self, clock: Callable[[], datetime]) -> NodeBudget:
        """The budget of the nodes of all versions."""
        limits = [math.inf if limit is None else limit for limit in (self.memory_bytes, self.descriptors)]
        return NodeBudget(
            Amounts(*limits),
            start_descriptors=descriptors.START_DESCRIPTORS,
            node_descriptors=descriptors.NODE_DESCRIPTORS,
            measure=memory.measure,
            clock=clock,
        )


class App:
    """The parts of a server. `asgi` is the ASGI application; `running` owns the databases and every worker."""

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
        self._fork_servers = ForkServerPool()
        self._workers: weakref.WeakSet[AsyncWorkerClient] = weakref.WeakSet()
        self._trimming: asyncio.TimerHandle | None = None
        self._data_dir = data_dir
        self._store = Database(data_dir / "service.sqlite")
        self._store.prune_operations(timestamp(clock()))
        self._objects = ObjectStore(data_dir, clock)
        copies = ModelSnapshots(data_dir / "artifacts")
        copies.keep_only(self._store.list_snapshots())
        request_logs = RequestLogs(data_dir / "logs", clock)
        request_logs.keep_only(self._store.list_version_keys())
        nodes = NodeGroups(
            self._start_worker,
            self._note_runtime,
            on_closed=self._forget_gone,
            budget=serving.budget(clock),
            cores=serving.cores,
            idle_seconds=serving.idle_seconds,
            batching=serving.batching,
        )
        creations = VersionCreator(
            self._store,
            self._objects,
            copies,
            nodes,
            clock,
            self._install,
            Installations(data_dir, copies.path("")),
            self._finish_version,
        )
        self.service = AppContext(
            self._store,
            self._objects,
            copies,
            nodes,
            creations,
            LastUseTimes(self._store, clock),
            request_logs,
            clock=clock,
            python=python,
            version=version,
            pid=os.getpid(),
            warm=self._warm,
            stop=stop,
        )
        apis = [*routes.routes(), *vertex_routes.routes(), *routes.unknown_routes(), *object_routes(self._objects)]
        router = Router(apis, redirect_slashes=False, default=routes.nowhere)
        self.asgi = AccessMiddleware(PredictApp(router, self.service), self.service, token)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Between the start and the end of serving: unfinished operations go on, at the end all workers are gone."""
        self.service.version_creator.resume()
        cleaning = asyncio.create_task(self._remove_old_installations())
        try:
            yield
        finally:
            await cleaning
            await self.service.version_creator.close()
            await self.service.nodes.close_all()
            self.service.last_use.write()
            self.service.request_logs.flush()
            await asyncio.to_thread(self._fork_servers.close)
            self._objects.close()
            self._store.close()

    @property
    def idle(self) -> bool:
        """Whether neither a request nor an operation is in progress."""
        return not self.asgi.busy and not self.service.version_creator.running

    async def _remove_old_installations(self) -> None:
        installations = Installations(self._data_dir, self.service.model_snapshots.path(""))
        try:
            await asyncio.to_thread(installations.remove_old, self._store.list_installations())
        except OSError:
            log.exception("could not remove old packages and environments")

    async def _start_worker(self, node_spec: NodeSpec) -> AsyncWorkerClient:
        packages = await asyncio.to_thread(self._install, node_spec)
        trusted, modules = await asyncio.to_thread(self._trust, node_spec)
        spec = WorkerSpec(
            node_spec.model_dir,
            node_spec.framework,
            node_spec.python,
            threads=self.service.nodes.threads(node_spec),
            packages=packages,
            prediction_class=node_spec.prediction_class,
            package_uris=node_spec.package_uris,
            trusted=trusted,
            trusted_modules=modules,
        )
        version_logs = self.service.request_logs.of(node_spec.key)
        version_logs.prune({worker.log for worker in self._workers if worker.alive})
        worker = await AsyncWorkerClient.start(spec, log_dir=version_logs.folder, fork_servers=self._fork_servers)
        self._workers.add(worker)
        if self._trimming is None:
            self._trimming = asyncio.get_running_loop().call_later(TRIM_SECONDS, self._trim_logs)
        return worker

    def _trim_logs(self) -> None:
        """Keep the logs of nodes within bounds, as long as there are nodes."""
        self._trimming = None
        if any(worker.alive for worker in self._workers):
            self.service.request_logs.trim()
            self._trimming = asyncio.get_running_loop().call_later(TRIM_SECONDS, self._trim_logs)

    def _trust(self, node_spec: NodeSpec) -> tuple[bool, tuple[str, ...]]:
        # For every worker again: the user may have granted trust since. The client that created the version cannot.
        trust = trust_in(self._data_dir)
        modules = tuple(sorted(trust.modules))
        if not trust.files:
            return False, modules
        from aip_magics.deploy import trust_store  # imports all rules, so only once a model is trusted

        return trust_store.load_trust(
            trust, node_spec.model_dir, node_spec.framework, node_spec.prediction_class
        ), modules

    def _install(self, node_spec: NodeSpec) -> tuple[Path, ...]:
        # For every worker again: cheap if it is cached, and rebuilds a cache that was emptied.
        if not node_spec.packages:
            return ()
        package_dir = install(
            node_spec.packages,
            node_spec.python,
            self._data_dir,
            trusted=trust_in(self._data_dir).files,
            with_requirements=is_environment(node_spec.python, self._data_dir),
        )
        return (package_dir,)

    def _finish_version(self, key: VersionKey, version: Version, operation: OperationRow) -> None:
        if is_vertex(key):
            deployment_end.finish(self._store, self.service.clock, key, version, operation)
            self._forget_gone(key)
        else:
            self._store.finish_version(key, version, operation)

    def _warm(self, python: str, framework: str | None) -> None:
        self._fork_servers.preload(python, framework or "SCIKIT_LEARN")

    def _note_runtime(self, key: VersionKey, loaded: LoadedModel) -> None:
        protection = dict(loaded.protection)
        runtime = {"libraries": dict(loaded.libraries), "class": loaded.class_name, "protection": protection}
        try:
            self._store.set_runtime(key, runtime)
        except sqlite3.Error as error:
            if not is_disk_full(error):  # a full disk must not keep a node from serving
                raise

    def _forget_gone(self, key: VersionKey) -> None:
        if self._store.get_version(key) is None:
            self.service.request_logs.remove(key)
