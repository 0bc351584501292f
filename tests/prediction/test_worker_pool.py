from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import aip_magics
from aip_magics.errors import PredictionError, WorkerError
from aip_magics.prediction import ForkServerPool, WorkerPool, WorkerSpec
from aip_magics.prediction.process_memory import memory_of
from aip_magics.prediction.worker_pool import fingerprint

BODY = b'{"instances": [[5.1, 3.5, 1.4, 0.2]]}'


def answering(value: object) -> str:
    return f"class Model:\n    def predict(self, instances):\n        return [{value}] * len(instances)\n"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pool(parents: ForkServerPool, clock: Clock, gone: Callable[..., bool]) -> Iterator[WorkerPool]:
    with WorkerPool(limit=2, fork_servers=parents, clock=clock) as made:
        yield made
        pids = pids_of(made)
    assert all(gone(pid) for pid in pids)


def pids_of(pool: WorkerPool) -> list[int]:
    return [worker.pid for worker in pool.workers()]


def predictions(pool: WorkerPool, directory: Path, **options: str) -> object:
    return json.loads(pool.predict(WorkerSpec(directory, trusted=True, **options), BODY))["predictions"]  # type: ignore[arg-type]


def test_worker_pool_keeps_the_worker_of_a_directory(pool: WorkerPool, sklearn_dir: Path) -> None:
    assert predictions(pool, sklearn_dir) == [0]
    pids = pids_of(pool)
    assert predictions(pool, sklearn_dir / ".." / sklearn_dir.name) == [0]
    assert pids_of(pool) == pids


def test_worker_pool_replaces_the_worker_of_changed_files(
    pool: WorkerPool, built: Callable[..., Path], gone: Callable[..., bool]
) -> None:
    directory = built(answering(1))
    assert predictions(pool, directory) == [1]
    (old,) = pids_of(pool)
    built(answering(22))
    assert predictions(pool, directory) == [22]
    assert gone(old)
    assert len(pids_of(pool)) == 1


def test_worker_pool_is_bounded_and_the_oldest_goes(
    pool: WorkerPool, built: Callable[..., Path], gone: Callable[..., bool]
) -> None:
    first, second, third = (built(answering(n), name=str(n)) for n in range(3))
    predictions(pool, first)
    predictions(pool, second)
    predictions(pool, first)
    one, two = pids_of(pool)[1], pids_of(pool)[0]
    predictions(pool, third)
    assert gone(two)
    assert pids_of(pool)[0] == one


def test_worker_pool_ends_an_idle_worker(
    pool: WorkerPool, clock: Clock, built: Callable[..., Path], gone: Callable[..., bool]
) -> None:
    predictions(pool, built(answering(1)))
    (pid,) = pids_of(pool)
    clock.now += 599
    pool.sweep()
    assert pids_of(pool) == [pid]
    clock.now += 1
    pool.sweep()
    assert pids_of(pool) == []
    assert gone(pid)


def test_worker_pool_sweeps_idle_workers_by_itself(
    parents: ForkServerPool, built: Callable[..., Path], gone: Callable[..., bool]
) -> None:
    with WorkerPool(idle_seconds=0.2, fork_servers=parents) as pool:
        predictions(pool, built(answering(1)))
        until = time.monotonic() + 5
        while pool.workers() and time.monotonic() < until:
            time.sleep(0.02)
        assert pool.workers() == []


@pytest.mark.parametrize("code", ["os._exit(1)", "os.kill(os.getpid(), 11)", "time.sleep(600)"])
def test_worker_pool_works_again_after_a_death(pool: WorkerPool, built: Callable[..., Path], code: str) -> None:
    directory = built(
        f"import os, time\nclass Model:\n    def predict(self, x):\n        if x[0]: {code}\n        return x"
    )
    spec = WorkerSpec(directory, trusted=True)
    assert json.loads(pool.predict(spec, b'{"instances": [0]}')) == {"predictions": [0]}
    with pytest.raises(WorkerError):
        pool.predict(spec, b'{"instances": [1]}', 0.5)
    assert json.loads(pool.predict(spec, b'{"instances": [0]}')) == {"predictions": [0]}


def test_worker_pool_replaces_a_worker_killed_while_idle(
    pool: WorkerPool, built: Callable[..., Path], gone: Callable[..., bool]
) -> None:
    directory = built(answering(1))
    predictions(pool, directory)
    (pid,) = pids_of(pool)
    os.kill(pid, signal.SIGKILL)
    assert gone(pid)
    assert predictions(pool, directory) == [1]


def test_worker_pool_keeps_no_worker_of_a_model_that_does_not_load(
    pool: WorkerPool, built: Callable[..., Path]
) -> None:
    directory = built("raise ValueError('not today')")
    for _ in range(2):
        with pytest.raises(PredictionError, match="not today"):
            predictions(pool, directory)
    assert pool.workers() == []
    built(answering(3))
    assert predictions(pool, directory) == [3]


def test_worker_pool_shares_one_worker_between_threads(pool: WorkerPool, sklearn_dir: Path) -> None:
    answers: list[object] = []
    threads = [threading.Thread(target=lambda: answers.append(predictions(pool, sklearn_dir))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [[0]] * 8
    assert len(pids_of(pool)) == 1


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # of this process, which has threads
def test_worker_pool_is_empty_in_a_fork_of_this_process(pool: WorkerPool, built: Callable[..., Path]) -> None:
    directory = built(answering(1))
    predictions(pool, directory)
    pid = os.fork()
    if pid == 0:
        os._exit(len(pool.workers()))
    assert os.waitpid(pid, 0)[1] == 0
    assert predictions(pool, directory) == [1]


SCRIPT = """
    import sys
    from aip_magics.prediction import local_predict
    from aip_magics.prediction.worker_pool import shared
    print(local_predict(sys.argv[1], [[1, 2]], trusted=True))
    print(*(worker.pid for worker in shared().workers()), *shared().fork_servers.pids(), shared()._logs)
"""


def test_worker_pool_leaves_nothing_when_the_process_ends(
    built: Callable[..., Path], gone: Callable[..., bool]
) -> None:
    home = str(Path(aip_magics.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", textwrap.dedent(SCRIPT), str(built(answering(5)))],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": home},
        check=False,
    )
    assert done.stderr == ""
    answer, ids = done.stdout.splitlines()
    assert answer == "{'predictions': [5]}"
    *pids, logs = ids.split()
    assert len(pids) == 2
    assert all(gone(int(pid)) for pid in pids)
    assert not Path(logs).exists()


def test_worker_pool_fingerprint_sees_every_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a").write_text("a")
    (tmp_path / "sub" / "b").write_text("b")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    before = fingerprint(tmp_path)
    assert [name for name, *_ in before] == ["a", "sub/b"]
    os.utime(tmp_path / "sub" / "b", ns=(1, 1))
    assert fingerprint(tmp_path) != before


HEAVY = "held = bytearray(b'x') * (120 << 20)\n"


def test_worker_pool_memory_is_bounded_and_the_oldest_goes(
    parents: ForkServerPool, built: Callable[..., Path], gone: Callable[..., bool]
) -> None:
    first, second, third = (built(HEAVY + answering(n), name=str(n)) for n in range(3))
    with WorkerPool(fork_servers=parents) as pool:
        predictions(pool, first)
        size = memory_of(pids_of(pool)[0])
    with WorkerPool(fork_servers=parents, memory=size * 5 // 2) as pool:
        predictions(pool, first)
        predictions(pool, second)
        predictions(pool, first)
        assert all(memory_of(pid) > 120 << 20 for pid in pids_of(pool))
        oldest, kept = pids_of(pool)
        predictions(pool, third)
        assert gone(oldest)
        assert pids_of(pool)[0] == kept
        assert len(pids_of(pool)) == 2


def test_worker_pool_lets_one_worker_alone_be_large(parents: ForkServerPool, built: Callable[..., Path]) -> None:
    with WorkerPool(fork_servers=parents, memory=1) as pool:
        assert predictions(pool, built(answering(1))) == [1]
        assert predictions(pool, built(answering(1))) == [1]
        (pid,) = pids_of(pool)
        pool.sweep()
        assert pids_of(pool) == []
    assert memory_of(pid) == 0


def test_worker_pool_gives_a_new_worker_to_who_waited_for_an_evicted(
    parents: ForkServerPool, built: Callable[..., Path], gone: Callable[..., bool]
) -> None:
    directories = [built(answering(n), name=str(n)) for n in range(3)]
    with WorkerPool(fork_servers=parents, limit=1) as pool:
        answers: list[object] = []
        work = [(directory, number) for number, directory in enumerate(directories)] * 4
        threads = [
            threading.Thread(target=lambda d=d, n=n: answers.append((predictions(pool, d), n)))  # type: ignore[misc]
            for d, n in work
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers, key=str) == sorted((([n], n) for _, n in work), key=str)
        pids = pids_of(pool)
    assert all(gone(pid) for pid in pids)
