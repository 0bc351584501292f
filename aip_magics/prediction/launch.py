"""Start a worker process for a model directory and talk to it, one request at a time."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from aip_magics import catalog
from aip_magics.errors import ModelDirError, WorkerError
from aip_magics.i18n import gettext as _
from aip_magics.prediction import process, replies
from aip_magics.prediction.frames import Frame, Unpacker, pack
from aip_magics.prediction.parents import ParentPool
from aip_magics.prediction.process import Forked, Surroundings, WorkerProcess
from aip_magics.prediction.replies import Loaded as Loaded
from aip_magics.prediction.worker_environ import worker_environ

START_SECONDS = 60.0  # for a parent that is still importing, on a busy machine
CHUNK = 1 << 18  # bytes read at once
BARE = "NOTHING"  # what a parent imports that no framework fits
IMPORTED = ("numpy", "scipy", "sklearn", "joblib", "pandas", "xgboost", "tensorflow", "keras")  # by parents
LAST_WORDS = 0.1  # seconds a hanging worker has to write down where it is, before it is killed

STARTING, LOADING, PREDICTING = "starting", "loading", "predicting"  # `replies` says them


@dataclasses.dataclass(frozen=True)
class WorkerSpec:
    """What a worker is to hold.

    `framework` is the API's name (TENSORFLOW, SCIKIT_LEARN, XGBOOST); None lets the files and the object in them
    decide. `python` is the interpreter that runs it, `threads` bounds the threads of OpenMP, BLAS and TensorFlow.
    `packages` are directories of installed packages that come first on the model's path. `prediction_class` is the
    routine `module.Class` that predicts instead of a framework; `package_uris` are only named when it is not found.
    What is not `trusted` may name listed globals only, those of its packages, and those of `trusted_modules`.
    """

    model_dir: Path
    framework: str | None = None
    python: str = sys.executable
    threads: int = 1
    packages: tuple[Path, ...] = ()
    prediction_class: str | None = None
    package_uris: tuple[str, ...] = ()
    trusted: bool = False
    trusted_modules: tuple[str, ...] = ()

    @property
    def preload(self) -> str:
        """The framework to have imported before the model is looked at; BARE if none may be."""
        if self.prediction_class or _brings_its_own(self.packages):
            return BARE
        return self.framework or _framework_of(self.model_dir)

    def load_header(self, temp_dir: Path) -> dict[str, Any]:
        """The header of the `load` request."""
        return {
            "op": "load",
            "model_dir": str(self.model_dir.absolute()),
            "framework": self.framework,
            "threads": self.threads,
            "packages": [str(directory.absolute()) for directory in self.packages],
            "prediction_class": self.prediction_class,
            "package_uris": list(self.package_uris),
            "globals": None if self.trusted else str(catalog.pickle_globals.path()),
            "graph_ops": None if self.trusted else str(catalog.graph_ops_path()),
            "trusted_modules": list(self.trusted_modules),
            "temp_dir": str(temp_dir),
            # A routine and packages are programs of the user's own: they may start others, and use the network.
            "confinement": {"programs": bool(self.prediction_class or self.packages)},
        }


def _framework_of(model_dir: Path) -> str:
    if any((model_dir / name).exists() for name in ("saved_model.pb", "saved_model.pbtxt")):
        return "TENSORFLOW"
    return "XGBOOST" if (model_dir / "model.bst").exists() else "SCIKIT_LEARN"


def _brings_its_own(packages: tuple[Path, ...]) -> bool:
    # What a parent has imported already would win over what the packages bring, and the two would be mixed.
    return any((directory / name).exists() for directory in packages for name in IMPORTED)


def begin(
    spec: WorkerSpec,
    *,
    log_dir: Path,
    parents: ParentPool | None = None,
    environ: Mapping[str, str] | None = None,
) -> WorkerProcess:
    """A process for `spec`, forked from a parent of the pool or spawned; it has not said hello yet.

    ModelDirError if there is no such directory, WorkerError if the interpreter cannot be run. `environ` is what the
    environment of a spawned worker is made from; None takes this process's.
    """
    if not spec.model_dir.is_dir():
        is_file = spec.model_dir.exists()
        raise ModelDirError(
            _("the model directory is not a directory") if is_file else _("the model directory does not exist"),
            where=str(spec.model_dir),
            fix=_("name the directory"),
        )
    surroundings = Surroundings.make(log_dir)
    try:
        if parents is not None:
            forked = _fork(spec, parents, surroundings)
            if forked is not None:
                return forked
        variables = worker_environ(os.environ if environ is None else environ, spec.python, spec.threads)
        sock, handle = process.spawn(spec.python, surroundings, variables)
        return WorkerProcess(sock, handle, surroundings)
    except BaseException:
        shutil.rmtree(surroundings.temp_dir, ignore_errors=True)
        raise
    finally:
        os.close(surroundings.log_fd)


def _fork(spec: WorkerSpec, parents: ParentPool, surroundings: Surroundings) -> WorkerProcess | None:
    ours, theirs = socket.socketpair()
    with theirs:
        # One parent for workers with any number of threads: each is told its own when it loads.
        lifeline = parents.fork((spec.python, spec.preload, 1), theirs, surroundings.log_fd, surroundings.temp_dir)
    if lifeline is None:
        ours.close()
        return None
    return WorkerProcess(ours, Forked(lifeline), surroundings)


class Worker:
    """A worker process that answers. One request at a time; calls from several threads wait for each other."""

    def __init__(self, spec: WorkerSpec, running: WorkerProcess) -> None:
        self.spec = spec
        self.loaded: Loaded | None = None  # once it is
        self.stats: Mapping[str, Any] = {}  # of the last predict: the service's names, microseconds
        self._process = running
        self._frames = Unpacker()
        self._lock = threading.Lock()
        self._number = 0
        self._ended = False

    @property
    def pid(self) -> int:
        return self._process.handle.pid

    @property
    def forked(self) -> bool:
        """Whether it was forked from a preloaded parent."""
        return self._process.forked

    def load(self, deadline: float = 60.0) -> Loaded:
        """Load the model, within `deadline` seconds. PredictionError if it does not load, WorkerError if it died."""
        frame = self._ask(self.spec.load_header(self._process.temp_dir), b"", deadline, LOADING)
        self.loaded = Loaded.from_header(frame.header)
        return self.loaded

    def predict(self, body: bytes, deadline: float = 60.0) -> bytes:
        """The response's body for a request's body (JSON objects both), within `deadline` seconds.

        PredictionError (`kind`, `detail`, `log`) if the model or the request is at fault, the worker goes on then;
        WorkerError if it died or was killed because the deadline passed.
        """
        frame = self._ask({"op": "predict"}, body, deadline, PREDICTING)
        self.stats = frame.header.get("stats") or {}
        return frame.payload

    def ping(self, deadline: float = 10.0) -> str:
        """The version of the Python that runs the worker."""
        return str(self._ask({"op": "ping"}, b"", deadline, "answering").header.get("python"))

    def alive(self) -> bool:
        """Whether it can be asked."""
        return not self._ended and not self._process.hung_up() and self._process.handle.wait(0.0) is None

    def log_tail(self, lines: int = 30) -> str:
        """The last lines that the model's code wrote to standard output and error."""
        return self._process.log_tail(lines)

    def close(self) -> None:
        """End the process and remove its temporary files."""
        self._ended = True
        self._process.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def hello(self, deadline: float = START_SECONDS) -> None:
        """Wait until the process serves. WorkerError if it does not within `deadline` seconds."""
        frame = self._receive(0, time.monotonic() + deadline, deadline, STARTING)
        self._process.handle.pid = int(frame.header["pid"])

    def _ask(self, header: dict[str, Any], payload: bytes, deadline: float, doing: str) -> Frame:
        with self._lock:
            if self._ended:
                raise WorkerError(_("the worker was ended before this request"), where=str(self.spec.model_dir))
            self._number += 1
            mark = self._process.log_size()
            request = pack({**header, "id": self._number, "deadline": deadline}, payload)
            until = time.monotonic() + deadline
            self._send(request, until, deadline, doing)
            frame = self._receive(self._number, until, deadline, doing)
        error = replies.refused(frame, self.spec.model_dir, self._process.log_since(mark) if not _ok(frame) else "")
        if error is not None:
            raise error
        return frame

    def _send(self, request: bytes, until: float, deadline: float, doing: str) -> None:
        with self._watched(deadline, doing):
            self._process.sock.settimeout(max(until - time.monotonic(), 0.001))
            self._process.sock.sendall(request)

    def _receive(self, number: int, until: float, deadline: float, doing: str) -> Frame:
        with self._watched(deadline, doing):
            while True:
                self._process.sock.settimeout(max(until - time.monotonic(), 0.001))
                data = self._process.sock.recv(CHUNK)
                if not data:
                    raise ConnectionResetError
                for frame in self._frames.feed(data):
                    if frame.header.get("id") == number:
                        return frame

    @contextlib.contextmanager
    def _watched(self, deadline: float, doing: str) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            self._process.ask_where()
            time.sleep(LAST_WORDS)
            self._kill()
            raise replies.overdue(deadline, doing, self.spec.model_dir, self.log_tail()) from None
        except OSError:
            code = self._process.handle.wait(process.GRACE)
            self._kill()
            raise replies.died(code, doing, self.spec.model_dir, self.log_tail()) from None
        except BaseException:
            self._kill()  # interrupted in the middle of a frame: nothing that follows could be understood
            raise

    def _kill(self) -> None:
        self._ended = True
        self._process.kill()
        self._process.close()


def _ok(frame: Frame) -> bool:
    return bool(frame.header.get("ok"))


def start(
    spec: WorkerSpec,
    *,
    log_dir: Path,
    parents: ParentPool | None = None,
    environ: Mapping[str, str] | None = None,
) -> Worker:
    """A worker for `spec` that serves, with no model loaded yet. Its log goes to a new file in `log_dir`.

    Forked from a parent of `parents`, spawned if there are none or forking failed. ModelDirError, WorkerError.
    """
    worker = Worker(spec, begin(spec, log_dir=log_dir, parents=parents, environ=environ))
    try:
        worker.hello()
    except WorkerError:
        if not worker.forked:
            raise
        worker = Worker(spec, begin(spec, log_dir=log_dir, environ=environ))
        worker.hello()
    return worker
