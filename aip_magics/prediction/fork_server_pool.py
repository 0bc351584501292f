"""Fork servers: processes that have imported a framework and fork workers from themselves in milliseconds."""

from __future__ import annotations

import array
import contextlib
import dataclasses
import os
import socket
import struct
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from aip_magics.errors import WorkerError
from aip_magics.prediction.worker_environ import worker_environ
from aip_magics.prediction.worker_process import kill_group, popen_worker

CAN_FORK = hasattr(os, "fork") and hasattr(socket, "CMSG_SPACE")
LENGTH = struct.Struct(">I")
Key = tuple[str, str, int]  # interpreter, framework, threads (read by OpenMP and BLAS when they are imported)


@dataclasses.dataclass(frozen=True)
class _ForkServer:
    popen: subprocess.Popen[bytes]
    control: socket.socket

    def fork(self, data: socket.socket, log_fd: int, temp_dir: Path) -> socket.socket | None:
        """The lifeline of a new worker that serves `data`; None if the fork server is gone."""
        ours, theirs = socket.socketpair()
        place = os.fsencode(temp_dir)
        descriptors = array.array("i", [data.fileno(), log_fd, theirs.fileno()])
        with theirs:
            try:
                self.control.sendmsg([b"F"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
                self.control.sendall(LENGTH.pack(len(place)) + place)
            except OSError:
                ours.close()
                return None
        return ours


class ForkServerPool:
    """Fork servers, one for each (interpreter, framework, threads), at most `limit`. Thread-safe.

    `environ` is the environment the workers' own is made from; None takes this process's. What importing writes goes
    to files in `log_dir`, nowhere without it.
    """

    def __init__(
        self, *, limit: int = 3, log_dir: Path | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        self._limit = limit
        self._log_dir = log_dir
        self._environ = environ
        self._servers: dict[Key, _ForkServer] = {}  # the least recently used first
        self._retired: list[_ForkServer] = []  # they end with their last worker
        self._lock = threading.Lock()
        self._finalizer = weakref.finalize(self, _end_all, self._servers, self._retired, os.getpid())
        _pools.add(self)

    def preload(self, python: str = sys.executable, framework: str = "SCIKIT_LEARN", threads: int = 1) -> bool:
        """Start the fork server if it does not run yet; return before it has imported anything.

        False where there is no fork or the interpreter cannot be run: workers are spawned then.
        """
        with self._lock:
            return self._get((python, framework, threads)) is not None

    def fork(self, key: Key, data: socket.socket, log_fd: int, temp_dir: Path) -> socket.socket | None:
        """Fork a worker that serves `data` and logs to `log_fd`: its lifeline, or None if it has to be spawned.

        The fork server removes `temp_dir` when the worker has ended, also if this process was killed before.
        """
        with self._lock:
            for _ in range(2):  # a fork server that died since is replaced once
                server = self._get(key)
                lifeline = server.fork(data, log_fd, temp_dir) if server is not None else None
                if lifeline is not None:
                    return lifeline
                self._forget(key)
        return None

    def pids(self) -> list[int]:
        """The processes of this pool."""
        with self._lock:
            return [server.popen.pid for server in [*self._servers.values(), *self._retired]]

    def close(self) -> None:
        """End the fork servers. Workers that still have a client stay."""
        with self._lock:
            _end_all(self._servers, self._retired, os.getpid())

    def __enter__(self) -> ForkServerPool:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _get(self, key: Key) -> _ForkServer | None:
        self._retired[:] = [server for server in self._retired if not _reaped(server)]
        server = self._servers.pop(key, None)
        if server is not None and _reaped(server):
            server = None
        if server is None:
            while len(self._servers) >= max(self._limit, 1):
                self._forget(next(iter(self._servers)))
            server = _start(key, self._log_dir, self._environ)
        if server is not None:
            self._servers[key] = server
        return server

    def _forget(self, key: Key) -> None:
        server = self._servers.pop(key, None)
        if server is not None:
            server.control.close()
            self._retired.append(server)

    def _drop(self) -> None:
        # In a fork of this process: the fork servers are not ours, and a lock may be held by a thread that is not here.
        self._lock = threading.Lock()
        for server in [*self._servers.values(), *self._retired]:
            server.control.close()
            server.popen.returncode = 0  # not our child: do not wait for it
        self._servers.clear()
        self._retired.clear()


def _start(key: Key, log_dir: Path | None, environ: Mapping[str, str] | None) -> _ForkServer | None:
    if not CAN_FORK:
        return None
    python, framework, threads = key
    variables = worker_environ(os.environ if environ is None else environ, python, threads)
    ours, theirs = socket.socketpair()
    with theirs, _log(log_dir, framework) as log:
        try:
            popen = popen_worker(
                python, ["parent", str(theirs.fileno()), framework], log.fileno(), None, variables, theirs
            )
        except WorkerError:
            ours.close()
            return None
    return _ForkServer(popen, ours)


def _log(log_dir: Path | None, framework: str) -> BinaryIO:
    return Path(os.devnull).open("wb") if log_dir is None else (log_dir / f"parent-{framework}.log").open("ab")


def _reaped(server: _ForkServer) -> bool:
    if server.popen.poll() is None:
        return False
    server.control.close()
    return True


def _end_all(servers: dict[Key, _ForkServer], retired: list[_ForkServer], owner: int) -> None:
    if os.getpid() != owner:
        return
    for server in [*servers.values(), *retired]:
        server.control.close()
        if server.popen.poll() is None:
            kill_group(server.popen.pid)  # it holds nothing worth waiting for; its workers have groups of their own
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.popen.wait(5.0)
    servers.clear()
    retired.clear()


_pools: weakref.WeakSet[ForkServerPool] = weakref.WeakSet()


def _after_fork() -> None:
    for pool in list(_pools):
        pool._drop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
