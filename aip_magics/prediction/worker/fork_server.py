"""A fork server: imports a framework once, never a model, and forks a worker for each request."""

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

from .allowed_globals import preload_list
from .file_access import prepare
from .server import serve
from .tensorflow_minimal import import_minimal
from .thread_limits import find_libraries

STATUS, LENGTH = struct.Struct(">i"), struct.Struct(">I")
GRACE = 1.0  # seconds a worker has to exit after its owner closed the connection
# The modules to import, and no more: a fork of a process that had a session or device of TensorFlow hangs.
# Importing scikit-learn itself is cheap; loading a pickle waits for its submodules.
SKLEARN = (
    "pipeline compose preprocessing impute linear_model ensemble svm neighbors naive_bayes cluster decomposition"
    " feature_extraction.text feature_selection neural_network calibration discriminant_analysis"
)
PRELOAD = {
    "SCIKIT_LEARN": ["joblib"] + ["sklearn." + name for name in SKLEARN.split()],
    "XGBOOST": ["xgboost"],
}


class ForkServer:
    """Fork a worker for each request on the control socket.

    A request is one byte with three descriptors: the worker's socket, its log and its lifeline. The path of the
    worker's temporary directory follows (``>I`` for its length, then the bytes); the fork server removes the directory
    when the worker ends, because a confined worker cannot. The lifeline reports the worker's exit status to the owner
    (``>i``, as subprocess's returncode). The owner ends the worker by writing to the lifeline or closing it.
    """

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.children = {}  # type: dict[int, socket.socket]
        self.terminating = {}  # type: dict[int, float]
        self.temp_dirs = {}  # type: dict[int, bytes]
        self.wake, self.waker = os.pipe()
        for descriptor in (self.wake, self.waker):
            os.set_blocking(descriptor, False)

    def run(self) -> None:
        """Serve until the owner closes the control socket and the last worker has ended."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.waker)
        poll = select.poll()
        for descriptor in (self.wake, self.control.fileno()):
            poll.register(descriptor, select.POLLIN)
        listening = True
        while listening or self.children:
            ready = [descriptor for descriptor, _ in poll.poll(self.next_deadline_ms())]
            lifelines = {sock.fileno(): pid for pid, sock in self.children.items()}
            for descriptor in ready:
                if descriptor in lifelines:
                    poll.unregister(descriptor)
                    self.end_worker(lifelines[descriptor])
            if self.wake in ready:
                self.reap(poll)
            if listening and self.control.fileno() in ready:
                lifeline = self.fork()
                if lifeline is None:
                    listening = False
                    poll.unregister(self.control.fileno())
                elif lifeline.fileno() >= 0:
                    poll.register(lifeline.fileno(), select.POLLIN)

    def end_worker(self, pid: int) -> None:
        """Kill a worker if its owner requested that; if the owner closed the lifeline, let the worker exit first."""
        try:
            request = self.children[pid].recv(1)
        except OSError:
            request = b""
        if request:
            kill(pid)
        else:
            self.terminating[pid] = time.monotonic() + GRACE

    def next_deadline_ms(self) -> "float | None":
        """Kill workers that did not exit in time; return the milliseconds until the next deadline, if any."""
        now = time.monotonic()
        for pid in [pid for pid, deadline in self.terminating.items() if deadline <= now]:
            del self.terminating[pid]
            kill(pid)
        return max(min(self.terminating.values()) - now, 0) * 1000 + 1 if self.terminating else None

    def fork(self) -> "socket.socket | None":
        """Fork a worker; return its lifeline (closed if the fork failed), or None if the owner closed the socket."""
        received = array.array("i")
        data, ancillary, _, _ = self.control.recvmsg(1, socket.CMSG_SPACE(3 * received.itemsize))
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                received.frombytes(content[: len(content) - len(content) % received.itemsize])
        if not data or len(received) != 3:
            return None
        try:
            temp_dir = self.receive_exactly(LENGTH.unpack(self.receive_exactly(LENGTH.size))[0])
        except (EOFError, OSError):
            return None
        for descriptor in received:
            os.set_inheritable(descriptor, False)
        sock, log, lifeline = socket.socket(fileno=received[0]), received[1], socket.socket(fileno=received[2])
        try:
            pid = os.fork()
        except OSError:
            traceback.print_exc()
            lifeline.close()  # the owner notices and spawns a process instead
        else:
            if pid == 0:
                self.become_worker(sock, log, lifeline)
            set_own_group(pid)
            self.children[pid] = lifeline
            self.temp_dirs[pid] = temp_dir
        sock.close()
        os.close(log)
        return lifeline

    def receive_exactly(self, size: int) -> bytes:
        """Receive `size` bytes of a request."""
        data = b""
        while len(data) < size:
            more = self.control.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def become_worker(self, sock: socket.socket, log: int, lifeline: socket.socket) -> None:
        """In the forked child: close what belongs to the fork server and other workers, then serve. Never returns."""
        try:
            set_own_group(0)
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
                sys.modules["numpy.random"].seed()  # otherwise all workers would draw the same random numbers
            serve(sock, alone=False)
        finally:
            os._exit(1)

    def reap(self, poll: "Any") -> None:
        """Collect ended workers: kill what they left behind, remove their directories, report their exit status."""
        while True:
            try:
                os.read(self.wake, 512)
            except OSError:
                break
        for pid in list(self.children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended:
                continue
            lifeline = self.children.pop(pid)
            self.terminating.pop(pid, None)
            kill(pid)  # processes that the model's code started and left behind
            shutil.rmtree(self.temp_dirs.pop(pid), ignore_errors=True)
            try:
                poll.unregister(lifeline.fileno())
            except KeyError:
                pass
            try:
                code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
                lifeline.sendall(STATUS.pack(code))
            except OSError:
                pass  # the owner has ended
            lifeline.close()


def set_own_group(pid: int) -> None:
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
    """Import the framework. A failed import is left to the workers, which report it to their owner."""
    names = PRELOAD.get(framework, [])
    if framework == "TENSORFLOW" and import_minimal() is None:
        names = ["tensorflow.compat.v1"]
    for name in names:
        try:
            importlib.import_module(name)
        except Exception:  # noqa: BLE001
            traceback.print_exc()
    find_libraries()
    prepare()
    preload_list()
    gc.collect()
    if hasattr(gc, "freeze"):
        gc.freeze()  # keeps the garbage collector from writing to, and so copying, shared pages
    warnings.filterwarnings("ignore", message=".*fork", category=DeprecationWarning)  # no thread of ours runs here


def run(control: socket.socket, framework: str) -> None:
    """Run a fork server on the control socket until its owner and the last worker have ended."""
    preload(framework)
    ForkServer(control).run()
