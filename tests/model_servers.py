"""Model servers as a platform runs them: a process with AIP_* set. Ours, and Google's of google-cloud-aiplatform.

Google's needs `google-cloud-aiplatform[prediction]` with scikit-learn: in this Python, or in the one that
AIP_CPR_PYTHON names.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import aip_magics

HEALTH, PREDICT = "/health", "/predict"
READY_SECONDS = 120.0  # a bound for a busy machine; nothing is measured with it
ROOT = str(Path(aip_magics.__file__).parents[1])


class ModelServer:
    """A running model server."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self.port = port
        self.begun = time.monotonic()
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text("utf-8", "replace")

    def wait_until_ready(self) -> float:
        """The seconds until the health check answered 200."""
        while time.monotonic() < self.begun + READY_SECONDS:
            assert self.process.poll() is None, self.log
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.ask("GET", HEALTH)[0] == 200:
                    return time.monotonic() - self.begun
            time.sleep(0.02)
        raise AssertionError(f"not ready: {self.log}")

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, object]:
        """Status and JSON value of an answer; the body is sent as JSON unless it is bytes."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", **headers} if data is not None else headers
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, data, sent)
            response = connection.getresponse()
            text = response.read()
            return response.status, json.loads(text) if text else None

    def predict(self, body: object) -> tuple[int, object]:
        return self.ask("POST", PREDICT, body)

    def stop(self) -> int:
        """End it as a platform does; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextlib.contextmanager
def started(
    command: list[str], folder: Path, variables: Mapping[str, str], port: int | None = None
) -> Iterator[ModelServer]:
    """A model server that is ended afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("AIP_", "MODEL_", "VERTEX_"))}
    environ.update(AIP_HTTP_PORT=str(port), AIP_HEALTH_ROUTE=HEALTH, AIP_PREDICT_ROUTE=PREDICT)
    environ.update(variables)
    log = folder / f"server-{port}.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={name: value for name, value in environ.items() if value},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    server = ModelServer(process, port, log)
    try:
        yield server
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.stop()
        process.kill()
        process.wait(10)


def ours(folder: Path, model: Path | str, **variables: str) -> contextlib.AbstractContextManager[ModelServer]:
    """Our server for a model: a directory or a gs:// URI."""
    command = [sys.executable, "-m", "aip_magics.serving"]
    return started(command, folder, {"PYTHONPATH": ROOT, "AIP_STORAGE_URI": str(model), **variables})


def googles(folder: Path, model: Path | str, **variables: str) -> contextlib.AbstractContextManager[ModelServer]:
    """Google's server with its predictor for scikit-learn."""
    python = google_python()
    assert python is not None
    module = "google.cloud.aiplatform.prediction"
    command = [python, "-m", f"{module}.model_server"]
    given = {
        "AIP_STORAGE_URI": str(model),
        "PYTHONPATH": "",
        "HANDLER_MODULE": f"{module}.handler",
        "HANDLER_CLASS": "PredictionHandler",
        "PREDICTOR_MODULE": f"{module}.sklearn.predictor",
        "PREDICTOR_CLASS": "SklearnPredictor",
    }
    return started(command, folder, {**given, **variables})


@functools.cache
def google_python() -> str | None:
    """The interpreter that has Google's model server; None if there is none."""
    python = os.environ.get("AIP_CPR_PYTHON") or sys.executable
    code = "import fastapi, sklearn, google.cloud.aiplatform.prediction.sklearn.predictor"
    done = subprocess.run([python, "-c", code], capture_output=True, timeout=120)
    return python if done.returncode == 0 else None


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port
