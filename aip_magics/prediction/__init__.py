"""Predict with a model that is loaded in a worker process, never here.

::

    local_predict ─► WorkerPool (warm workers) ─► WorkerClient ─┐   forked by a ForkServerPool's preloaded process,
    the server ─────────────────────────────► AsyncWorkerClient ┤   or spawned
                                                                └─► worker/  (its own process, any Python)

A worker gets the environment variables that an interpreter needs, and no others (`surroundings`). On Linux it gives up
files, network and processes before it opens anything of a model (`worker/confinement`); `LoadedModel.protection` says
what holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aip_magics.lazy_imports import lazy_getattr

if TYPE_CHECKING:
    from aip_magics.prediction.async_worker_client import AsyncWorkerClient
    from aip_magics.prediction.fork_server_pool import ForkServerPool
    from aip_magics.prediction.local import local_predict, warm, worker_spec
    from aip_magics.prediction.worker_client import WorkerClient, start
    from aip_magics.prediction.worker_pool import WorkerPool
    from aip_magics.prediction.worker_responses import LoadedModel
    from aip_magics.prediction.worker_spec import WorkerSpec

__all__ = [
    "AsyncWorkerClient", "ForkServerPool", "LoadedModel", "WorkerClient", "WorkerPool", "WorkerSpec", "local_predict",
    "start", "warm", "worker_spec",
]  # fmt: skip

# asyncio, subprocess and socket cost more than the whole of `%load_ext` may.
__getattr__ = lazy_getattr(
    __name__,
    {
        "AsyncWorkerClient": "async_worker_client",
        "ForkServerPool": "fork_server_pool",
        "LoadedModel": "worker_responses",
        "WorkerClient": "worker_client",
        "WorkerPool": "worker_pool",
        "WorkerSpec": "worker_spec",
        "local_predict": "local",
        "start": "worker_client",
        "warm": "local",
        "worker_spec": "local",
    },
)
