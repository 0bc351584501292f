"""The client of a worker process for threads: one request at a time, each blocks its caller."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aip_magics.errors import WorkerError
from aip_magics.prediction import worker_process
from aip_magics.prediction.base_worker_client import (
    HELLO_NUMBER,
    LAST_WORDS_SECONDS,
    LOADING,
    PREDICT,
    PREDICTING,
    START_SECONDS,
    STARTING,
    BaseWorkerClient,
)
from aip_magics.prediction.fork_server_pool import ForkServerPool
from aip_magics.prediction.messages import MessageDecoder, WorkerMessage
from aip_magics.prediction.worker_process import WorkerProcess
from aip_magics.prediction.worker_responses import LoadedModel
from aip_magics.prediction.worker_spec import WorkerSpec, start_process

CHUNK_BYTES = 1 << 18  # read at once


class WorkerClient(BaseWorkerClient):
    """A client for threads. Calls from several threads wait for each other."""

    def __init__(self, spec: WorkerSpec, process: WorkerProcess) -> None:
        super().__init__(spec, process)
        self.loaded: LoadedModel | None = None  # once `load` has returned
        self._decoder = MessageDecoder()
        self._lock = threading.Lock()

    def load(self, deadline: float = 60.0) -> LoadedModel:
        """Load the model, within `deadline` seconds. PredictionError if it does not load, WorkerError if it died."""
        response = self._ask(self.spec.load_header(self._process.temp_dir), b"", deadline, LOADING)
        self.loaded = LoadedModel.from_header(response.header)
        return self.loaded

    def predict(self, body: bytes, deadline: float = 60.0) -> bytes:
        """The response's body for a request's body (JSON objects both), within `deadline` seconds.

        PredictionError (`kind`, `detail`, `log`) if the model or the request is at fault: the worker can be asked
        again. WorkerError if the worker died or was killed because the deadline passed.
        """
        return self._predicted(self._ask(PREDICT, body, deadline, PREDICTING))

    def ping(self, deadline: float = 10.0) -> str:
        """The version of the Python that runs the worker."""
        return str(self._ask({"op": "ping"}, b"", deadline, "answering").header.get("python"))

    def alive(self) -> bool:
        """Whether the worker can be asked."""
        return not self._ended and not self._process.is_disconnected() and self._process.handle.wait(0.0) is None

    def close(self) -> None:
        """End the process and remove its temporary files."""
        self._ended = True
        self._process.close()

    def __enter__(self) -> WorkerClient:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def hello(self, deadline: float = START_SECONDS) -> None:
        """Wait until the process serves. WorkerError if it does not within `deadline` seconds."""
        self._greet(self._receive(HELLO_NUMBER, time.monotonic() + deadline, deadline, STARTING))

    def _ask(self, header: Mapping[str, Any], payload: bytes, deadline: float, doing: str) -> WorkerMessage:
        with self._lock:
            log_mark = self._process.log_size()
            number, request = self._encode_request(header, payload)
            until = time.monotonic() + deadline
            self._send(request, until, deadline, doing)
            response = self._receive(number, until, deadline, doing)
        self._raise_for_error(response, log_mark)
        return response

    def _send(self, request: bytes, until: float, deadline: float, doing: str) -> None:
        with self._failures_as_errors(deadline, doing):
            self._process.sock.settimeout(max(until - time.monotonic(), 0.001))
            self._process.sock.sendall(request)

    def _receive(self, number: int, until: float, deadline: float, doing: str) -> WorkerMessage:
        with self._failures_as_errors(deadline, doing):
            while True:
                self._process.sock.settimeout(max(until - time.monotonic(), 0.001))
                data = self._process.sock.recv(CHUNK_BYTES)
                if not data:
                    raise ConnectionResetError
                for message in self._decoder.feed(data):
                    if message.header.get("id") == number:
                        return message

    @contextlib.contextmanager
    def _failures_as_errors(self, deadline: float, doing: str) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            self._process.dump_traceback()
            time.sleep(LAST_WORDS_SECONDS)
            self._kill()
            raise self._timeout_error(deadline, doing) from None
        except OSError:
            code = self._process.handle.wait(worker_process.GRACE)
            self._kill()
            raise self._crash_error(code, doing) from None
        except BaseException:
            self._kill()  # interrupted in the middle of a message: nothing that follows could be understood
            raise

    def _kill(self) -> None:
        self._ended = True
        self._process.kill()
        self._process.close()


def start(
    spec: WorkerSpec,
    *,
    log_dir: Path,
    fork_servers: ForkServerPool | None = None,
    environ: Mapping[str, str] | None = None,
) -> WorkerClient:
    """A client of a new worker that has no model loaded yet. The worker's log is a new file in `log_dir`.

    A fork server of `fork_servers` forks the worker; it is spawned if there are none or forking failed.
    ModelDirError, WorkerError.
    """
    client = WorkerClient(spec, start_process(spec, log_dir=log_dir, fork_servers=fork_servers, environ=environ))
    try:
        client.hello()
    except WorkerError:
        if not client.forked:
            raise
        client = WorkerClient(spec, start_process(spec, log_dir=log_dir, environ=environ))
        client.hello()
    return client
