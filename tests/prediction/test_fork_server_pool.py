from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aip_magics.prediction import ForkServerPool, WorkerClient, WorkerSpec, start

BODY = b'{"instances": [[1, 2]]}'
MODEL = """
    class Model:
        def predict(self, instances):
            return [1] * len(instances)
"""


@pytest.fixture
def pool(gone: Callable[..., bool]) -> Iterator[ForkServerPool]:
    with ForkServerPool(limit=2) as made:
        yield made
        pids = made.pids()
    assert all(gone(pid) for pid in pids)


@pytest.fixture
def begun(pool: ForkServerPool, built: Callable[..., Path], tmp_path: Path) -> Iterator[Callable[..., WorkerClient]]:
    workers: list[WorkerClient] = []

    def begin(framework: str = "NOTHING_TO_IMPORT") -> WorkerClient:
        # No framework: what is tested here is the parent, and its import would only take time.
        worker = start(WorkerSpec(built(MODEL), framework, trusted=True), log_dir=tmp_path / "logs", fork_servers=pool)
        worker.spec = WorkerSpec(worker.spec.model_dir, trusted=True)
        worker.load()
        workers.append(worker)
        return worker

    yield begin
    for worker in workers:
        worker.close()


def test_fork_server_pool_warms_without_waiting_and_imports_no_model(
    pool: ForkServerPool, gone: Callable[..., bool]
) -> None:
    start = time.monotonic()
    assert pool.preload(framework="SCIKIT_LEARN")
    assert time.monotonic() - start < 1
    (pid,) = pool.pids()
    assert pool.preload(framework="SCIKIT_LEARN")
    assert pool.pids() == [pid]


def test_fork_server_pool_has_one_for_many_workers(pool: ForkServerPool, begun: Callable[..., WorkerClient]) -> None:
    workers = [begun() for _ in range(5)]
    assert all(worker.forked for worker in workers)
    assert len({worker.pid for worker in workers}) == 5
    assert len(pool.pids()) == 1
    assert all(worker.predict(BODY) == b'{"predictions": [1]}' for worker in workers)


def test_fork_server_pool_is_bounded_and_workers_outlive_a_retired_one(
    pool: ForkServerPool, begun: Callable[..., WorkerClient], gone: Callable[..., bool]
) -> None:
    workers = [begun(framework) for framework in ("A", "B", "C")]
    assert len(pool.pids()) == 3  # A's is retired: it ends with its worker
    assert workers[0].predict(BODY) == b'{"predictions": [1]}'
    retired = pool.pids()[-1]
    workers[0].close()
    assert gone(workers[0].pid)
    assert gone(retired)
    pool.preload(framework="C")
    assert len(pool.pids()) == 2


def test_fork_server_pool_replaces_a_dead_one_and_its_workers_go_on(
    pool: ForkServerPool, begun: Callable[..., WorkerClient], gone: Callable[..., bool]
) -> None:
    first = begun()
    (pid,) = pool.pids()
    os.kill(pid, signal.SIGKILL)
    assert gone(pid)
    second = begun()
    assert second.forked
    assert pool.pids() != [pid]
    assert [worker.predict(BODY) for worker in (first, second)] == [b'{"predictions": [1]}'] * 2
    first.close()
    assert gone(first.pid)


def test_fork_server_pool_leaves_the_workers_when_it_closes(
    pool: ForkServerPool, begun: Callable[..., WorkerClient]
) -> None:
    worker = begun()
    pool.close()
    assert pool.pids() == []
    assert worker.predict(BODY) == b'{"predictions": [1]}'


def test_fork_server_pool_spawns_where_forking_fails(built: Callable[..., Path], tmp_path: Path) -> None:
    # An interpreter that cannot be a parent: it knows only how to serve.
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\n[ "$3" = serve ] && exec "{sys.executable}" "$@"\nexit 1\n')
    python.chmod(0o755)
    with ForkServerPool(log_dir=tmp_path) as pool:
        spec = WorkerSpec(built(MODEL), python=str(python), trusted=True)
        with start(spec, log_dir=tmp_path / "logs", fork_servers=pool) as worker:
            assert not worker.forked
            worker.load()
            assert worker.predict(BODY) == b'{"predictions": [1]}'


def test_fork_server_pool_cannot_warm_a_missing_interpreter() -> None:
    with ForkServerPool() as pool:
        assert not pool.preload(python="/nowhere/python")
        assert pool.pids() == []
