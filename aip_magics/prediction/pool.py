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

from aip_magics.prediction.launch import Worker, WorkerSpec, start
from aip_magics.prediction.parents import ParentPool

Fingerprint = tuple[tuple[str, int, int], ...]  # name, size, mtime_ns of each file


def fingerprint(directory: Path) -> Fingerprint:
    """What changes when the files of a directory change: their names, sizes and times, sorted."""
    return tuple(sorted(_entries(directory, "")))


def _entries(directory: Path, prefix: str) -> Iterator[tuple[str, int, int]]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _entries(Path(entry.path), f"{prefix}{entry.name}/")
            else:
                with contextlib.suppress(FileNotFoundError):  # removed meanwhile, or a link to nowhere
                    status = entry.stat()
                    yield f"{prefix}{entry.name}", status.st_size, status.st_mtime_ns


def memory_of(pid: int) -> int:
    """The bytes of memory a process adds: pages it shares with others (its parent's framework) count in parts.

    0 where the system does not tell.
    """
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            return sum(int(line.split()[1]) * 1024 for line in file if line.startswith("Pss:"))
    except (OSError, ValueError):
        return 0


@dataclasses.dataclass
class _Place:
    """Where the worker for one spec is kept. `lock` is held while it is made or asked; a `retired` one is not used."""

    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)
    worker: Worker | None = None
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
    """

    def __init__(
        self,
        *,
        limit: int = 4,
        idle_seconds: float = 600.0,
        memory: int = 4 << 30,
        parents: ParentPool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit
        self._idle_seconds = idle_seconds
        self._memory = memory
        self._clock = clock
        self._own_parents = parents is None
        self.parents = parents or ParentPool()
        self._new()
        _pools.add(self)

    def _new(self) -> None:
        self._lock = threading.Lock()
        self._places: dict[WorkerSpec, _Place] = {}  # the least recently used first
        self._timer: threading.Timer | None = None
        self._logs: Path | None = None

    def predict(self, spec: WorkerSpec, body: bytes, deadline: float = 60.0) -> bytes:
        """The response's body for a request's body, by a warm worker where there is one.

        `deadline` counts for loading and for predicting each. Errors as `Worker.load` and `Worker.predict`.
        """
        spec = dataclasses.replace(spec, model_dir=spec.model_dir.resolve())
        while True:
            place = self._place(spec)
            with place.lock:
                if not place.retired:  # while we waited for it
                    return self._predict(place, spec, body, deadline)

    def _predict(self, place: _Place, spec: WorkerSpec, body: bytes, deadline: float) -> bytes:
        before = place.worker
        try:
            return self._ready(place, spec, deadline).predict(body, deadline)
        finally:
            place.used = self._clock()
            if place.worker is not before:
                self._make_room(spec)

    def worker(self, spec: WorkerSpec) -> Worker | None:
        """The warm worker that holds this, if there is one."""
        wanted = dataclasses.replace(spec, model_dir=spec.model_dir.resolve())
        return next((worker for worker in self.workers() if worker.spec == wanted), None)

    def workers(self) -> list[Worker]:
        """The warm workers, the least recently used first."""
        with self._lock:
            return [place.worker for place in self._places.values() if place.worker is not None]

    def sweep(self) -> None:
        """End what was idle too long, or holds too much memory by now. Runs by itself."""
        for spec, place in list(self._places.items()):
            if self._clock() - place.used >= self._idle_seconds:
                self._retire(spec, place)
        self._make_room(None)
        with self._lock:
            self._timer = None
            if self._places:
                self._watch()

    def close(self) -> None:
        """End all workers, and the parents if they are this pool's own."""
        with self._lock:
            places, self._places = list(self._places.values()), {}
            timer, self._timer = self._timer, None
            logs, self._logs = self._logs, None
        if timer is not None:
            timer.cancel()
        for place in places:
            place.end()
        if self._own_parents:
            self.parents.close()
        if logs is not None:
            shutil.rmtree(logs, ignore_errors=True)

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _place(self, spec: WorkerSpec) -> _Place:
        with self._lock:
            place = self._places.pop(spec, None) or _Place()
            self._places[spec] = place
            place.used = self._clock()
            surplus = [self._places.pop(key) for key in self._surplus(spec)]
            if self._timer is None:
                self._watch()
        for old in surplus:
            with old.lock:
                old.retired = True
                old.end()
        return place

    def _surplus(self, wanted: WorkerSpec) -> list[WorkerSpec]:
        others = [key for key, place in self._places.items() if key != wanted and not place.lock.locked()]
        return others[: max(len(self._places) - self._limit, 0)]

    def _retire(self, spec: WorkerSpec, place: _Place) -> bool:
        """End a worker, unless it is busy."""
        if not place.lock.acquire(blocking=False):
            return False
        try:
            with self._lock:
                if self._places.get(spec) is place:
                    del self._places[spec]
            place.retired = True
            place.end()
        finally:
            place.lock.release()
        return True

    def _make_room(self, kept: WorkerSpec | None) -> None:
        """End the least recently used workers until all hold at most `memory` bytes. Measured only where it changes."""
        with self._lock:
            places = list(self._places.items())
        sizes = {spec: memory_of(worker.pid) for spec, place in places if (worker := place.worker) is not None}
        total = sum(sizes.values())
        for spec, place in places:
            if total > self._memory and spec != kept and spec in sizes and self._retire(spec, place):
                total -= sizes[spec]

    def _ready(self, place: _Place, spec: WorkerSpec, deadline: float) -> Worker:
        files = fingerprint(spec.model_dir) if spec.model_dir.is_dir() else ()
        if place.worker is not None and (place.files != files or not place.worker.alive()):
            place.end()
        if place.worker is None:
            worker = start(spec, log_dir=self._log_dir(), parents=self.parents)
            try:
                worker.load(deadline)
            except BaseException:
                worker.close()
                raise
            place.worker, place.files = worker, files
        return place.worker

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
