"""A worker on one socket: messages, operations, and termination when the owner closes the connection."""

# ruff: noqa: UP032, SIM105, ARG002

import faulthandler
import json
import os
import platform
import select
import shutil
import signal
import socket
import struct
import sys
import tempfile
import threading
import time
import traceback
import types
from typing import Any

from . import cleanup_process, descriptor_limit, landlock
from .confinement import adapt_joblib, confine
from .errors import ModelError, NotTrusted, Text, error_text
from .load import open_model
from .log_stream import drop_what_does_not_fit
from .predict import predict
from .stats import Stats
from .thread_limits import set_thread_limit

HEAD = struct.Struct(">II")
CHUNK = 1 << 16  # bytes received at once
TRACEBACK_LIMIT = 8000  # characters of a traceback in a response
LIBRARIES = (
    ("scikit-learn", "sklearn"),
    ("xgboost", "xgboost"),
    ("numpy", "numpy"),
    ("scipy", "scipy"),
    ("joblib", "joblib"),
    ("pandas", "pandas"),
    ("tensorflow", "tensorflow"),
)


class MessageChannel:
    """Messages over a stream socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.received = bytearray()

    def send(self, header: "dict[str, Any]", payload: bytes = b"") -> None:
        head = json.dumps(header).encode("utf-8")
        self.sock.sendall(HEAD.pack(len(head), len(payload)) + head + payload)

    def receive(self) -> "tuple[dict[str, Any], bytes] | None":
        """The next message, or None at the end of the connection."""
        sizes = self.receive_exactly(HEAD.size)
        if sizes is None:
            return None
        head, payload = [self.receive_exactly(size) for size in HEAD.unpack(sizes)]
        return None if head is None or payload is None else (json.loads(head.decode("utf-8")), payload)

    def receive_exactly(self, size: int) -> "bytes | None":
        while len(self.received) < size:
            # Receive as much as available, so that a small request takes one system call.
            data = self.sock.recv(max(CHUNK, size - len(self.received)))
            if not data:
                return None
            self.received += data
        data = bytes(self.received[:size])
        del self.received[:size]
        return data


class Worker:
    """The state of one worker: its model, its temporary directory and its protection."""

    def __init__(self, alone: bool = True) -> None:
        self.alone = alone  # no fork server cleans up after this process
        self.model = None  # type: Any
        self.temp_dir = ""
        self.protection = None  # type: Any
        self.confined_to = ""
        self.owner_watch = threading.Thread(target=lambda: None)  # started once this process is confined

    def load(self, header: "dict[str, Any]", payload: bytes) -> "tuple[dict[str, Any], bytes]":
        start = time.perf_counter()
        for name, value in (header.get("variables") or {}).items():
            os.environ.setdefault(name, value)  # what was set for a worker (threads, encoding) stays
        self.use_temp_dir(header.get("temp_dir") or "")
        self.confine(header)
        set_thread_limit(header.get("threads") or 1)  # after confinement, because this may start threads
        self.model = open_model(header)
        adapt_joblib(self.protection)
        return {
            "framework": self.model.framework,
            "class": self.model.class_name,
            "row_wise": getattr(self.model, "row_wise", False),
            "libraries": libraries(),
            "protection": self.protection,
            "load_seconds": time.perf_counter() - start,
        }, b""

    def confine(self, header: "dict[str, Any]") -> None:
        """Permanently give up what no model needs, before any file of the model is opened."""
        if self.protection is None:
            if self.alone and self.temp_dir and landlock.version():
                cleanup_process.start(self.temp_dir)
            self.protection = confine(header, self.temp_dir)
            self.confined_to = header["model_dir"]
            self.owner_watch.start()  # a thread started earlier would not be confined
        elif self.protection["files"] and header["model_dir"] != self.confined_to:
            text = "this worker is confined to the model in {}".format(self.confined_to)
            raise ModelError("FAILED_TO_LOAD_MODEL", text, "start another worker")

    def use_temp_dir(self, temp_dir: str) -> None:
        """Work in the temporary directory of the owner, which is removed when this process ends."""
        if temp_dir:
            self.temp_dir = tempfile.tempdir = temp_dir
            for name in ("TMPDIR", "TEMP", "TMP"):
                os.environ[name] = temp_dir
            os.chdir(temp_dir)

    def predict(self, header: "dict[str, Any]", payload: bytes) -> "tuple[dict[str, Any], bytes]":
        if self.model is None:
            raise ModelError("FAILED_TO_LOAD_MODEL", "no model is loaded", "send load before predict")
        stats = Stats()
        answer = predict(self.model, payload, stats)
        return {"stats": stats}, answer

    def ping(self, header: "dict[str, Any]", payload: bytes) -> "tuple[dict[str, Any], bytes]":
        return {"python": platform.python_version()}, b""

    def answer(self, header: "dict[str, Any]", payload: bytes) -> "tuple[dict[str, Any], bytes]":
        """Perform the operation of a request. Every exception becomes an error response, so the worker continues."""
        op = header.get("op")
        operations = {"load": self.load, "predict": self.predict, "ping": self.ping, "stop": self.ping}
        try:
            if op not in operations:
                raise ModelError("INVALID_INPUTS", "unknown operation {!r}".format(op))
            fields, payload = operations[op](header, payload)
            return dict(fields, id=header.get("id"), ok=True), payload
        except BaseException as error:  # noqa: BLE001
            if not (isinstance(error, ModelError) and error.kind == "INVALID_INPUTS"):  # then no code of the model ran
                log_exception()
            return {"id": header.get("id"), "ok": False, "error": error_payload(error, op)}, b""


def log_exception() -> None:
    """Write the current exception to the log."""
    try:
        traceback.print_exc()
    except Exception:  # noqa: BLE001, S110 (the model's code may have closed or replaced the stream)
        pass


def error_payload(error: BaseException, op: "Any") -> "dict[str, Any]":
    """Build the `error` field of a response."""
    text = traceback.format_exc()[-TRACEBACK_LIMIT:]
    if isinstance(error, ModelError):
        payload = {"kind": error.kind, "detail": error.detail, "fix": error.fix, "traceback": text}  # type: dict[str, Any]
        if isinstance(error.fix, Text):
            payload.update(fix_template=error.fix.template, fix_values=error.fix.values)
        return dict(payload, distrusted=error.what) if isinstance(error, NotTrusted) else payload
    kind = "FAILED_TO_LOAD_MODEL" if op == "load" else "FAILED_TO_RUN_MODEL"
    detail = "{}: {}".format(type(error).__name__, error_text(error))
    return {"kind": kind, "detail": detail, "fix": "", "traceback": text}


def libraries() -> "dict[str, str]":
    """The libraries that this process imported, with their versions."""
    loaded = [(name, sys.modules.get(module)) for name, module in LIBRARIES]
    versions = {name: str(getattr(module, "__version__", "")) for name, module in loaded if module is not None}
    return dict(versions, python=platform.python_version())


def serve(sock: socket.socket, lifeline: "int | None" = None, alone: bool = True) -> None:
    """Answer requests until the owner closes the connection. Never returns. `alone`: there is no fork server."""
    # `__main__.Name` in a pickle must not resolve to a name of this script, and child processes must not rerun it.
    sys.modules["__main__"] = types.ModuleType("__main__")
    descriptor_limit.restore()
    drop_what_does_not_fit()
    faulthandler.enable()
    if hasattr(faulthandler, "register"):
        # The owner requests a traceback before it kills a hanging worker.
        faulthandler.register(signal.SIGUSR1, all_threads=False)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker, channel = Worker(alone), MessageChannel(sock)
    worker.owner_watch = threading.Thread(target=watch, args=(sock, lifeline, worker), name="aip-owner", daemon=True)
    try:
        channel.send({"id": 0, "ok": True, "pid": os.getpid(), "python": platform.python_version()})
        while True:
            message = channel.receive()
            if message is None:
                break
            answer, payload = worker.answer(*message)
            flush()
            channel.send(answer, payload)
            if message[0].get("op") == "stop":
                break
    except OSError:
        pass  # the owner has ended
    terminate(worker)


def watch(sock: socket.socket, lifeline: "int | None", worker: Worker) -> None:
    """End the process when the owner closes the connection, even while the model's code hangs."""
    if lifeline is not None:
        while os.read(lifeline, 1):
            pass
    else:
        poll = select.poll()
        poll.register(sock.fileno(), 0)  # no events: a closed connection is always reported
        while not poll.poll():
            pass
    terminate(worker)


def terminate(worker: Worker) -> None:
    """End this process and the processes that the model's code started."""
    flush()
    if worker.temp_dir:
        shutil.rmtree(worker.temp_dir, ignore_errors=True)
    if hasattr(os, "getpgrp") and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # noqa: BLE001, S110 (the model's code may have closed or replaced it)
            pass
