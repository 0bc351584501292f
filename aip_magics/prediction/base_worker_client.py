"""What the two clients of a worker process share: request numbers, timeouts, and responses as values or errors.

`WorkerClient` blocks its thread; `AsyncWorkerClient` serves an event loop. They differ only in how they wait.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aip_magics.errors import WorkerError
from aip_magics.i18n import gettext as _
from aip_magics.prediction import worker_responses
from aip_magics.prediction.messages import WorkerMessage, encode_message, encode_raw_message
from aip_magics.prediction.worker_process import WorkerProcess
from aip_magics.prediction.worker_spec import WorkerSpec

START_SECONDS = 60.0  # for a fork server that is still importing, on a busy machine
LAST_WORDS_SECONDS = 0.1  # for a hanging worker to write its traceback to the log before it is killed
HELLO_NUMBER = 0  # of the message that a worker sends unasked once it serves

STARTING, LOADING, PREDICTING = "starting", "loading", "predicting"  # `worker_responses` says them

PREDICT: Mapping[str, Any] = {"op": "predict"}
PREDICT_HEADER = b'{"op": "predict", "id": %d}'


class BaseWorkerClient:
    """The owner's side of one worker process."""

    def __init__(self, spec: WorkerSpec, process: WorkerProcess) -> None:
        self.spec = spec
        self.stats: Mapping[str, Any] = {}  # of the last predict: the service's names, microseconds
        self._process = process
        self._number = HELLO_NUMBER
        self._ended = False

    @property
    def pid(self) -> int:
        return self._process.handle.pid

    @property
    def log(self) -> Path:
        """The file with the standard output and error of the model's code."""
        return self._process.log

    @property
    def forked(self) -> bool:
        """Whether a fork server forked it."""
        return self._process.forked

    def log_tail(self, lines: int = 30) -> str:
        """The last lines of the log."""
        return self._process.log_tail(lines)

    def _encode_request(self, header: Mapping[str, Any], payload: bytes) -> tuple[int, bytes]:
        """Number a request; the number and the bytes to send. WorkerError if the worker was ended."""
        if self._ended:
            raise WorkerError(_("the worker exited before this request"), where=str(self.spec.model_dir))
        self._number += 1
        if header is PREDICT:  # the common one
            return self._number, encode_raw_message(PREDICT_HEADER % self._number, payload)
        return self._number, encode_message({**header, "id": self._number}, payload)

    def _raise_for_error(self, response: WorkerMessage, log_mark: int | None = None) -> None:
        """Raise the error that the response says, with the log since `log_mark` or else its last lines."""
        if not response.header.get("ok"):
            log = self._process.log_since(log_mark) if log_mark is not None else self.log_tail()
            raise worker_responses.response_error(response, self.spec.model_dir, log)

    def _greet(self, hello: WorkerMessage) -> None:
        """Take the process id from the worker's hello: a forked worker has no other way to tell it."""
        self._process.handle.pid = int(hello.header["pid"])

    def _predicted(self, response: WorkerMessage) -> bytes:
        self.stats = response.header.get("stats") or {}
        return response.payload

    def _timeout_error(self, seconds: float, doing: str) -> WorkerError:
        return worker_responses.worker_timed_out(seconds, doing, self.spec.model_dir, self.log_tail())

    def _crash_error(self, code: int | None, doing: str) -> WorkerError:
        return worker_responses.worker_crashed(code, doing, self.spec.model_dir, self.log_tail())
