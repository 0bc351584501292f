"""Try a container without Docker: run its entry point as a process, and probe it as the platform would.

Vertex AI opens a connection to the port (four attempts, ten seconds apart, then it restarts the container), asks the
health route until it answers 200, and only then sends requests. What a deployment tells after twenty minutes as "model
server never became ready" is known here in seconds.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, ClassVar

from aip_magics.errors import ModelDirError
from aip_magics.i18n import gettext as _
from aip_magics.prediction.worker_environ import worker_environ
from aip_magics.prediction.worker_process import kill_group
from aip_magics.serving.manifest import FILE_NAME, Manifest

HOST = "127.0.0.1"
HEALTH_ROUTE, PREDICT_ROUTE = "/health", "/predict"
ATTEMPTS, PERIOD_SECONDS = 4, 10.0  # of the platform's liveness probe
ANSWER_SECONDS = 10.0  # for an answer to a health check
EXIT_SECONDS = 2.0  # between the end of a connection and that of the process
PREDICT_SECONDS = 60.0  # of an endpoint without a longer timeout
END_SECONDS = 30.0  # after SIGTERM, before the platform kills
SHARED_BYTES = 1_500_000  # of a request or answer on a shared endpoint
_LOG_LINES = 30
_LOG_BYTES = 64 << 10
_PAUSE = 0.05


@dataclasses.dataclass(frozen=True)
class ProbeResult:
    """How a container behaved.

    Attributes:
        directory: The directory of the container.
        reason: What went wrong; empty if nothing did.
        ready_seconds: From the start until the health check answered 200; None if it never did.
        answer: The answer to the prediction request; None if none was sent, or none came.
        notes: What is worth knowing, but no failure.
        log: The last lines that the server wrote.
    """

    panel_kind: ClassVar[str] = "probe"
    directory: Path
    reason: str = ""
    ready_seconds: float | None = None
    answer: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()
    log: str = ""

    @property
    def passed(self) -> bool:
        """Whether the container became ready, and predicted if it was asked to."""
        return not self.reason

    def to_json(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "directory": str(self.directory), "passed": self.passed}


class _Failure(Exception):
    """The reason why the probe ended."""


def probe(
    directory: Path,
    storage_uri: str = "",
    *,
    body: bytes | None = None,
    command: Sequence[str] | None = None,
    period: float = PERIOD_SECONDS,
    ready_timeout: float = 1800.0,
) -> ProbeResult:
    """Run the server of a container's directory, with that directory's code only, and probe it.

    Args:
        directory: The directory that `export_container` wrote.
        storage_uri: The model: a directory or a gs:// URI; empty if the container brings it.
        body: A prediction request to send once the server is ready.
        command: The entry point; None uses that of the exported server.
        period: Seconds between the attempts of the liveness probe.
        ready_timeout: Seconds until the health check has to answer 200 (the deployment timeout).

    Returns:
        The result; a container that fails is a result too.

    Raises:
        ModelDirError: The directory is not the export of a container.
    """
    directory = Path(os.path.abspath(directory))  # without `..`, which the server would show
    if command is None:
        check_directory(directory)
    words = list(command or [sys.executable, "-m", "aip_magics.serving", "--address", HOST])
    port = _free_port()
    # What a killed server leaves behind is in there; its workers may end a moment later.
    with tempfile.TemporaryDirectory(prefix="aip-probe-", ignore_cleanup_errors=True) as temp:
        log = Path(temp) / "log"
        environ = _environ(directory, storage_uri, port, temp)
        with log.open("wb") as stream, _started(words, directory, environ, stream) as process:
            probing = _Probe(process, port, log, time.monotonic(), period, ready_timeout)
            result = ProbeResult(directory)
            try:
                result = dataclasses.replace(result, ready_seconds=probing.wait_until_ready())
                if body is not None:
                    answer, notes = probing.predict(body)
                    result = dataclasses.replace(result, answer=answer, notes=notes)
                result = dataclasses.replace(result, notes=(*result.notes, *probing.end()))
            except _Failure as failure:
                result = dataclasses.replace(result, reason=str(failure))
        return dataclasses.replace(result, log=_tail(log))


def check_directory(directory: Path) -> None:
    """Raise ModelDirError if a directory is not the export of a container that this Python can run."""
    if not (directory / FILE_NAME).is_file():
        text = _("{directory} is not the export of a container: {file} not found", directory=directory, file=FILE_NAME)
        fix = _("export it with {line}", line="%aip_package --container DIR --origin MODEL")
        raise ModelDirError(text, where="--container", fix=fix)
    python = Manifest.read(directory / FILE_NAME).python
    if python and not Path(python).exists():
        text = _(
            "the model of this container needs a Python of its own, which only its image has: {python}", python=python
        )
        raise ModelDirError(text, where="--container", fix=_("try the model with %aip_check --env model"))


def _environ(directory: Path, storage_uri: str, port: int, temp: str) -> dict[str, str]:
    """The environment of the container: what an interpreter needs of ours, and what the platform sets."""
    environ = worker_environ(os.environ, sys.executable, threads=1)
    environ.update(
        dict.fromkeys(("TMPDIR", "TEMP", "TMP"), temp),
        PYTHONPATH=str(directory / "server"),
        PYTHONDONTWRITEBYTECODE="1",  # the directory stays as it was exported
        PYTHONUNBUFFERED="1",
        AIP_MODE="PREDICTION",
        AIP_MODE_VERSION="1.0.0",
        AIP_FRAMEWORK="CUSTOM_CONTAINER",
        AIP_HTTP_PORT=str(port),
        AIP_HEALTH_ROUTE=HEALTH_ROUTE,
        AIP_PREDICT_ROUTE=PREDICT_ROUTE,
        AIP_STORAGE_URI=storage_uri,
    )
    return environ


@contextlib.contextmanager
def _started(
    words: Sequence[str], directory: Path, environ: Mapping[str, str], log: IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    """The running entry point; it and what it started are ended afterwards."""
    process = subprocess.Popen(
        list(words),
        cwd=directory,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        kill_group(process.pid)
        process.wait()


@dataclasses.dataclass(frozen=True)
class _Probe:
    process: subprocess.Popen[bytes]
    port: int
    log: Path
    begun: float
    period: float
    ready_timeout: float

    def wait_until_ready(self) -> float:
        """Wait as the platform does; the seconds until the health check answered 200. _Failure if it does not."""
        self._wait_for_port()
        last = _("no answer")
        until = self.begun + self.ready_timeout
        while time.monotonic() < until:
            self._check_alive()
            status, text = self._ask("GET", HEALTH_ROUTE, None, ANSWER_SECONDS)
            if status == 200:
                return time.monotonic() - self.begun
            last = f"HTTP {status}: {text}" if status else text
            if status == 404:  # it will not be another route later
                break
            time.sleep(_PAUSE)
        seconds = time.monotonic() - self.begun
        raise _Failure(
            _(
                "the model server never became ready: after {seconds:.1f} s GET {route} answered {answer}",
                seconds=seconds,
                route=HEALTH_ROUTE,
                answer=last,
            )
        )

    def _wait_for_port(self) -> None:
        until = self.begun + ATTEMPTS * self.period
        while time.monotonic() < until:
            self._check_alive()
            with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), ANSWER_SECONDS):
                return
            time.sleep(_PAUSE)
        others = ", ".join(map(str, _listening_ports(self.process.pid)))
        values = {"port": self.port, "seconds": ATTEMPTS * self.period}
        if others:
            text = _(
                "the model server never became ready: it listens on port {others}, not on AIP_HTTP_PORT {port}",
                others=others,
                **values,
            )
        else:
            text = _(
                "the model server never became ready: nothing listens on port {port} after {seconds:g} s", **values
            )
        raise _Failure(text)

    def predict(self, body: bytes) -> tuple[dict[str, Any], tuple[str, ...]]:
        """The answer to a request, and notes. _Failure if it is not what the platform accepts."""
        status, text = self._ask("POST", PREDICT_ROUTE, body, PREDICT_SECONDS)
        if status != 200:
            if not status:  # a server that dies closes the connection first
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(EXIT_SECONDS)
            self._check_alive()
            shown = f"HTTP {status}: {_error_text(text)}" if status else text
            raise _Failure(_("the prediction failed: {answer}", answer=shown))
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or not isinstance(answer.get("predictions"), list):
            shown = text if len(text) <= 200 else f"{text[:200]}…"
            raise _Failure(_("expected an object with a list of predictions, got {answer}", answer=shown))
        size = max(len(body), len(text.encode()))
        if size <= SHARED_BYTES:
            return answer, ()
        note = _(
            "{size:.1f} MB are too much for a shared endpoint, which takes {limit:.1f} MB; use a dedicated one",
            size=size / 1e6,
            limit=SHARED_BYTES / 1e6,
        )
        return answer, (note,)

    def end(self) -> tuple[str, ...]:
        """End the server as the platform does; a note if it does not end by itself."""
        self.process.terminate()
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            return (_("the server did not end within {seconds:g} s after SIGTERM", seconds=END_SECONDS),)
        return ()

    def _check_alive(self) -> None:
        code = self.process.poll()
        if code is not None:
            last = [line for line in _tail(self.log).splitlines() if line[:1].strip()][-1:]
            if last:
                raise _Failure(_("the model server exited with code {code}: {reason}", code=code, reason=last[0]))
            raise _Failure(_("the model server exited with code {code} and wrote nothing", code=code))

    def _ask(self, method: str, path: str, body: bytes | None, seconds: float) -> tuple[int, str]:
        """Status and text of an answer; status 0 and the reason if none came."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=seconds)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            return response.status, response.read().decode("utf-8", "replace")
        except TimeoutError:
            return 0, _("no answer within {seconds:g} s", seconds=seconds)
        except (OSError, http.client.HTTPException) as error:
            return 0, str(error) or type(error).__name__
        finally:
            connection.close()


def _error_text(text: str) -> str:
    with contextlib.suppress(ValueError, TypeError, AttributeError):
        value = json.loads(text)
        return str(value.get("error") or value.get("detail") or text)
    return text


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as found:
        port: int = found.getsockname()[1]
        return port


def _listening_ports(pid: int) -> list[int]:
    """The ports that a process listens on; empty where the system does not tell (Linux does)."""
    try:
        links = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{pid}/fd")]
        own = {link[len("socket:[") : -1] for link in links if link.startswith("socket:[")}
        rows = [
            line.split()
            for name in ("tcp", "tcp6")
            for line in Path(f"/proc/{pid}/net/{name}").read_text("ascii").splitlines()[1:]
        ]
    except OSError:
        return []
    return sorted({int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A" and row[9] in own})


def _tail(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LOG_BYTES))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return "\n".join(lines[-_LOG_LINES:])
