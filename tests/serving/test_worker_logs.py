"""The logs of a container's workers: they are passed on as they are, and nothing of them piles up."""

from __future__ import annotations

import asyncio
import io
import shutil
import sys
from pathlib import Path

import pytest

from aip_magics.prediction import ForkServerPool
from aip_magics.prediction.local import worker_spec
from aip_magics.serving import worker_group, worker_logs
from aip_magics.serving.worker_logs import WorkerLogs


class Stderr(io.BytesIO):
    """A platform that collects what is written; meanwhile the model's code writes as much to `log`."""

    log: Path | None = None

    def write(self, block) -> int:
        if self.log is not None and len(self.getvalue()) < 100:
            with self.log.open("ab") as file:
                file.write(bytes(block))
        return super().write(block)


def test_worker_logs_pass_on_characters_that_were_read_in_two_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setattr(worker_logs, "CHUNK", 4)
    text = "예측을 시작합니다\n"
    log = tmp_path / "log"
    log.write_text(text, "utf-8")

    async def follow() -> None:
        logs = WorkerLogs()
        logs.follow(log)
        await logs.close()

    asyncio.run(follow())
    assert capfdbinary.readouterr().err.decode() == text
    assert not log.exists()


def test_worker_logs_of_a_worker_that_writes_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"again\n")
    stderr = Stderr()
    stderr.log = log
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(stderr, "utf-8", write_through=True))
    assert WorkerLogs()._pass_on(log, 0) == 6
    assert stderr.getvalue() == b"again\n"


@pytest.mark.slow
def test_worker_logs_of_workers_that_do_not_load_are_removed(
    iris_export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker_group, "RETRY_SECONDS", (0.0,))
    model, log_dir = tmp_path / "model", tmp_path / "logs"
    shutil.copytree(iris_export, model)
    warning = "did not start"

    async def start_and_fail() -> int:
        with ForkServerPool(log_dir=log_dir) as pool:
            group = worker_group.WorkerGroup(
                worker_spec(model), 2, log_dir, pool, lambda _error: None, predict_seconds=60
            )
            try:
                await group.start()
                (model / "model.joblib").unlink()  # before the second worker starts
                while caplog.text.count(warning) < 4:
                    await asyncio.sleep(0.05)
                return len(list(log_dir.glob("worker-*.log")))
            finally:
                await group.close()

    log_dir.mkdir()
    # That of the worker which serves, and of the one that is just starting.
    assert asyncio.run(asyncio.wait_for(start_and_fail(), 120)) <= 2
