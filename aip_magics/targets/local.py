"""Target embedded server: found through its state file, started if it does not run."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import http.client
import json
import os
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

from aip_magics import target_types
from aip_magics.client import Transport
from aip_magics.data_directory import check_free_space, create_data_dir, data_dir_error
from aip_magics.errors import ServerError
from aip_magics.i18n import gettext as _
from aip_magics.settings import LOCAL_ENDPOINT, Settings, Sourced, private
from aip_magics.storage import StorageClient, bearer
from aip_magics.targets.base import Target
from aip_magics.targets.capabilities import Capability
from aip_magics.targets.choose import load
from aip_magics.targets.prediction_api import PredictionApiTarget, no_traffic_split, no_undeploy
from aip_magics.targets.state import LOCK_FILE, ServerState

START_SECONDS = 20.0
HEALTH_SECONDS = 2.0
MAX_RESPONSE_BYTES = 64 << 10  # of the server's own routes, which return one line each
_children: list[subprocess.Popen[bytes]] = []  # servers that this process started; reaped after their end
# `-m` would put the working directory first on the path, and PYTHONPATH would apply to workers of other Pythons. So
# the directory of this package (installed or not) is appended to the path, and nothing else changes.
_ROOT = str(Path(__file__).resolve().parents[2])
_BOOT = """import runpy, sys
sys.path[:1] = []
sys.path.append(sys.argv.pop(1))
runpy.run_module("aip_magics.server", run_name="__main__", alter_sys=True)"""
PYTHON_HEADER = "X-Aip-Magics-Python"


class EmbeddedConnection:
    """The embedded server of a data directory: found, or started when it is needed. Several targets speak with it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._state: ServerState | None = None
        self.environment: str | None = None  # the interpreter of `Target.serve_with`

    @property
    def url(self) -> str:
        """Base URL; a placeholder as long as no server runs."""
        state = self._state or ServerState.read(self._settings.data_dir)
        return state.url if state else "http://127.0.0.1:PORT"

    def connect(self) -> str:
        """Find the server, or start it; returns one line for the user."""
        project = self._settings.project.value
        self._state = running(self._settings.data_dir)
        if self._state:
            return _("embedded server found at {url} (project {project})", url=self._state.url, project=project)
        self._state = start(self._settings.data_dir)
        return _("embedded server started at {url} (project {project})", url=self._state.url, project=project)

    @property
    def state(self) -> ServerState:
        """The connected server."""
        if self._state is None:
            self.connect()
        assert self._state is not None
        return self._state

    def transport(self, headers: Mapping[str, str] = MappingProxyType({})) -> Transport:
        # The Python that deploys a version serves it, so that a model loads with the libraries it was trained with,
        # unless --env builds an environment.
        return Transport(self.state.url, self.session(), headers={**self._python_header(), **headers})

    def preload(self, framework: str) -> None:
        """Announce a version of this framework; the next call, which needs the server, reports its errors."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            body = json.dumps({"framework": framework}).encode()
            _call(self.state, "POST", "/aip-magics/warm", 5.0, body, self._python_header())

    def storage_client(self) -> StorageClient:
        return StorageClient(self.state.url, bearer(self.state.token))

    def session(self) -> Any:
        """A new google-auth AuthorizedSession with the token of the server."""
        from google.auth.transport.requests import AuthorizedSession
        from google.oauth2.credentials import Credentials

        session = AuthorizedSession(Credentials(token=self.state.token), refresh_status_codes=())
        # The user's proxy or .netrc must neither see nor change requests to the loopback server.
        session.trust_env = False
        return session

    def _python_header(self) -> dict[str, str]:
        python = this_python() if self.environment is None else urllib.parse.quote(self.environment)
        return {PYTHON_HEADER: python}


def embedded_siblings(target: Target) -> Iterator[Target]:
    """The other endpoints of the embedded server, of both APIs, which have the same buckets."""
    for kind in (target_types.LOCAL, target_types.VERTEX):
        endpoint = Sourced(LOCAL_ENDPOINT, "argument") if kind.has_local_endpoint else None
        found = load(kind.name)
        for name in found.regions():
            region = None if name == "global" else Sourced(name, "argument")
            settings = dataclasses.replace(
                target.settings, target=Sourced(kind.name, "argument"), endpoint=endpoint, region=region
            )
            sibling = found(settings)
            if (sibling.name, sibling.region) != (target.name, target.region):
                yield sibling


class LocalTarget(PredictionApiTarget):
    poll_seconds = 0.25
    runs_here = True
    is_cloud = False
    server_defaults = ("machineType",)  # the embedded server enforces the limits of a machine type that a request names

    @functools.cached_property
    def _connection(self) -> EmbeddedConnection:
        return EmbeddedConnection(self.settings)

    @property
    def endpoint(self) -> str:
        return self._connection.url

    @property
    def storage_url(self) -> str:
        return self.endpoint

    def connect(self) -> str:
        return self._connection.connect()

    def missing(self) -> Mapping[Capability, str]:
        return {
            Capability.CONTAINERS: _("the embedded server runs no containers"),
            Capability.TRAFFIC_SPLIT: no_traffic_split(),
            Capability.UNDEPLOY: no_undeploy(),
        }

    def list_siblings(self) -> Iterator[Target]:
        return embedded_siblings(self)

    def preload(self, framework: str) -> None:
        self._connection.preload(framework)

    def serve_with(self, python: str) -> None:
        self._connection.environment = python

    def get_other_python(self, model: str, version: str) -> str | None:
        if self._connection.environment is None:
            return None
        python = str(self.client.version_runtime(model, version).get("python") or "")
        return None if python == self._connection.environment else python

    def _transport(self) -> Transport:
        # The embedded server is global and regional at once: as with Google, the host name decides which.
        return self._connection.transport({"Host": f"{self.region}-ml.googleapis.com"} if self.region else {})

    def _storage_client(self) -> StorageClient:
        return self._connection.storage_client()

    def _session(self) -> Any:
        return self._connection.session()


def running(data_dir: Path) -> ServerState | None:
    """The server of this data directory, if it is alive; the state file alone may be from before a crash.

    SettingsError if other users can write to the directory: their state file would send our models to their server.
    """
    state = ServerState.read(private(data_dir))
    return state if state and _healthy(state) else None


def start(data_dir: Path, *options: str) -> ServerState:
    """Start a detached server, which outlives this process, and wait until it responds.

    Two processes may do so at once: the server holds a lock, and the second process finds the server of the first.

    Raises:
        SettingsError: The data directory cannot be created or written to, or its disk is full.
        ServerError: The server did not start.
    """
    log = create_data_dir(data_dir) / "start.log"
    command = _command(data_dir, options)
    process = _spawn(command, log)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if state := running(data_dir):
            return state
        if process.poll() not in (None, 3):  # 3: another server holds the lock and will respond soon
            break
        if process.returncode == 3 and not _is_locked(data_dir):  # it was `server disk`, or a server that has ended
            process = _spawn(command, log)
        time.sleep(0.02)
    check_free_space(data_dir)  # on a full disk the server cannot even write why it failed
    if state := check_answers(data_dir):
        return state
    tail = log.read_text("utf-8", "replace").strip().splitlines()[-1:] or [_("no output")]
    raise ServerError(
        _("the embedded server did not start: {tail}", tail=tail[0]),
        where=str(log),
        fix=_("check that log, or run `aip-magics server start --foreground` to see the output in the terminal"),
    )


def _spawn(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    with _open_log(log) as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=log.parent,
            env={
                name: value for name, value in os.environ.items() if name != "AIP_MAGICS_TOKEN"
            },  # the server has a file for it
            start_new_session=True,  # an interrupted cell or a restarted kernel must not stop the server
        )
    _children.append(process)
    return process


def _open_log(log: Path) -> BinaryIO:
    try:
        return log.open("wb")
    except OSError as error:
        raise data_dir_error(log.parent, error) from error


def serve(data_dir: Path, *options: str) -> None:
    """Run a server in the foreground, with its log in the terminal, until Ctrl-C. ServerError if it fails."""
    process = subprocess.Popen([*_command(data_dir, options), "--foreground"], stdin=subprocess.DEVNULL)
    while process.returncode is None:
        # Ctrl-C reaches the server, too: it stops by itself, and we wait for it.
        with contextlib.suppress(KeyboardInterrupt):
            process.wait()
    if process.returncode:
        check_free_space(data_dir)
        raise ServerError(
            _("the embedded server exited with an error"), where=str(data_dir), fix=_("check the last lines of its log")
        )


def _command(data_dir: Path, options: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-c", _BOOT, _ROOT, "--data-dir", str(data_dir), *options]


def stop(data_dir: Path, seconds: float = 15.0) -> bool:
    """Stop the server of this data directory; False if none was running."""
    state = running(data_dir) or check_answers(data_dir)
    if state is None:
        return False
    with contextlib.suppress(OSError, http.client.HTTPException):  # it may exit before its response arrives
        _call(state, "POST", "/aip-magics/stop", seconds)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not _healthy(state) and not exists(state.pid):
            return True
        time.sleep(0.02)
    raise ServerError(
        _("the embedded server did not stop"),
        where=_("process {pid}", pid=state.pid),
        fix=f"kill {state.pid}",
    )


def check_answers(data_dir: Path) -> ServerState | None:
    """Ask once more for the server that did not answer: it was busy, or there is none.

    ServerError if one holds the data directory but does not answer: it is too busy, or stopped.
    """
    state = ServerState.read(private(data_dir))
    if state is None or not exists(state.pid) or not _is_locked(data_dir):
        return None
    if _healthy(state):
        return state
    raise ServerError(
        _("the embedded server is running, process {pid}, but does not answer", pid=state.pid),
        where=state.url,
        fix=_("run the command again later, or end the server with kill -9 {pid}", pid=state.pid),
    )


def _is_locked(data_dir: Path) -> bool:
    """Whether a server lives: one that was killed leaves its state file, and its process ID may be another's by now."""
    import filelock

    lock = filelock.FileLock(data_dir / LOCK_FILE)
    try:
        lock.acquire(timeout=0)
    except (filelock.Timeout, OSError):
        return True
    lock.release()
    return False


def measure_disk(data_dir: Path, *, prune: bool = False) -> dict[str, Any]:
    """Measure the data directory, with or without a running server, which is neither started nor stopped.

    Args:
        data_dir: The data directory.
        prune: Whether to delete first what nothing uses.

    Returns:
        See `server.disk.report`, which runs in a process of its own.

    Raises:
        ServerError: The data directory could not be read.
    """
    command = _command(data_dir, ("--disk", *(["--prune"] if prune else [])))
    ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if ran.returncode:
        tail = ran.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or [_("no output")]
        raise ServerError(
            _("could not measure the data directory: {reason}", reason=tail[0]),
            where=str(data_dir),
            fix=_("check the files in that directory and their permissions"),
        )
    report: dict[str, Any] = json.loads(ran.stdout)
    return report


def exists(pid: int) -> bool:
    """Whether the process is running; a zombie is not."""
    for child in [child for child in _children if child.poll() is not None]:
        _children.remove(child)
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        if Path("/proc/self").exists() or os.name == "nt":  # on Windows the response to /healthz has to suffice
            return False
    else:
        return stat.rpartition(")")[2].split()[0] != "Z"
    try:
        os.kill(pid, 0)
    except OSError as error:
        return isinstance(error, PermissionError)
    return True


def _healthy(state: ServerState) -> bool:
    try:
        answer = json.loads(_call(state, "GET", "/healthz", HEALTH_SECONDS))
    except (OSError, ValueError, http.client.HTTPException):
        return False
    return isinstance(answer, dict) and answer.get("pid") == state.pid


def this_python() -> str:
    """Path of this interpreter as the value of a header, which is ASCII only."""
    return urllib.parse.quote(sys.executable)


def _call(
    state: ServerState,
    method: str,
    path: str,
    seconds: float,
    body: bytes | None = None,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> str:
    # urllib, not requests: this call precedes every command, and importing requests takes 0.2 s.
    sent = {"Authorization": f"Bearer {state.token}", **headers}
    request = urllib.request.Request(state.url + path, method=method, data=body, headers=sent)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=seconds) as response:
        text: str = response.read(MAX_RESPONSE_BYTES).decode("utf-8", "replace")
        return text
