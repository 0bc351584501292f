"""BLAS and OpenMP use the worker's number of threads, whether forked or spawned."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from aip_magics.prediction import ForkServerPool, WorkerClient, WorkerSpec, start

MODEL = """
    import os
    import numpy
    import threadpoolctl
    class Model:
        def predict(self, rows):
            pools = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
            return [[pools, os.environ["OMP_NUM_THREADS"], os.environ["OPENBLAS_NUM_THREADS"]] for row in rows]
"""


@pytest.mark.parametrize("forked", [True, False], ids=["forked", "spawned"])
@pytest.mark.parametrize("threads", [1, 2])
def test_thread_limits_allow_as_many_threads_as_set(
    parents: ForkServerPool, built: Callable[..., Path], tmp_path: Path, forked: bool, threads: int
) -> None:
    spec = WorkerSpec(built(MODEL), "SCIKIT_LEARN", threads=threads, trusted=True)
    worker: WorkerClient = start(spec, log_dir=tmp_path / "logs", fork_servers=parents if forked else None)
    with worker:
        assert worker.forked == forked
        worker.load()
        ((pools, omp, blas),) = json.loads(worker.predict(b'{"instances": [1]}'))["predictions"]
        assert pools
        assert set(pools) == {threads}
        assert (omp, blas) == (str(threads), str(threads))


def test_thread_limits_of_workers_of_one_fork_server_differ(
    parents: ForkServerPool, built: Callable[..., Path], tmp_path: Path
) -> None:
    directory = built(MODEL)
    workers = [
        start(
            WorkerSpec(directory, "SCIKIT_LEARN", threads=n, trusted=True),
            log_dir=tmp_path / "logs",
            fork_servers=parents,
        )
        for n in (1, 2)
    ]
    before = parents.pids()
    try:
        assert all(worker.forked for worker in workers)
        assert parents.pids() == before
    finally:
        for worker in workers:
            worker.close()
