"""Predict with a model that is loaded in a worker process, never in the calling process.

::

    local_predict ─► WorkerPool (warm workers) ─► WorkerClient ─┐   forked by a ForkServerPool's preloaded process,
    the server ─────────────────────────────► AsyncWorkerClient ┤   or spawned
                                                                └─► worker/  (its own process, any Python)

A worker inherits only the environment variables that an interpreter needs (`worker_environ`). On Linux it gives up
access to files, network and processes before it opens any file of a model (`worker/confinement`);
`LoadedModel.protection` says what is enforced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aip_magics.lazy_imports import lazy_getattr

if TYPE_CHECKING:
    from aip_magics.prediction.async_worker_client import AsyncWorkerClient
    from aip_magics.prediction.fork_server_pool import ForkServerPool
    from aip_magics.prediction.local import local_predict, preload, worker_spec
    from aip_magics.prediction.worker_client import WorkerClient, start
    from aip_magics.prediction.worker_pool import WorkerPool
    from aip_magics.prediction.worker_responses import LoadedModel
    from aip_magics.prediction.worker_spec import WorkerSpec

__all__ = [
    "AsyncWorkerClient", "ForkServerPool", "LoadedModel", "WorkerClient", "WorkerPool", "WorkerSpec", "local_predict",
    "preload", "start", "worker_spec",
]  # fmt: skip

# Importing asyncio, subprocess and socket would exceed the time that `%load_ext` may take.
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
        "preload": "local",
        "start": "worker_client",
        "worker_spec": "local",
    },
)
