"""A worker process as its owner holds it: socket, log, temporary directory, and how it ends."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from aip_magics.errors import WorkerError
from aip_magics.i18n import gettext as _

FOLDER = Path(__file__).with_name("worker")
STATUS = struct.Struct(">i")
GRACE = 1.0  # seconds a worker has to leave by itself when we hang up
TAIL = 1 << 16  # bytes of a log that are read for its last lines


class ProcessHandle(Protocol):
    """The end of a process that was spawned or forked."""

    pid: int

    def wait(self, timeout: float) -> int | None:
        """The exit code (minus the signal) once the process has ended, None if it has not within `timeout` seconds."""

    def kill(self) -> None:
        """End the process and its children now."""

    def detach(self) -> None:
        """Close what is open for watching it; it is not ours to wait for any more."""


class SpawnedProcess:
    """A child of ours."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._popen = popen
        self._gone = False
        self.pid = popen.pid

    def wait(self, timeout: float) -> int | None:
        try:
            code = self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        if not self._gone:
            self._gone = True
            kill_group(self.pid)  # what the model's code started and left behind
        return code

    def kill(self) -> None:
        if self._popen.poll() is None:
            kill_group(self.pid)
            self._popen.wait()

    def detach(self) -> None:
        if self._popen.returncode is None:
            self._popen.returncode = 0  # or its destructor warns: in a fork of this process it is not our child
        if self._popen.stdin is not None:
            with contextlib.suppress(OSError):
                self._popen.stdin.close()


class ForkedProcess:
    """A child of a fork server, which reports over the lifeline how the child ended, and ends it on request."""

    def __init__(self, lifeline: socket.socket) -> None:
        self._lifeline = lifeline
        self._code: int | None = None
        self._lock = threading.Lock()
        self.pid = 0  # known with its hello

    def wait(self, timeout: float) -> int | None:
        with self._lock:
            if self._code is None:
                try:
                    self._lifeline.settimeout(timeout)
                    status = self._lifeline.recv(STATUS.size)
                except (TimeoutError, BlockingIOError):
                    return None
                except OSError:
                    status = b""
                whole = len(status) == STATUS.size
                self._code = STATUS.unpack(status)[0] if whole else self._orphaned(timeout)
            return self._code

    def kill(self) -> None:
        with contextlib.suppress(OSError):  # it ended already, or its fork server did
            self._lifeline.sendall(b"K")
        if self.wait(5.0) is None:
            kill_group(self.pid)

    def detach(self) -> None:
        self._lifeline.close()

    def _orphaned(self, timeout: float) -> int | None:
        # The fork server is gone: nothing will report how the worker ends, so make sure that it does.
        kill_group(self.pid)
        until = time.monotonic() + timeout
        while _exists(self.pid) and time.monotonic() < until:
            time.sleep(0.01)
        return None if _exists(self.pid) else -signal.SIGKILL


def kill_group(pid: int) -> None:
    """Kill the worker `pid` and what it started. Each worker leads a process group of its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if pid > 0 and sys.platform != "win32":
            os.killpg(pid, signal.SIGKILL)
        elif pid > 0:
            os.kill(pid, signal.SIGTERM)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return pid > 0


@dataclasses.dataclass(frozen=True)
class ProcessResources:
    """What a process is born with: its log (a path and an open descriptor) and its own temporary directory."""

    log: Path
    log_fd: int
    temp_dir: Path

    @classmethod
    def make(cls, log_dir: Path) -> ProcessResources:
        log_dir.mkdir(parents=True, exist_ok=True)
        made, log = tempfile.mkstemp(prefix="worker-", suffix=".log", dir=log_dir)
        os.close(made)
        # For appending, so that a log which grows too large can be cut while it is written to.
        log_fd = os.open(log, os.O_WRONLY | os.O_APPEND)
        return cls(Path(log), log_fd, Path(tempfile.mkdtemp(prefix="aip-worker-")))


class WorkerProcess:
    """A worker process and the connected socket to it. Ended by `close`, by the garbage collector, or at exit."""

    def __init__(self, sock: socket.socket, handle: ProcessHandle, resources: ProcessResources) -> None:
        self.sock = sock
        self.handle = handle
        self.log = resources.log
        self.temp_dir = resources.temp_dir
        # At exit too: `finalize` runs what is left then. It must not hold `self`.
        self._end = weakref.finalize(self, _end, sock, handle, self.temp_dir, os.getpid())
        _live.add(self)

    @property
    def forked(self) -> bool:
        return isinstance(self.handle, ForkedProcess)

    def close(self) -> None:
        """Hang up, wait for the end of the process, kill it if it does not come; remove its temporary files."""
        self._end()

    def kill(self) -> None:
        """End the process now."""
        if self._end.alive:
            self.handle.kill()

    def dump_traceback(self) -> None:
        """Have the process write to its log where it is just now (it answers to SIGUSR1 even in a loop)."""
        if sys.platform != "win32" and self.handle.pid > 0:
            with contextlib.suppress(OSError):
                os.kill(self.handle.pid, signal.SIGUSR1)

    def is_disconnected(self) -> bool:
        """Whether the process closed the socket: it is seen here before anyone has reaped the process."""
        if self.sock.fileno() < 0:
            return True
        if sys.platform == "win32":
            return False
        poll = select.poll()
        poll.register(self.sock, 0)
        return bool(poll.poll(0))

    def log_size(self) -> int:
        with contextlib.suppress(OSError):
            return self.log.stat().st_size
        return 0

    def log_since(self, mark: int, limit: int = TAIL) -> str:
        """What was written to the log after its first `mark` bytes, at most the last `limit` bytes of it."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(mark, self.log_size() - limit))
                return file.read(limit).decode("utf-8", "replace")
        except OSError:
            return ""

    def log_tail(self, lines: int = 30) -> str:
        """The last lines of the log."""
        return "\n".join(self.log_since(0).splitlines()[-lines:])


def _end(sock: socket.socket, handle: ProcessHandle, temp_dir: Path, owner: int) -> None:
    if os.getpid() != owner:
        return  # a fork of ours: the worker is not its
    sock.close()
    if handle.wait(GRACE) is None:
        handle.kill()
    handle.detach()
    shutil.rmtree(temp_dir, ignore_errors=True)


_live: weakref.WeakSet[WorkerProcess] = weakref.WeakSet()


def _after_fork() -> None:
    # A forked child of the kernel must not keep the workers' sockets: they would outlive their owner.
    for process in list(_live):
        process.sock.close()
        process.handle.detach()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def spawn(
    python: str, resources: ProcessResources, variables: Mapping[str, str]
) -> tuple[socket.socket, SpawnedProcess]:
    """A new worker process of the interpreter `python`, and the socket to it. WorkerError if it cannot start."""
    if sys.platform == "win32":
        return spawn_connecting(python, resources, variables)
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            popen = popen_worker(
                python, ["serve", str(theirs.fileno())], resources.log_fd, resources.temp_dir, variables, theirs
            )
        except BaseException:
            ours.close()
            raise
    return ours, SpawnedProcess(popen)


def spawn_connecting(
    python: str, resources: ProcessResources, variables: Mapping[str, str]
) -> tuple[socket.socket, SpawnedProcess]:
    """The same where sockets cannot be inherited: the worker connects to us and shows the secret it was told."""
    secret = os.urandom(16).hex()
    with socket.create_server(("127.0.0.1", 0)) as server:
        popen = popen_worker(python, ["connect"], resources.log_fd, resources.temp_dir, variables)
        handle = SpawnedProcess(popen)
        assert popen.stdin is not None
        try:
            popen.stdin.write(f"{server.getsockname()[1]} {secret}\n".encode())
            popen.stdin.flush()
            return _accept(server, secret), handle
        except OSError as error:
            handle.kill()
            handle.detach()
            raise WorkerError(
                _("{python} did not connect: {error}", python=python, error=error),
                log=resources.log.read_text("utf-8"),
            ) from error


def _accept(server: socket.socket, secret: str) -> socket.socket:
    server.settimeout(30.0)
    while True:
        sock, _unused = server.accept()
        sock.settimeout(5.0)
        with contextlib.suppress(OSError):
            if sock.recv(len(secret), socket.MSG_WAITALL) == secret.encode():
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return sock
        sock.close()  # someone else on this machine


def popen_worker(
    python: str,
    arguments: list[str],
    log_fd: int,
    temp_dir: Path | None,
    variables: Mapping[str, str],
    passed: socket.socket | None = None,
) -> subprocess.Popen[bytes]:
    """The worker folder run by `python`, in a session of its own so that no Ctrl-C of ours reaches it."""
    try:
        return subprocess.Popen(
            [python, "-u", str(FOLDER), *arguments],
            stdin=subprocess.DEVNULL if passed is not None else subprocess.PIPE,
            stdout=log_fd,
            stderr=log_fd,
            cwd=temp_dir,
            env=dict(variables),
            pass_fds=() if passed is None else (passed.fileno(),),
            start_new_session=True,
        )
    except OSError as error:
        fix = _("name an existing Python interpreter")
        raise WorkerError(
            _("the interpreter {python} cannot be run: {strerror}", python=python, strerror=error.strerror), fix=fix
        ) from error
