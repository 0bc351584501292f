from __future__ import annotations

import asyncio
import json
import os
import signal
import textwrap
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from aip_magics.errors import ModelDirError, PredictionError, WorkerError
from aip_magics.prediction import AsyncWorkerClient, ForkServerPool, WorkerSpec

BODY = b'{"instances": [[5.1, 3.5, 1.4, 0.2]]}'
SLOW = """
    import time, os
    class Model:
        def predict(self, instances):
            print("asked", instances, flush=True)
            for instance in instances:
                if instance == "die":
                    os._exit(4)
                if instance == "fail":
                    raise ValueError("as wanted")
                time.sleep(instance)
            return instances
"""

Run = Callable[[Callable[[AsyncWorkerClient], Awaitable[None]], Path], None]


@pytest.fixture(params=["forked", "spawned"])
def run(request: pytest.FixtureRequest, tmp_path: Path, gone: Callable[..., bool]) -> Run:
    parents: ForkServerPool | None = request.getfixturevalue("parents") if request.param == "forked" else None

    def runner(scene: Callable[[AsyncWorkerClient], Awaitable[None]], model_dir: Path) -> None:
        async def main() -> int:
            worker = await AsyncWorkerClient.start(
                WorkerSpec(model_dir, trusted=True), log_dir=tmp_path / "logs", fork_servers=parents
            )
            assert worker.forked == (parents is not None)
            assert worker.alive
            try:
                await scene(worker)
            finally:
                await worker.close()
            assert not worker.alive
            return worker.pid

        assert gone(asyncio.run(main(), debug=True))

    return runner


def test_async_worker_client_loads_and_predicts(
    run: Run, sklearn_dir: Path, classifier: object, rows: list[list[float]]
) -> None:
    async def scene(worker: AsyncWorkerClient) -> None:
        loaded = await worker.load()
        assert loaded.class_name == "sklearn.pipeline.Pipeline"
        answer = json.loads(await worker.predict(json.dumps({"instances": rows}).encode()))
        assert answer == {"predictions": classifier.predict(rows).tolist()}  # type: ignore[attr-defined]
        assert worker.stats["Prediction-Engine"] == "scikit_learn"

    run(scene, sklearn_dir)


def test_async_worker_client_gives_each_request_its_own_response(run: Run, built: Callable[..., Path]) -> None:
    async def scene(worker: AsyncWorkerClient) -> None:
        await worker.load()
        bodies = [json.dumps({"instances": [n / 1000]}).encode() for n in range(20)]
        answers = await asyncio.gather(*(worker.predict(body) for body in bodies))
        assert [json.loads(answer)["predictions"] for answer in answers] == [[n / 1000] for n in range(20)]

    run(scene, built(SLOW))


def test_async_worker_client_takes_large_bodies(run: Run, built: Callable[..., Path]) -> None:
    async def scene(worker: AsyncWorkerClient) -> None:
        await worker.load()
        instances = [0] * 500_000
        answer = await worker.predict(json.dumps({"instances": instances}).encode())
        assert json.loads(answer) == {"predictions": instances}

    run(scene, built(SLOW.replace("time.sleep(instance)", "pass").replace('print("asked", instances, flush=True)', "")))


def test_async_worker_client_goes_on_after_an_error(run: Run, built: Callable[..., Path]) -> None:
    async def scene(worker: AsyncWorkerClient) -> None:
        await worker.load()
        with pytest.raises(PredictionError, match="Exception during sklearn prediction: as wanted") as caught:
            await worker.predict(b'{"instances": ["fail"]}')
        assert "asked ['fail']" in caught.value.log
        assert await worker.predict(b'{"instances": [0]}') == b'{"predictions": [0]}'

    run(scene, built(SLOW))


def test_async_worker_client_tells_death_while_predicting(run: Run, built: Callable[..., Path]) -> None:
    async def scene(worker: AsyncWorkerClient) -> None:
        await worker.load()
        with pytest.raises(WorkerError, match="exited with code 4 while predicting") as caught:
            await worker.predict(b'{"instances": ["die"]}')
        assert "asked ['die']" in caught.value.log
        assert not worker.alive
        with pytest.raises(WorkerError, match="exited before this request"):
            await worker.predict(BODY)

    run(scene, built(SLOW))


def test_async_worker_client_notices_death_while_idle_at_once(run: Run, sklearn_dir: Path) -> None:
    async def scene(worker: AsyncWorkerClient) -> None:
        os.kill(worker.pid, signal.SIGKILL)
        until = time.monotonic() + 2
        while worker.alive and time.monotonic() < until:
            await asyncio.sleep(0.005)
        assert not worker.alive
        with pytest.raises(WorkerError, match="SIGKILL"):
            await worker.load()

    run(scene, sklearn_dir)


def test_async_worker_client_ends_a_hang_at_its_deadline(
    run: Run, built: Callable[..., Path], gone: Callable[..., bool]
) -> None:
    async def scene(worker: AsyncWorkerClient) -> None:
        await worker.load()
        with pytest.raises(WorkerError, match=r"timed out after 0.2 s while predicting") as caught:
            await worker.predict(b'{"instances": [600]}', 0.2)
        assert "in predict" in caught.value.log
        assert gone(worker.pid)

    run(scene, built(SLOW))


def test_async_worker_client_keeps_a_cancelled_request_from_the_next(run: Run, built: Callable[..., Path]) -> None:
    async def scene(worker: AsyncWorkerClient) -> None:
        await worker.load()
        first = asyncio.create_task(worker.predict(b'{"instances": [0.3]}'))
        await asyncio.sleep(0.1)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert await worker.predict(b'{"instances": [0.01]}') == b'{"predictions": [0.01]}'

    run(scene, built(SLOW))


def test_async_worker_client_closes_while_a_request_waits(run: Run, built: Callable[..., Path]) -> None:
    async def scene(worker: AsyncWorkerClient) -> None:
        await worker.load()
        waiting = asyncio.create_task(worker.predict(b'{"instances": [600]}'))
        await asyncio.sleep(0.1)
        await worker.close()
        with pytest.raises(WorkerError):
            await waiting

    run(scene, built(SLOW))


def test_async_worker_client_without_a_directory(tmp_path: Path) -> None:
    with pytest.raises(ModelDirError):
        asyncio.run(AsyncWorkerClient.start(WorkerSpec(tmp_path / "nowhere", trusted=True), log_dir=tmp_path))


def test_async_worker_client_with_a_fork_server_that_cannot_fork(built: Callable[..., Path], tmp_path: Path) -> None:
    import sys

    python = tmp_path / "python"
    python.write_text(
        textwrap.dedent(f"""\
        #!/bin/sh
        [ "$3" = serve ] && exec "{sys.executable}" "$@"
        exit 1
        """)
    )
    python.chmod(0o755)

    async def main() -> None:
        with ForkServerPool() as pool:
            spec = WorkerSpec(built(SLOW), python=str(python), trusted=True)
            worker = await AsyncWorkerClient.start(spec, log_dir=tmp_path / "logs", fork_servers=pool)
            assert not worker.forked
            await worker.load()
            await worker.close()

    asyncio.run(main())
