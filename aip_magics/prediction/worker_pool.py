"""Warm workers of one process: a model stays loaded between calls, until its files change or it is idle too long."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import os
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

from aip_magics.prediction.fork_server_pool import ForkServerPool
from aip_magics.prediction.process_memory import memory_of
from aip_magics.prediction.worker_client import WorkerClient, start
from aip_magics.prediction.worker_spec import WorkerSpec

# Name, size, mtime_ns, ctime_ns (which cannot be set back) and inode of each file.
Fingerprint = tuple[tuple[str, int, int, int, int], ...]


def fingerprint(directory: Path) -> Fingerprint:
    """What changes when the files of a directory change: their names, sizes, times and inodes, sorted."""
    return tuple(sorted(_entries(directory, "")))


def _entries(directory: Path, prefix: str) -> Iterator[tuple[str, int, int, int, int]]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _entries(Path(entry.path), f"{prefix}{entry.name}/")
            else:
                with contextlib.suppress(FileNotFoundError):  # removed since the listing, or a broken link
                    # Not entry.stat(): on Windows it knows no inode.
                    status = os.stat(entry.path)
                    times = status.st_mtime_ns, status.st_ctime_ns
                    yield f"{prefix}{entry.name}", status.st_size, *times, status.st_ino


@dataclasses.dataclass
class _PoolSlot:
    """A slot of the pool: the worker for one spec. `lock` is held for starting and asking it; `retired`: not used."""

    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)
    worker: WorkerClient | None = None
    files: Fingerprint = ()
    used: float = 0.0
    retired: bool = False

    def end(self) -> None:
        worker, self.worker = self.worker, None
        if worker is not None:
            worker.close()


class WorkerPool:
    """At most `limit` warm workers, each ended after `idle_seconds` without a request. Thread-safe.

    The least recently used one makes room, also when all together hold more than `memory` bytes, as far as the system
    tells; the one that was just loaded stays. One whose files changed, or that died, is replaced. Closed at exit; a
    fork of this process starts with an empty pool. `clock` tells seconds.

    All workers started at `created_ns` (nanoseconds since the epoch) or later; `environ` is the environment of then.
    """

    def __init__(
        self,
        *,
        limit: int = 4,
        idle_seconds: float = 600.0,
        memory: int = 4 << 30,
        fork_servers: ForkServerPool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit
        self._idle_seconds = idle_seconds
        self._memory = memory
        self._clock = clock
        self._owns_fork_servers = fork_servers is None
        self.fork_servers = fork_servers or ForkServerPool()
        self._new()
        _pools.add(self)

    def _new(self) -> None:
        self._lock = threading.Lock()
        self._slots: dict[WorkerSpec, _PoolSlot] = {}  # the least recently used first
        self._timer: threading.Timer | None = None
        self._logs: Path | None = None
        self.created_ns = time.time_ns()
        self.environ = dict(os.environ)

    def predict(self, spec: WorkerSpec, body: bytes, deadline: float = 60.0) -> bytes:
        """The response's body for a request's body, by a warm worker where there is one.

        `deadline` counts for loading and for predicting each. Errors as `WorkerClient.load` and `WorkerClient.predict`.
        """
        spec = dataclasses.replace(spec, model_dir=spec.model_dir.resolve())
        while True:
            slot = self._slot(spec)
            with slot.lock:
                if not slot.retired:  # while we waited for it
                    return self._predict(slot, spec, body, deadline)

    def _predict(self, slot: _PoolSlot, spec: WorkerSpec, body: bytes, deadline: float) -> bytes:
        before = slot.worker
        try:
            return self._ready(slot, spec, deadline).predict(body, deadline)
        finally:
            slot.used = self._clock()
            if slot.worker is not before:
                self._make_room(spec)

    def worker(self, spec: WorkerSpec) -> WorkerClient | None:
        """The warm worker that holds this, if there is one."""
        wanted = dataclasses.replace(spec, model_dir=spec.model_dir.resolve())
        return next((worker for worker in self.workers() if worker.spec == wanted), None)

    def workers(self) -> list[WorkerClient]:
        """The warm workers, the least recently used first."""
        with self._lock:
            return [slot.worker for slot in self._slots.values() if slot.worker is not None]

    def sweep(self) -> None:
        """End what was idle too long, or holds too much memory by now. Runs by itself."""
        for spec, slot in list(self._slots.items()):
            if self._clock() - slot.used >= self._idle_seconds:
                self._retire(spec, slot)
        self._make_room(None)
        with self._lock:
            self._timer = None
            if self._slots:
                self._watch()

    def close(self) -> None:
        """End all workers, and the fork servers if they are this pool's own."""
        with self._lock:
            slots, self._slots = list(self._slots.values()), {}
            timer, self._timer = self._timer, None
            logs, self._logs = self._logs, None
        if timer is not None:
            timer.cancel()
        for slot in slots:
            slot.end()
        if self._owns_fork_servers:
            self.fork_servers.close()
        if logs is not None:
            shutil.rmtree(logs, ignore_errors=True)

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _slot(self, spec: WorkerSpec) -> _PoolSlot:
        with self._lock:
            slot = self._slots.pop(spec, None) or _PoolSlot()
            self._slots[spec] = slot
            slot.used = self._clock()
            surplus = [self._slots.pop(key) for key in self._surplus(spec)]
            if self._timer is None:
                self._watch()
        for old in surplus:
            with old.lock:
                old.retired = True
                old.end()
        return slot

    def _surplus(self, wanted: WorkerSpec) -> list[WorkerSpec]:
        others = [key for key, slot in self._slots.items() if key != wanted and not slot.lock.locked()]
        return others[: max(len(self._slots) - self._limit, 0)]

    def _retire(self, spec: WorkerSpec, slot: _PoolSlot) -> bool:
        """End a worker, unless it is busy."""
        if not slot.lock.acquire(blocking=False):
            return False
        try:
            with self._lock:
                if self._slots.get(spec) is slot:
                    del self._slots[spec]
            slot.retired = True
            slot.end()
        finally:
            slot.lock.release()
        return True

    def _make_room(self, kept: WorkerSpec | None) -> None:
        """End the least recently used workers until all hold at most `memory` bytes. Measured only where it changes."""
        with self._lock:
            slots = list(self._slots.items())
        sizes = {spec: memory_of(worker.pid) for spec, slot in slots if (worker := slot.worker) is not None}
        total = sum(sizes.values())
        for spec, slot in slots:
            if total > self._memory and spec != kept and spec in sizes and self._retire(spec, slot):
                total -= sizes[spec]

    def _ready(self, slot: _PoolSlot, spec: WorkerSpec, deadline: float) -> WorkerClient:
        files = fingerprint(spec.model_dir) if spec.model_dir.is_dir() else ()
        if slot.worker is not None and (slot.files != files or not slot.worker.alive()):
            slot.end()
        if slot.worker is None:
            worker = start(spec, log_dir=self._log_dir(), fork_servers=self.fork_servers)
            try:
                worker.load(deadline)
            except BaseException:
                worker.close()
                raise
            slot.worker, slot.files = worker, files
        return slot.worker

    def _log_dir(self) -> Path:
        with self._lock:
            if self._logs is None:
                self._logs = Path(tempfile.mkdtemp(prefix="aip-logs-"))
                weakref.finalize(self, _remove, self._logs, os.getpid())
            return self._logs

    def _watch(self) -> None:
        self._timer = threading.Timer(self._idle_seconds, _sweep, [weakref.ref(self)])
        self._timer.daemon = True
        self._timer.start()

    def _drop(self) -> None:
        # In a fork of this process: workers, locks and the timer's thread are the parent's.
        self._new()


def _remove(directory: Path, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(directory, ignore_errors=True)


def _sweep(pool: weakref.ref[WorkerPool]) -> None:
    if (alive := pool()) is not None:
        alive.sweep()


_pools: weakref.WeakSet[WorkerPool] = weakref.WeakSet()
_shared: list[WorkerPool] = []


def shared() -> WorkerPool:
    """The pool of this process, made when it is first asked for."""
    if not _shared:
        _shared.append(WorkerPool())
    return _shared[0]


def _close_all() -> None:
    for pool in list(_pools):
        pool.close()


def _after_fork() -> None:
    for pool in list(_pools):
        pool._drop()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
