"""CREATE_VERSION: copy model directory and packages, start a worker, load the model; the version ends READY or FAILED.

Every step can be done again, so that an operation which a killed server had begun is simply run once more by the next.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import shlex
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, cast

from aip_magics.errors import AipError, PredictionError, TrustError
from aip_magics.server.conventions.google_json import timestamp
from aip_magics.server.names import VersionKey
from aip_magics.server.serving.autoscaler import ScalingBounds
from aip_magics.server.serving.node_groups import NodeGroups, NodeSpec
from aip_magics.server.state import serializers, version_packages
from aip_magics.server.state.database import Database, OperationRow, VersionRow
from aip_magics.server.state.model_snapshots import Files, ModelSnapshots, list_model_files
from aip_magics.spec import Framework, Status, Version

if TYPE_CHECKING:
    from aip_magics.server.gcs import ObjectStore

log = logging.getLogger(__name__)

CANCELLED, INVALID_ARGUMENT, FAILED_PRECONDITION, ABORTED, INTERNAL = 1, 3, 9, 10, 13  # google.rpc.Code
LOG_LINES = 30
COPY_ATTEMPTS = 3
NEEDS_TRUST = "needsTrust"  # of a version's runtime: it is FAILED because nobody consented to what it runs

Stage = Literal["copying", "installing", "loading", "ready"]


class VersionCreator:
    """The running CREATE_VERSION operations, each an asyncio task.

    `install` puts a recipe's packages in place, blocking, where that has not been done: a stage of its own to callers.
    """

    def __init__(
        self,
        store: Database,
        objects: ObjectStore,
        copies: ModelSnapshots,
        nodes: NodeGroups,
        clock: Callable[[], datetime],
        install: Callable[[NodeSpec], object],
    ) -> None:
        self._store = store
        self._objects = objects
        self._copies = copies
        self._nodes = nodes
        self._clock = clock
        self._install = install
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._cancelled: set[int] = set()
        self._failing: set[int] = set()
        self._stages: dict[int, Stage] = {}
        self._copying = asyncio.Lock()  # a copy must not be removed between being made and being written down

    @property
    def running(self) -> int:
        return len(self._tasks)

    def begin(self, operation: OperationRow) -> None:
        """Run the operation in the background. It is in the store already, as is its version."""
        task = asyncio.get_running_loop().create_task(self._run(operation))
        self._tasks[operation.number] = task
        self._stages[operation.number] = "copying"
        task.add_done_callback(lambda _: self._forget(operation.number))

    def progress(self, operation: OperationRow) -> Mapping[str, Any] | None:
        """Where an operation that runs has got to."""
        stage = self._stages.get(operation.number)
        return {"stage": stage} if stage else None

    async def settled(self, operation: OperationRow, seconds: float) -> None:
        """Wait until the operation is done, but not longer than this."""
        if task := self._tasks.get(operation.number):
            await asyncio.wait({task}, timeout=seconds)

    def resume(self) -> None:
        """At start: what an earlier server had begun is done again, or ABORTED where its version is gone."""
        for operation in self._store.running_operations():
            if self._store.version(operation.version_key):
                self.begin(operation)
            else:
                error = Status(ABORTED, "The server was restarted while the operation ran.")
                self._store.update_operation(self._done(operation, error=error))

    def cancel(self, operation: OperationRow) -> None:
        """Ask the operation to stop; its version becomes FAILED. Nothing happens when it is done."""
        task = self._tasks.get(operation.number)
        if task and operation.number not in self._failing:  # what writes the failure down must not be cut off
            self._cancelled.add(operation.number)
            task.cancel()

    async def close(self) -> None:
        """Stop without an outcome: the next server runs the operations again."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def release(self, row: VersionRow) -> None:
        """Remove those copies of a version that no other needs any more."""
        if row.copies:
            async with self._copying:
                for name in row.copies - self._store.copies():
                    await asyncio.to_thread(self._copies.remove, name)

    async def _run(self, operation: OperationRow) -> None:
        key = operation.version_key
        try:
            await self._create(operation)
        except asyncio.CancelledError:
            if operation.number not in self._cancelled:
                raise
            await self._fail(operation, Status(CANCELLED, "Create Version was cancelled."))
        except TrustError as error:
            await self._fail(operation, self._distrusted(key, error))
        except PredictionError as error:
            await self._fail(operation, _bad_model(error))
        except AipError as error:
            await self._fail(operation, Status(FAILED_PRECONDITION, f"Create Version failed. {error.message}"))
        except Exception:
            log.exception("%s: creating the version failed", key.name)
            text = "Create Version failed. Internal error encountered; the server's log has the details."
            await self._fail(operation, Status(INTERNAL, text))

    def _distrusted(self, key: VersionKey, error: TrustError) -> Status:
        """As a bad model, with the line that consents. No client but ours can say `--trust`."""
        self._store.set_runtime(key, {NEEDS_TRUST: True})
        row = self._store.version(key)
        version = row.version if row else Version()
        packages = (uri for uri in version.packageUris or () if uri.rpartition("/")[2] == error.place)
        place = next(packages, None) or (version.deploymentUri or "").rstrip("/")
        status = _bad_model(error)
        line = f"aip-magics trust {shlex.quote(place)}"
        text = f"{status.message} If you trust whoever made it, run this and create the version again: {line}"
        return dataclasses.replace(status, message=text)

    def _forget(self, number: int) -> None:
        for kept in (self._cancelled, self._failing):
            kept.discard(number)
        self._tasks.pop(number, None)
        self._stages.pop(number, None)

    async def _create(self, operation: OperationRow) -> None:
        row = self._store.version(operation.version_key)
        assert row is not None  # versions.delete refuses a version that is CREATING
        row = await self._copy(row)
        made = node_spec_of(row, self._copies)
        if made.packages:
            self._stages[operation.number] = "installing"
            await asyncio.to_thread(self._install, made)
        self._stages[operation.number] = "loading"
        loaded = await self._nodes.group(made).start()
        framework = row.version.framework
        if framework is None and row.version.predictionClass is None:  # a routine has none, whatever it imports
            framework = cast(Framework, loaded.framework)
        ready = row.version.replace(state="READY", framework=framework)
        first = self._store.model(row.key.parent)
        is_default = first is not None and first.default_version is None
        shown = serializers.version(VersionRow(row.key, ready, row.python, is_default=is_default))
        self._stages[operation.number] = "ready"
        self._store.finish_version(row.key, ready, self._done(operation, response=serializers.response(shown)))
        log.info("%s is READY (%s, %.3f s to load)", row.key.name, loaded.class_name, loaded.load_seconds)

    async def _copy(self, row: VersionRow) -> VersionRow:
        """The row with its copies made, as far as an earlier server has not made them."""
        async with self._copying:
            if not row.artifact:
                uri = row.version.deploymentUri or ""
                row = dataclasses.replace(
                    row, artifact=await self._copied(lambda: list_model_files(self._objects, uri))
                )
                self._store.set_copies(row.key, row.artifact, None)
            if row.version.packageUris and not row.packages:
                version = row.version
                found = await self._copied(lambda: version_packages.files_of(self._objects, version))
                row = dataclasses.replace(row, packages=found)
                self._store.set_copies(row.key, row.artifact, row.packages)
            return row

    async def _copied(self, find: Callable[[], Files]) -> str:
        for attempt in range(COPY_ATTEMPTS):
            files = await asyncio.to_thread(find)
            try:
                return await asyncio.to_thread(self._copies.make, self._objects, files)
            except FileNotFoundError:  # an object was replaced after it was listed
                if attempt + 1 == COPY_ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    async def _fail(self, operation: OperationRow, error: Status) -> None:
        key = operation.version_key
        self._failing.add(operation.number)
        await self._nodes.close(key)
        row = self._store.version(key)
        assert row is not None
        failed = row.version.replace(state="FAILED", errorMessage=error.message)
        self._store.set_copies(key, None, None)
        self._store.finish_version(key, failed, self._done(operation, error=error))
        await self.release(row)
        log.warning("%s is FAILED: %s", key.name, error.message)

    def _done(self, row: OperationRow, *, error: Status | None = None, response: Any = None) -> OperationRow:
        assert row.operation.metadata is not None
        metadata = row.operation.metadata.replace(endTime=timestamp(self._clock()))
        if progress := self.progress(row):  # of one that failed: where
            metadata = metadata.replace(other={"progress": progress})
        if row.number in self._cancelled:
            metadata = metadata.replace(isCancellationRequested=True)
        done = row.operation.replace(done=True, error=error, response=response, metadata=metadata)
        return OperationRow(row.location, row.project, row.model, row.version, done, row.number)


def node_spec_of(row: VersionRow, copies: ModelSnapshots) -> NodeSpec:
    """What serves a version whose files are copied."""
    assert row.artifact is not None
    return NodeSpec(
        row.key,
        copies.path(row.artifact),
        row.version.framework,
        row.python,
        version_packages.in_copy(copies.path(row.packages)) if row.packages else (),
        row.version.predictionClass,
        row.version.packageUris or (),
        ScalingBounds.of(row.version),
    )


def _bad_model(error: PredictionError) -> Status:
    """The error of the operation as the service worded it (two blanks after `error:`), with the end of the log."""
    # Whatever ends a load is a model that failed to load, but for what the service says of a routine's class.
    reason = f"Failed to load model: {error.detail} (Error code: 0)"
    if error.kind == "INVALID_USER_CODE":
        reason = error.message
    lines = error.log.splitlines()[-LOG_LINES:]
    info = {"@type": "type.googleapis.com/google.rpc.DebugInfo", "stackEntries": lines, "detail": error.detail}
    text = f'Create Version failed. Bad model detected with error:  "{reason}"'
    return Status(INVALID_ARGUMENT, text, (info,) if lines else None)
