"""CREATE_VERSION: snapshot model directory and packages, start a worker, load the model: READY or FAILED.

Every step can be repeated, so that the next server simply reruns an operation that a killed server had started.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import shlex
import sqlite3
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, cast

from aip_magics.data_directory import free_server_space_fix, is_disk_full
from aip_magics.errors import AipError, PredictionError, ResourceExhausted, TrustError
from aip_magics.server import descriptors
from aip_magics.server.conventions.error_responses import DISK_FULL
from aip_magics.server.conventions.google_json import timestamp
from aip_magics.server.names import VersionKey
from aip_magics.server.serving.autoscaler import ScalingBounds
from aip_magics.server.serving.node_groups import NodeGroups, NodeSpec
from aip_magics.server.state import serializers, version_packages
from aip_magics.server.state.database import Database, VersionRow
from aip_magics.server.state.installations import Installations
from aip_magics.server.state.model_snapshots import ModelSnapshots, list_model_files
from aip_magics.server.state.operations_table import OperationRow
from aip_magics.server.state.snapshot_keeper import SnapshotKeeper
from aip_magics.server.state.vertex_models_table import VertexVersionRow
from aip_magics.spec import Framework, Status, Version

if TYPE_CHECKING:
    from aip_magics.server.gcs import ObjectStore

log = logging.getLogger(__name__)

# google.rpc.Code
CANCELLED, INVALID_ARGUMENT, RESOURCE_EXHAUSTED, FAILED_PRECONDITION, ABORTED, INTERNAL = 1, 3, 8, 9, 10, 13
ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
LOG_LINES = 30
SPACE_SECONDS = 1.0  # between two looks whether a full disk has space again
NEEDS_TRUST = "needsTrust"  # key of a version's runtime: FAILED because the user has not trusted its files

Stage = Literal["copying", "installing", "loading", "ready"]


class VersionCreator:
    """Runs CREATE_VERSION operations, each as an asyncio task.

    `install` installs the packages of a recipe unless they are installed already (blocking); clients see it as a stage.
    `finish` writes down the end of an operation: the version, READY or FAILED, and the finished row.
    """

    def __init__(
        self,
        database: Database,
        object_store: ObjectStore,
        model_snapshots: ModelSnapshots,
        nodes: NodeGroups,
        clock: Callable[[], datetime],
        install: Callable[[NodeSpec], object],
        installations: Installations,
        finish: Callable[[VersionKey, Version, OperationRow], None],
    ) -> None:
        self._database = database
        self._object_store = object_store
        self._model_snapshots = model_snapshots
        self._nodes = nodes
        self._clock = clock
        self._install = install
        self._installations = installations
        self._finish = finish
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._cancelled: set[int] = set()
        self._failing: set[int] = set()
        self._stages: dict[int, Stage] = {}
        self.snapshots = SnapshotKeeper(database, object_store, model_snapshots)

    @property
    def running(self) -> int:
        """The number of running operations."""
        return len(self._tasks)

    def start(self, operation: OperationRow) -> None:
        """Run an operation in the background. Operation and version are already in the database."""
        task = asyncio.get_running_loop().create_task(self._run(operation))
        self._tasks[operation.number] = task
        self._stages[operation.number] = "copying"
        task.add_done_callback(lambda _: self._forget(operation.number))

    def progress(self, operation: OperationRow) -> Mapping[str, Any] | None:
        """Return the stage of a running operation."""
        stage = self._stages.get(operation.number)
        return {"stage": stage} if stage else None

    async def wait(self, operation: OperationRow, seconds: float) -> None:
        """Wait until the operation is done, at most `seconds`."""
        if task := self._tasks.get(operation.number):
            await asyncio.wait({task}, timeout=seconds)

    def resume(self) -> None:
        """At startup, rerun unfinished operations; those whose version was deleted become ABORTED."""
        for operation in self._database.list_running_operations():
            if self._database.get_version(operation.version_key):
                self.start(operation)
            else:
                error = Status(ABORTED, "The server was restarted while the operation was running.")
                self._database.update_operation(self._build_done_row(operation, error=error))

    def cancel(self, operation: OperationRow) -> None:
        """Cancel the operation; its version becomes FAILED. No effect on a finished operation."""
        task = self._tasks.get(operation.number)
        if task and operation.number not in self._failing:  # recording the failure must not be interrupted
            self._cancelled.add(operation.number)
            task.cancel()

    async def close(self) -> None:
        """Stop all tasks without an outcome: the next server reruns the operations."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def release(self, *rows: VersionRow | VertexVersionRow) -> None:
        """Remove the snapshots and installed packages of versions that no other version uses."""
        names = frozenset[str]().union(*(row.snapshots for row in rows))
        if not names:
            return
        async with self.snapshots.lock:  # a version whose packages are about to be installed has its snapshot
            used = self._database.list_installations()
            for released in {(row.packages, row.python) for row in rows if row.packages}:
                try:
                    await asyncio.to_thread(self._installations.release_packages, released, used)
                except OSError:  # they are removed later, as old ones
                    log.exception("%s: could not remove the installed packages", rows[0].key.name)
            await self.snapshots.remove_unused(names)

    async def _run(self, operation: OperationRow) -> None:
        key = operation.version_key
        try:
            await self._create(operation)
        except asyncio.CancelledError:
            if operation.number not in self._cancelled:
                raise
            await self._fail(operation, Status(CANCELLED, "Create Version was cancelled."))
        except Exception as error:  # noqa: BLE001 (it becomes the error of the operation)
            self._failing.add(operation.number)
            await self._fail(operation, await self._failure_status(key, error))

    async def _failure_status(self, key: VersionKey, error: Exception) -> Status:
        """Build the status of a failed operation; an unexpected error is logged."""
        if descriptors.is_exhausted(error):
            return Status(RESOURCE_EXHAUSTED, f"Create Version failed. {descriptors.exhausted_text()}")
        if is_disk_full(error):
            log.error("%s: the disk is full: %s", key.name, error)
            return _disk_full_status()
        if isinstance(error, TrustError):
            await self._write(lambda: self._database.set_runtime(key, {NEEDS_TRUST: True}))
            return self._trust_status(key, error)
        if isinstance(error, PredictionError):
            return _bad_model_status(error)
        if isinstance(error, AipError):
            code = RESOURCE_EXHAUSTED if isinstance(error, ResourceExhausted) else FAILED_PRECONDITION
            return Status(code, f"Create Version failed. {error.message}")
        log.error("%s: could not create the version", key.name, exc_info=error)
        text = "Internal error encountered; the server's log has the details."
        return Status(INTERNAL, f"Create Version failed. {text}")

    async def _write(self, write: Callable[[], None]) -> None:
        """Write to the database as soon as its disk has space: an operation must not stay unfinished for ever."""
        waiting = False
        while True:
            try:
                return write()
            except sqlite3.Error as error:
                if not is_disk_full(error):
                    raise
                if not waiting:
                    log.error("an operation cannot be finished before there is space on the disk: %s", error)
                waiting = True
            await asyncio.sleep(SPACE_SECONDS)

    def _trust_status(self, key: VersionKey, error: TrustError) -> Status:
        """Build the status of a bad model, with the command that trusts its files: other clients have no `--trust`."""
        row = self._database.get_version(key)
        version = row.version if row else Version()
        packages = (uri for uri in version.packageUris or () if uri.rpartition("/")[2] == error.place)
        uri = next(packages, None) or (version.deploymentUri or "").rstrip("/")
        status = _bad_model_status(error)
        command = f"aip-magics trust {shlex.quote(uri)}"
        text = (
            f"{status.message} If you trust the author of these files, run this and create the version again: {command}"
        )
        return dataclasses.replace(status, message=text)

    def _forget(self, number: int) -> None:
        for numbers in (self._cancelled, self._failing):
            numbers.discard(number)
        self._tasks.pop(number, None)
        self._stages.pop(number, None)

    async def _create(self, operation: OperationRow) -> None:
        row = self._database.get_version(operation.version_key)
        assert row is not None  # versions.delete refuses a version that is CREATING
        row = await self._create_snapshots(row)
        recipe = build_node_spec(row, self._model_snapshots)
        if recipe.packages:
            self._stages[operation.number] = "installing"
            await asyncio.to_thread(self._install, recipe)
        self._stages[operation.number] = "loading"
        loaded = await self._nodes.group(recipe).start()
        framework = row.version.framework
        if (
            framework is None and row.version.predictionClass is None
        ):  # a custom prediction routine has none, even if it imports one
            framework = cast(Framework, loaded.framework)
        ready = row.version.replace(state="READY", framework=framework)
        model = self._database.get_model(row.key.parent)
        is_default = model is not None and model.default_version is None
        shown = serializers.version(VersionRow(row.key, ready, row.python, is_default=is_default))
        self._stages[operation.number] = "ready"
        done = self._build_done_row(operation, response=serializers.response(shown))
        await self._write(lambda: self._finish(row.key, ready, done))
        log.info("%s is READY (%s, %.3f s to load)", row.key.name, loaded.class_name, loaded.load_seconds)

    async def _create_snapshots(self, row: VersionRow) -> VersionRow:
        """Create the snapshots that the row does not have yet; return the row with their names."""
        async with self.snapshots.lock:
            if not row.artifact:
                uri = row.version.deploymentUri or ""
                row = dataclasses.replace(
                    row, artifact=await self.snapshots.create(lambda: list_model_files(self._object_store, uri))
                )
                self._database.set_snapshots(row.key, row.artifact, None)
            if row.version.packageUris and not row.packages:
                version = row.version
                packages = await self.snapshots.create(
                    lambda: version_packages.list_package_files(self._object_store, version)
                )
                row = dataclasses.replace(row, packages=packages)
                self._database.set_snapshots(row.key, row.artifact, row.packages)
            return row

    async def _fail(self, operation: OperationRow, error: Status) -> None:
        key = operation.version_key
        self._failing.add(operation.number)
        await self._nodes.close(key)
        row = self._database.get_version(key)
        assert row is not None
        failed = row.version.replace(state="FAILED", errorMessage=error.message)
        done = self._build_done_row(operation, error=error)

        def finish() -> None:
            with self._database.transaction():  # without its snapshots a rerun would take the files as they are by then
                self._database.set_snapshots(key, None, None)
                self._finish(key, failed, done)

        await self._write(finish)
        await self.release(row)
        log.warning("%s is FAILED: %s", key.name, error.message)

    def _build_done_row(self, row: OperationRow, *, error: Status | None = None, response: Any = None) -> OperationRow:
        assert row.operation.metadata is not None
        metadata = row.operation.metadata.replace(endTime=timestamp(self._clock()))
        if progress := self.progress(row):  # the stage in which a failed operation stopped
            metadata = metadata.replace(other={**(metadata.other or {}), "progress": progress})
        if row.number in self._cancelled:
            metadata = metadata.replace(isCancellationRequested=True)
        done = row.operation.replace(done=True, error=error, response=response, metadata=metadata)
        return OperationRow(row.location, row.project, row.model, row.version, done, row.number)


def build_node_spec(row: VersionRow, model_snapshots: ModelSnapshots) -> NodeSpec:
    """Build the specification of the nodes that serve a version with snapshots."""
    assert row.artifact is not None
    return NodeSpec(
        row.key,
        model_snapshots.path(row.artifact),
        row.version.framework,
        row.python,
        version_packages.list_snapshot_packages(model_snapshots.path(row.packages)) if row.packages else (),
        row.version.predictionClass,
        row.version.packageUris or (),
        ScalingBounds.of(row.version),
    )


def _bad_model_status(error: PredictionError) -> Status:
    """Build the operation's error in the service's words (two spaces after `error:`), with the end of the log."""
    # Every load error is reported as a model that failed to load, except errors in the class of a custom routine.
    reason = f"Failed to load model: {error.detail} (Error code: 0)"
    if error.kind == "INVALID_USER_CODE":
        reason = error.message
    lines = error.log.splitlines()[-LOG_LINES:]
    info: dict[str, Any] = {
        "@type": "type.googleapis.com/google.rpc.DebugInfo",
        "stackEntries": lines,
        "detail": error.detail,
    }
    text = f'Create Version failed. Bad model detected with error:  "{reason}"'
    details = [info] if lines else []
    if error.fix and type(error) is PredictionError:  # not of a lost worker, or of trust, whose message has a command
        details.append(_fix_detail("BAD_MODEL", error.fix))
    return Status(INVALID_ARGUMENT, text, tuple(details) or None)


def _disk_full_status() -> Status:
    details = (_fix_detail("DISK_FULL", free_server_space_fix()),)
    return Status(RESOURCE_EXHAUSTED, f"Create Version failed. {DISK_FULL}", details)


def _fix_detail(reason: str, fix: str) -> dict[str, Any]:
    """Build the detail with a fix, which our clients show as that of the operation; others ignore it."""
    return {"@type": ERROR_INFO, "reason": reason, "domain": "aip-magics", "metadata": {"fix": fix}}
