"""The servers that are compared: how each is started, what it is asked, and what its processes used."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from http_load import post

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "server"))  # the server tests have what starts and watches processes
from server_process import ServerProcess, alive, descendants, wait_until  # noqa: E402

ROW = [5.1, 3.5, 1.4, 0.2]
BODY = json.dumps({"instances": [ROW]}).encode()
TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 120.0
# Virtual environments of the others, by hand: they bring hundreds of packages, and are nobody's dependency here.
VENVS = {"MLServer": "AIP_BENCH_MLSERVER", "BentoML": "AIP_BENCH_BENTOML", "Ray Serve": "AIP_BENCH_RAY"}


class Engine(NamedTuple):
    name: str
    pid: int
    port: int
    request: bytes

    def processor_seconds(self) -> float:
        """User and system time of all its processes up to now."""
        return sum(map(processor_seconds, {self.pid, *descendants(self.pid)}))


def processor_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def ours(server: ServerProcess, name: str = "aip_magics") -> Engine:
    assert server.process is not None
    path = "/v1/projects/proj/models/m/versions/v1:predict"
    return Engine(name, server.process.pid, server.state.port, post(path, BODY, server.state.token))


@contextlib.contextmanager
def started(name: str, model_dir: Path, folder: Path) -> Iterator[Engine]:
    """One of the others, until it is not needed any more."""
    port = free_port()
    command, request, variables = _how(name, model_dir, folder, port)
    log = (folder / f"{name}.log").open("wb")
    environment = {**os.environ, **variables}
    process = subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    family = {process.pid}
    try:
        wait_until(lambda: _answers(port, request) or process.poll() is not None, START_SECONDS)
        assert process.poll() is None, (folder / f"{name}.log").read_text("utf-8", "replace")[-2000:]
        family |= descendants(process.pid)
        yield Engine(name, process.pid, port, request)
    finally:
        log.close()
        family |= descendants(process.pid)
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        for pid in filter(alive, family):
            os.kill(pid, signal.SIGKILL)
        process.wait(30)


def _how(name: str, model_dir: Path, folder: Path, port: int) -> tuple[list[str], bytes, dict[str, str]]:
    if name == "plain Starlette":
        path = "/v1/projects/proj/models/m/versions/v1:predict"
        return [sys.executable, str(HERE / "plain_app.py"), str(model_dir), str(port)], post(path, BODY), {}
    programs = Path(os.environ[VENVS[name]]) / "bin"
    variables = {"PATH": f"{programs}:{os.environ['PATH']}", "MODEL_DIR": str(model_dir)}
    if name == "MLServer":
        (folder / "mlserver").mkdir()
        settings = {"parallel_workers": 2, "host": "127.0.0.1", "http_port": port, "debug": False}
        settings |= {"grpc_port": free_port(), "metrics_port": free_port()}
        model = {
            "name": "m",
            "implementation": "mlserver_sklearn.SKLearnModel",
            "parameters": {"uri": str(model_dir / "model.joblib")},
        }
        (folder / "mlserver" / "settings.json").write_text(json.dumps(settings))
        (folder / "mlserver" / "model-settings.json").write_text(json.dumps(model))
        tensor = {"name": "x", "shape": [1, len(ROW)], "datatype": "FP64", "data": ROW}
        request = post("/v2/models/m/infer", json.dumps({"inputs": [tensor]}).encode())
        return [str(programs / "mlserver"), "start", str(folder / "mlserver")], request, variables
    if name == "BentoML":
        command = [str(programs / "bentoml"), "serve", "bento_service:Predict", "--working-dir", str(HERE)]
        variables["BENTOML_DO_NOT_TRACK"] = "True"
        return [*command, "--host", "127.0.0.1", "--port", str(port)], post("/predict", BODY), variables
    command = [str(programs / "python"), str(HERE / "ray_service.py"), str(model_dir), str(port)]
    return command, post("/predict", BODY), {**variables, "RAY_USAGE_STATS_ENABLED": "0"}


def _answers(port: int, request: bytes) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(request)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            return answer.status == 200
    except (OSError, http.client.HTTPException):
        time.sleep(0.1)
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
