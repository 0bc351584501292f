"""A parent imports a framework once, never a model, and forks a worker from itself for each request."""

# ruff: noqa: SIM105

import array
import gc
import importlib
import os
import select
import shutil
import signal
import socket
import struct
import sys
import time
import traceback
import warnings
from typing import Any

from .allowed_globals import read_ahead
from .file_access import prepare
from .server import serve
from .tensorflow_minimal import parts
from .thread_limits import find

STATUS, LENGTH = struct.Struct(">i"), struct.Struct(">I")
GRACE = 1.0  # seconds a worker has to tidy up when its owner hung up
# What a parent imports, and no more: a fork of a process that had a session or device of TensorFlow hangs.
# scikit-learn's own import is cheap; its submodules are what a pickle then waits for.
SKLEARN = (
    "pipeline compose preprocessing impute linear_model ensemble svm neighbors naive_bayes cluster decomposition"
    " feature_extraction.text feature_selection neural_network calibration discriminant_analysis"
)
PRELOAD = {
    "SCIKIT_LEARN": ["joblib"] + ["sklearn." + name for name in SKLEARN.split()],
    "XGBOOST": ["xgboost"],
}


class ForkServer:
    """Forks a worker for each request.

    A request is one byte with three descriptors: the worker's socket, its log and its lifeline. Then comes the path of
    its temporary directory (``>I``, so many bytes), which is removed after it: confined, it cannot do that itself. The
    lifeline tells the owner how the worker ended (``>i``, as subprocess's returncode); the owner writing to it or
    closing it ends the worker."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.children = {}  # type: dict[int, socket.socket]
        self.doomed = {}  # type: dict[int, float]
        self.temp_dirs = {}  # type: dict[int, bytes]
        self.wake, self.waker = os.pipe()
        for end in (self.wake, self.waker):
            os.set_blocking(end, False)

    def run(self) -> None:
        """Serve until the owner hangs up and the last worker ended."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.waker)
        poll = select.poll()
        for end in (self.wake, self.control.fileno()):
            poll.register(end, select.POLLIN)
        listening = True
        while listening or self.children:
            ready = [end for end, _ in poll.poll(self.patience())]
            lifelines = {sock.fileno(): pid for pid, sock in self.children.items()}
            for end in ready:
                if end in lifelines:
                    poll.unregister(end)
                    self.end(lifelines[end])
            if self.wake in ready:
                self.reap(poll)
            if listening and self.control.fileno() in ready:
                lifeline = self.fork()
                if lifeline is None:
                    listening = False
                    poll.unregister(self.control.fileno())
                elif lifeline.fileno() >= 0:
                    poll.register(lifeline.fileno(), select.POLLIN)

    def end(self, pid: int) -> None:
        """The owner wants a worker killed, or has hung up: then the worker leaves by itself, if it can."""
        try:
            asked = self.children[pid].recv(1)
        except OSError:
            asked = b""
        if asked:
            kill(pid)
        else:
            self.doomed[pid] = time.monotonic() + GRACE

    def patience(self) -> "float | None":
        """Kill the workers that did not leave in time; milliseconds until the next may have to be."""
        now = time.monotonic()
        for pid in [pid for pid, until in self.doomed.items() if until <= now]:
            del self.doomed[pid]
            kill(pid)
        return max(min(self.doomed.values()) - now, 0) * 1000 + 1 if self.doomed else None

    def fork(self) -> "socket.socket | None":
        """The lifeline of a new worker (closed if it could not be made), None when the owner hung up."""
        received = array.array("i")
        data, ancillary, _, _ = self.control.recvmsg(1, socket.CMSG_SPACE(3 * received.itemsize))
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                received.frombytes(content[: len(content) - len(content) % received.itemsize])
        if not data or len(received) != 3:
            return None
        try:
            temp_dir = self.exactly(LENGTH.unpack(self.exactly(LENGTH.size))[0])
        except (EOFError, OSError):
            return None
        for end in received:
            os.set_inheritable(end, False)
        sock, log, lifeline = socket.socket(fileno=received[0]), received[1], socket.socket(fileno=received[2])
        try:
            pid = os.fork()
        except OSError:
            traceback.print_exc()
            lifeline.close()  # the owner sees it and spawns instead
        else:
            if pid == 0:
                self.become_worker(sock, log, lifeline)
            own_group(pid)
            self.children[pid] = lifeline
            self.temp_dirs[pid] = temp_dir
        sock.close()
        os.close(log)
        return lifeline

    def exactly(self, size: int) -> bytes:
        """So many bytes of a request."""
        data = b""
        while len(data) < size:
            more = self.control.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def become_worker(self, sock: socket.socket, log: int, lifeline: socket.socket) -> None:
        """In the forked child: keep nothing of the parent's and the other workers', then serve. Does not return."""
        try:
            own_group(0)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for other in [self.control, lifeline, *self.children.values()]:
                other.close()
            os.close(self.wake)
            os.close(self.waker)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.close(log)
            if "numpy.random" in sys.modules:
                sys.modules["numpy.random"].seed()  # or all workers would draw the same numbers
            serve(sock, alone=False)
        finally:
            os._exit(1)

    def reap(self, poll: "Any") -> None:
        while True:
            try:
                os.read(self.wake, 512)
            except OSError:
                break
        for pid in list(self.children):
            done, status = os.waitpid(pid, os.WNOHANG)
            if not done:
                continue
            lifeline = self.children.pop(pid)
            self.doomed.pop(pid, None)
            kill(pid)  # what the model's code started and left behind
            shutil.rmtree(self.temp_dirs.pop(pid), ignore_errors=True)
            try:
                poll.unregister(lifeline.fileno())
            except KeyError:
                pass
            try:
                code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
                lifeline.sendall(STATUS.pack(code))
            except OSError:
                pass  # the owner is gone
            lifeline.close()


def own_group(pid: int) -> None:
    try:
        os.setpgid(pid, 0)
    except OSError:
        pass  # the other side of the fork was first


def kill(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError:
        pass


def preload(framework: str) -> None:
    """Import the framework. What cannot be imported is left to the workers, which tell their owner."""
    names = PRELOAD.get(framework, [])
    if framework == "TENSORFLOW" and parts() is None:
        names = ["tensorflow.compat.v1"]
    for name in names:
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001
            traceback.print_exc()
    find()
    prepare()
    read_ahead()
    gc.collect()
    if hasattr(gc, "freeze"):
        gc.freeze()  # keeps the collector from touching, and so copying, the shared pages
    warnings.filterwarnings("ignore", message=".*fork", category=DeprecationWarning)  # no thread of ours runs here


def run(control: socket.socket, framework: str) -> None:
    """Be a parent on the control socket until the owner hangs up and the last worker ended."""
    preload(framework)
    ForkServer(control).run()
