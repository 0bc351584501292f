"""Predict with a model that is loaded in a worker process, never here.

::

    local_predict ─► WorkerPool (warm workers) ─► start ─► Worker ─┐   forked from a ParentPool's preloaded parent,
    the server ────────────────────────────────► AsyncWorker ──────┤   or spawned
                                                                   └─► worker/  (its own process, any Python)

A worker gets the environment variables that an interpreter needs, and no others (`surroundings`). On Linux it gives up
files, network and processes before it opens anything of a model (`worker/confinement`); `Loaded.protection` says what
holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aip_magics.lazy_imports import lazy_getattr

if TYPE_CHECKING:
    from aip_magics.prediction.aio import AsyncWorker
    from aip_magics.prediction.launch import Loaded, Worker, WorkerSpec, start
    from aip_magics.prediction.local import local_predict, preload, worker_spec
    from aip_magics.prediction.parents import ParentPool
    from aip_magics.prediction.pool import WorkerPool

__all__ = [
    "AsyncWorker",
    "Loaded",
    "ParentPool",
    "Worker",
    "WorkerPool",
    "WorkerSpec",
    "local_predict",
    "preload",
    "start",
    "worker_spec",
]  # fmt: skip

# asyncio, subprocess and socket cost more than the whole of `%load_ext` may.
__getattr__ = lazy_getattr(
    __name__,
    {
        "AsyncWorker": "aio",
        "Loaded": "launch",
        "ParentPool": "parents",
        "Worker": "launch",
        "WorkerPool": "pool",
        "WorkerSpec": "launch",
        "local_predict": "local",
        "start": "launch",
        "preload": "local",
        "worker_spec": "local",
    },
)
