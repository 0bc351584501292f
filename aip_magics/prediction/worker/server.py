"""One worker on one socket: frames, operations, and its end when the owner hangs up."""

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

from . import cleanup_process, landlock
from .confinement import after, confine
from .errors import ModelError, NotTrusted, error_text
from .load import open_model
from .predict import predict
from .stats import Stats
from .thread_limits import set_thread_limit

HEAD = struct.Struct(">II")
CHUNK = 1 << 16  # bytes received at once
TRACEBACK_LIMIT = 8000  # characters of a traceback that travel
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
    """Frames over a stream socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.received = bytearray()

    def send(self, header: "dict[str, Any]", payload: bytes = b"") -> None:
        head = json.dumps(header).encode("utf-8")
        self.sock.sendall(HEAD.pack(len(head), len(payload)) + head + payload)

    def receive(self) -> "tuple[dict[str, Any], bytes] | None":
        """The next frame, None at the end of the connection."""
        sizes = self.exactly(HEAD.size)
        if sizes is None:
            return None
        head, payload = [self.exactly(size) for size in HEAD.unpack(sizes)]
        return None if head is None or payload is None else (json.loads(head.decode("utf-8")), payload)

    def exactly(self, size: int) -> "bytes | None":
        while len(self.received) < size:
            # As much as there is: a small request comes whole, by one system call.
            data = self.sock.recv(max(CHUNK, size - len(self.received)))
            if not data:
                return None
            self.received += data
        data = bytes(self.received[:size])
        del self.received[:size]
        return data


class WorkerSession:
    """One worker: its model and its own temporary directory."""

    def __init__(self, alone: bool = True) -> None:
        self.alone = alone  # no parent tidies up after this process
        self.model = None  # type: Any
        self.temp_dir = ""
        self.protection = None  # type: Any
        self.confined_to = ""
        self.guard = threading.Thread(target=lambda: None)  # started once this process is confined

    def load(self, header: "dict[str, Any]", payload: bytes) -> "tuple[dict[str, Any], bytes]":
        start = time.perf_counter()
        self.settle(header.get("temp_dir") or "")
        self.confine(header)
        set_thread_limit(header.get("threads") or 1)  # which may start them
        self.model = open_model(header)
        after(self.protection)
        return {
            "framework": self.model.framework,
            "class": self.model.class_name,
            "libraries": libraries(),
            "protection": self.protection,
            "load_seconds": time.perf_counter() - start,
        }, b""

    def confine(self, header: "dict[str, Any]") -> None:
        """Give up what no model needs, before anything of one is opened. What was given up does not come back."""
        if self.protection is None:
            if self.alone and self.temp_dir and landlock.version():
                cleanup_process.start(self.temp_dir)
            self.protection = confine(header, self.temp_dir)
            self.confined_to = header["model_dir"]
            self.guard.start()  # a thread from before would not be bound by it
        elif self.protection["files"] and header["model_dir"] != self.confined_to:
            text = "this worker is confined to the model in {}".format(self.confined_to)
            raise ModelError("FAILED_TO_LOAD_MODEL", text, "start another worker")

    def settle(self, temp_dir: str) -> None:
        """Work in the directory the owner made for us: temporary files end with us."""
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
        """Do what a request says. Whatever is raised becomes an answer: only a death ends the worker."""
        op = header.get("op")
        operations = {"load": self.load, "predict": self.predict, "ping": self.ping, "stop": self.ping}
        try:
            if op not in operations:
                raise ModelError("INVALID_INPUTS", "the worker has no operation {!r}".format(op))
            fields, payload = operations[op](header, payload)
            return dict(fields, id=header.get("id"), ok=True), payload
        except BaseException as error:  # noqa: BLE001
            report()
            return {"id": header.get("id"), "ok": False, "error": error_payload(error, op)}, b""


def report() -> None:
    """The current exception into the log."""
    try:
        traceback.print_exc()
    except Exception:  # noqa: BLE001, S110 (the model's code may have closed or replaced the stream)
        pass


def error_payload(error: BaseException, op: "Any") -> "dict[str, str]":
    text = traceback.format_exc()[-TRACEBACK_LIMIT:]
    if isinstance(error, ModelError):
        refused = {"kind": error.kind, "detail": error.detail, "fix": error.fix, "traceback": text}
        return dict(refused, distrusted=error.what) if isinstance(error, NotTrusted) else refused
    kind = "FAILED_TO_LOAD_MODEL" if op == "load" else "FAILED_TO_RUN_MODEL"
    detail = "{}: {}".format(type(error).__name__, error_text(error))
    return {"kind": kind, "detail": detail, "fix": "", "traceback": text}


def libraries() -> "dict[str, str]":
    """The libraries this process really imported, with their versions."""
    loaded = [(name, sys.modules.get(module)) for name, module in LIBRARIES]
    versions = {name: str(getattr(module, "__version__", "")) for name, module in loaded if module is not None}
    return dict(versions, python=platform.python_version())


def serve(sock: socket.socket, lifeline: "int | None" = None, alone: bool = True) -> None:
    """Answer requests until the owner hangs up. Does not return. `alone`: no parent of ours tidies up after us."""
    # A pickle's `__main__.Name` must not find this file's names, nor a child of the model's run it again.
    sys.modules["__main__"] = types.ModuleType("__main__")
    faulthandler.enable()
    if hasattr(faulthandler, "register"):
        faulthandler.register(signal.SIGUSR1, all_threads=False)  # the owner asks where we hang before it kills us
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    session, channel = WorkerSession(alone), MessageChannel(sock)
    session.guard = threading.Thread(target=watch, args=(sock, lifeline, session), name="aip-owner", daemon=True)
    try:
        channel.send({"id": 0, "ok": True, "pid": os.getpid(), "python": platform.python_version()})
        while True:
            frame = channel.receive()
            if frame is None:
                break
            answer, payload = session.answer(*frame)
            flush()
            channel.send(answer, payload)
            if frame[0].get("op") == "stop":
                break
    except OSError:
        pass  # the owner is gone
    terminate(session)


def watch(sock: socket.socket, lifeline: "int | None", session: WorkerSession) -> None:
    """End the process when the owner hangs up, even while the model's code does not come back."""
    if lifeline is not None:
        while os.read(lifeline, 1):
            pass
    else:
        poll = select.poll()
        poll.register(sock.fileno(), 0)  # asks for nothing: what is always reported is hanging up
        while not poll.poll():
            pass
    terminate(session)


def terminate(session: WorkerSession) -> None:
    """End this process and those the model's code started."""
    flush()
    if session.temp_dir:
        shutil.rmtree(session.temp_dir, ignore_errors=True)
    if hasattr(os, "getpgrp") and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(0)


def flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # noqa: BLE001, S110 (the model's code may have closed or replaced it)
            pass
