"""Parts of the model server without its HTTP interface: the download, and the bound of what waits for a worker."""

from __future__ import annotations

import asyncio
import math
import socket
import threading
from pathlib import Path
from typing import cast

import joblib
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from aip_magics.errors import CredentialsError, Interrupted, StorageError
from aip_magics.prediction import AsyncWorkerClient, ForkServerPool, WorkerSpec
from aip_magics.prediction.local import worker_spec
from aip_magics.prediction.machine import processors
from aip_magics.retry import RetryPolicy
from aip_magics.serving import model_files, worker_group


@pytest.fixture
def unreachable() -> dict[str, str]:
    """Variables with an object store at a port where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        return {"STORAGE_EMULATOR_HOST": f"127.0.0.1:{closed.getsockname()[1]}"}


def test_download_says_what_to_do_with_a_container(unreachable, monkeypatch) -> None:
    assert model_files._POLICY.give_up_after + model_files._POLICY.connect_timeout <= 30
    monkeypatch.setattr(model_files, "_POLICY", RetryPolicy(max_attempts=1))
    with pytest.raises(StorageError, match="gs://models/iris") as caught:
        model_files.download("gs://models/iris", unreachable, threading.Event())
    assert "start the container again" in caught.value.fix


def test_download_is_stopped_between_attempts(unreachable) -> None:
    stopped = threading.Event()
    stopped.set()
    with pytest.raises(Interrupted):
        model_files.download("gs://models/iris", unreachable, stopped)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "was not found"), ("{no JSON", "not a valid json file"), ("[]", "expected a JSON object")],
)
def test_download_says_what_is_wrong_with_the_file_of_credentials(
    tmp_path: Path, monkeypatch, content: str | None, reason: str
) -> None:
    file = tmp_path / "key.json"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    with pytest.raises(CredentialsError, match=f"could not load the credentials: .*{reason}") as caught:
        model_files.download("gs://models/iris", {}, threading.Event())
    assert caught.value.where == "GOOGLE_APPLICATION_CREDENTIALS"
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path))  # as Docker mounts a file that does not exist
    with pytest.raises(CredentialsError, match="directory"):
        model_files.download("gs://models/iris", {}, threading.Event())


@pytest.mark.slow
def test_worker_group_bounds_the_bytes_that_wait(iris_export: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(worker_group, "MOST_WAITING_BYTES", 100)
    body = b'{"instances": [[5.1, 3.5, 1.4, 0.2]]}'.ljust(60)

    async def predict_five() -> list[object]:
        with ForkServerPool(log_dir=tmp_path) as pool:
            group = worker_group.WorkerGroup(
                worker_spec(iris_export), 1, tmp_path, pool, lambda _error: None, predict_seconds=60
            )
            try:
                await group.start()
                return await asyncio.gather(*(group.predict(body) for _ in range(5)), return_exceptions=True)
            finally:
                await group.close()

    answers = asyncio.run(predict_five())
    assert answers[:2] == [b'{"predictions": [0]}'] * 2
    assert [type(answer) for answer in answers[2:]] == [worker_group.TooManyRequests] * 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("estimator", "coalesce", "coalesces"),
    [
        (DecisionTreeClassifier(), None, True),
        (DecisionTreeClassifier(), False, False),
        (LogisticRegression(max_iter=5000), None, False),
        (LogisticRegression(max_iter=5000), True, True),
    ],
)
def test_worker_group_batches_where_no_answer_changes(iris_data, tmp_path, estimator, coalesce, coalesces) -> None:
    joblib.dump(estimator.fit(*iris_data), tmp_path / "model.joblib")
    spec = worker_spec(tmp_path)
    bodies = [b'{"instances": [[%d, 3, 1, 0]]}' % number for number in range(5)]

    async def predict_all(coalesce: bool | None) -> tuple[list[bytes], int]:
        sent = 0
        with ForkServerPool(log_dir=tmp_path) as pool:
            group = worker_group.WorkerGroup(
                spec, 1, tmp_path, pool, lambda _error: None, predict_seconds=60, coalesce=coalesce
            )
            try:
                await group.start()
                client = group._slots[0].client
                assert client is not None
                ask = client.predict

                async def counted(body: bytes, deadline: float) -> bytes:
                    nonlocal sent
                    sent += 1
                    return await ask(body, deadline)

                client.predict = counted  # type: ignore[method-assign]
                return list(await asyncio.gather(*map(group.predict, bodies))), sent
            finally:
                await group.close()

    answers, sent = asyncio.run(predict_all(coalesce))
    assert answers == asyncio.run(predict_all(False))[0]
    assert (sent < len(bodies)) == coalesces


class Worker:
    """A worker that takes a while to end: until `ending` workers do so together."""

    alive, pid, log = True, 1, Path()

    def __init__(self, ending: list[Worker], together: asyncio.Event) -> None:
        self._ending = ending
        self._together = together

    async def close(self) -> None:
        self._ending.append(self)
        if len(self._ending) == 2:
            self._together.set()
        await asyncio.wait_for(self._together.wait(), 20)


def two_workers(log_dir: Path) -> worker_group.WorkerGroup:
    group = worker_group.WorkerGroup(
        WorkerSpec(log_dir), 2, log_dir, ForkServerPool(), lambda _error: None, predict_seconds=60
    )
    ending: list[Worker] = []
    together = asyncio.Event()
    group._slots = [worker_group._Slot(cast(AsyncWorkerClient, Worker(ending, together))) for _ in range(2)]
    return group


def test_worker_group_ends_its_workers_together(tmp_path: Path) -> None:
    async def close() -> None:
        await two_workers(tmp_path).close()

    asyncio.run(close())


def test_worker_group_gives_the_requests_of_a_failed_batch_to_free_workers(tmp_path: Path) -> None:
    async def put_back() -> None:
        group = two_workers(tmp_path)
        busy, free = group._slots
        busy.busy = True
        loop = asyncio.get_running_loop()
        first, second = (worker_group._Waiting(b"{}", turn=loop.create_future(), end=math.inf) for _ in range(2))
        group._put_back([first, second])
        assert first.turn.result() is free
        assert not second.turn.done()
        group._pass_on(free)
        assert second.turn.result() is free

    asyncio.run(put_back())


def test_worker_group_does_not_predict_what_nobody_waits_for(tmp_path: Path) -> None:
    async def pass_on() -> None:
        group = two_workers(tmp_path)
        loop = asyncio.get_running_loop()
        late, next_one = (worker_group._Waiting(b"{}", turn=loop.create_future(), end=end) for end in (0.0, math.inf))
        group._waiting.extend([late, next_one])
        group._pass_on(group._slots[0])
        assert isinstance(late.turn.exception(), worker_group.TooManyRequests)
        assert next_one.turn.result() is group._slots[0]

    asyncio.run(pass_on())


@pytest.mark.parametrize(("quota", "count"), [("-1", None), ("50000", 1), ("100000", 1), ("0", None)])
def test_machine_processors_of_a_cgroup_of_version_1(tmp_path: Path, quota: str, count: int | None) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert processors(tmp_path) == (count or processors(tmp_path / "none"))
