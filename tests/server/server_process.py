"""A server process, requests to it, and a look at the processes of this machine."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from aip_magics.artifacts import list_files
from aip_magics.deploy import trust_store
from aip_magics.targets.state import ServerState
from aip_magics.trust import digest

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60.0
ROWS = [[0.0, 0.1], [0.2, 0.0], [3.0, 3.1], [3.2, 2.9]]
LABELS = [0, 0, 1, 1]


@dataclasses.dataclass
class Answer:
    status: int
    body: Any
    headers: Any


class ServerProcess:
    """`python -m aip_magics.server`, and requests to it. `before` is a line for the shell that starts it."""

    def __init__(self, data_dir: Path, *options: str, before: str = "") -> None:
        self.data_dir = data_dir
        self.options = options
        self.before = before
        self.output = data_dir.with_name(f"{data_dir.name}.output")
        self.process: subprocess.Popen[bytes] | None = None
        self.state: ServerState
        self.http = requests.Session()
        self.http.trust_env = False

    def start(self) -> ServerProcess:
        command = [sys.executable, "-m", "aip_magics.server", "--data-dir", str(self.data_dir), *self.options]
        if self.before:
            command = ["sh", "-c", f'{self.before}; exec "$@"', "sh", *command]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        wait_until(lambda: self._answers() or self.process.poll() is not None)
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended: {self.output.read_text()}\n{self.log()}")
        return self

    def _answers(self) -> bool:
        state = ServerState.read(self.data_dir)
        if state is None or self.process is None or state.pid != self.process.pid:
            return False
        self.state = state
        return self.call("GET", "/healthz").status == 200

    @property
    def url(self) -> str:
        return self.state.url

    def call(self, method: str, path: str, body: Any = None, **headers: str | None) -> Answer:
        """A request with the token; header names are given with underscores, None leaves one out."""
        given = {"Authorization": f"Bearer {self.state.token}"}
        given.update({name.replace("_", "-"): value for name, value in headers.items()})
        sent = {name: value for name, value in given.items() if value is not None}
        content = {"data": body} if isinstance(body, bytes) else {"json": body}
        answer = self.http.request(method, self.url + path, headers=sent, timeout=SECONDS, **content)
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        return Answer(answer.status_code, answer.json() if is_json else answer.text, answer.headers)

    def ok(self, method: str, path: str, body: Any = None, **headers: str | None) -> Any:
        answer = self.call(method, path, body, **headers)
        assert answer.status == 200, answer
        return answer.body

    def upload(self, folder: Path, uri: str, *, trusted: bool = False) -> str:
        """Put the files of a folder below `gs://BUCKET/PREFIX`; `trusted`: the user here consents to them."""
        if trusted:
            trust_store.remember(self.data_dir, {digest(file.path): file for file in list_files(folder).files})
        bucket, _, prefix = uri.removeprefix("gs://").partition("/")
        self.call("POST", "/storage/v1/b?project=proj", {"name": bucket})
        for path in sorted(folder.rglob("*")):
            name = requests.utils.quote(f"{prefix}/{path.relative_to(folder).as_posix()}", safe="")
            query = f"uploadType=media&name={name}"
            self.ok("POST", f"/upload/storage/v1/b/{bucket}/o?{query}", path.read_bytes())
        return uri

    def wait(self, operation: dict[str, Any], **headers: str | None) -> dict[str, Any]:
        """The operation once it is done."""
        found: dict[str, Any] = {}

        def done() -> bool:
            found.update(self.ok("GET", f"/v1/{operation['name']}", **headers))
            return bool(found.get("done"))

        wait_until(done)
        return found

    def deploy(
        self, folder: Path, model: str = "m", version: str = "v1", *, trusted: bool = False, **fields: Any
    ) -> dict[str, Any]:
        """Upload, make the model if it is missing, create the version; the operation when it is done."""
        uri = self.upload(folder, f"gs://bucket-of-models/{model}/{version}", trusted=trusted)
        self.call("POST", "/v1/projects/proj/models", {"name": model})
        body = {"name": version, "deploymentUri": uri, **fields}
        return self.wait(self.ok("POST", f"/v1/projects/proj/models/{model}/versions", body))

    def clear(self) -> None:
        """Remove all models with their versions, all objects and all consents: what tests of one server share."""
        for model in self.ok("GET", "/v1/projects/proj/models?pageSize=100").get("models", []):
            versions = self.ok("GET", f"/v1/{model['name']}/versions?pageSize=100").get("versions", [])
            for version in sorted(versions, key=lambda one: bool(one.get("isDefault"))):
                self.ok("DELETE", f"/v1/{version['name']}")
            self.ok("DELETE", f"/v1/{model['name']}")
        for bucket in self.ok("GET", "/storage/v1/b?project=proj").get("items", []):
            for found in self.ok("GET", f"/storage/v1/b/{bucket['name']}/o").get("items", []):
                name = requests.utils.quote(found["name"], safe="")
                assert self.call("DELETE", f"/storage/v1/b/{bucket['name']}/o/{name}").status == 204
        (self.data_dir / "trusted.json").unlink(missing_ok=True)

    def log(self) -> str:
        path = self.data_dir / "server.log"
        return path.read_text("utf-8") if path.exists() else ""

    def processes(self) -> set[int]:
        """The server's process and all that descend from it."""
        assert self.process is not None
        return {self.process.pid, *descendants(self.process.pid)}

    def kill(self) -> None:
        """kill -9, and every process that belonged to it is gone soon after."""
        assert self.process is not None
        family = self.processes()
        self.process.kill()
        self.process.wait(SECONDS)
        wait_until(lambda: not any(map(alive, family)))

    def stop(self) -> int:
        """SIGTERM; the exit code. Leaves no process behind."""
        assert self.process is not None
        family = self.processes() if self.process.poll() is None else set()
        if family:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(SECONDS)
        self.http.close()
        assert not any(map(alive, family)), "a process outlived the server"
        return code


def wait_until(done: Callable[[], Any], seconds: float = SECONDS) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def descendants(pid: int) -> set[int]:
    """All processes below this one, by /proc."""
    children: dict[int, set[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(entry.read_text("utf-8", "replace").rpartition(")")[2].split()[1])
        except OSError:
            continue
        children.setdefault(parent, set()).add(int(entry.parent.name))
    found: set[int] = set()
    todo = [pid]
    while todo:
        new = children.get(todo.pop(), set()) - found
        found |= new
        todo.extend(new)
    return found
