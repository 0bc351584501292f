"""The probe tells in seconds what a deployment tells after twenty minutes; the servers here are small programs."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from aip_magics.errors import ModelDirError
from aip_magics.serving import probe as probing
from aip_magics.serving.export import ContainerOptions, export_container
from aip_magics.serving.probe import probe

pytestmark = pytest.mark.slow

BODY = b'{"instances": [[5.1, 3.5, 1.4, 0.2]]}'
IMAGE = "us-central1-docker.pkg.dev/demo/models/iris"
# A container that does as its first argument says.
SERVER = """
import http.server, json, os, signal, sys, tempfile, time
how = sys.argv[1]
tempfile.mkdtemp()
print("about to", how, flush=True)
if how == "raise":
    raise ValueError("no such column")
if how == "exit":
    sys.exit(3)
if how == "sleep":
    time.sleep(60)
if how == "stay":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *words):
        pass
    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer(404 if how == "no health" else 503 if how == "ill" else 200, {"state": how})
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        if how == "die":
            os._exit(9)
        if how == "refuse":
            self.answer(400, {"error": "wrong shape"})
        else:
            self.answer(200, [1] if how == "list" else {"predictions": ["x" * 2_000_000 if how == "large" else 1]})

port = 0 if how == "other port" else int(os.environ["AIP_HTTP_PORT"])
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


@pytest.fixture
def run(tmp_path: Path):
    (tmp_path / "server.py").write_text(SERVER)

    def run(how: str, **options):
        command = [sys.executable, str(tmp_path / "server.py"), how]
        return probe(tmp_path, command=command, body=BODY, **{"period": 5.0, "ready_timeout": 20.0, **options})

    return run


def test_probe_of_an_exported_container_runs_its_own_files_only(iris_export: Path, tmp_path: Path) -> None:
    directory = tmp_path / "image"
    export_container(directory, iris_export, IMAGE, ContainerOptions(with_model=True))
    before = sorted(directory.rglob("*"))
    result = probe(directory, body=BODY)
    assert result.passed, result
    assert result.answer == {"predictions": [0]}
    assert result.ready_seconds is not None
    assert "ready" in result.log
    assert sorted(directory.rglob("*")) == before
    # The package that is imported is the copy: what is taken from it is missed.
    (directory / "server" / "aip_magics" / "serving" / "worker_group.py").unlink()
    result = probe(directory, body=BODY)
    assert not result.passed
    assert "exited with code 1" in result.reason
    assert "worker_group" in result.reason


def test_probe_of_an_exported_container_without_its_model(iris_export: Path, tmp_path: Path) -> None:
    export_container(tmp_path / "image", iris_export, IMAGE, ContainerOptions())
    result = probe(tmp_path / "image", str(tmp_path / "none"))
    assert "the model server exited with code 1: " in result.reason
    assert "no such file or directory" in result.reason


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("raise", "exited with code 1: ValueError: no such column"),
        ("exit", "exited with code 3"),
        ("no health", "never became ready"),
        ("die", "exited with code 9"),
        ("refuse", "the prediction failed: HTTP 400: wrong shape"),
        ("list", "expected an object with a list of predictions, got [1]"),
    ],
)
def test_probe_tells_the_reason(run, how: str, words: str) -> None:
    result = run(how)
    assert not result.passed
    assert words in result.reason
    assert f"about to {how}" in result.log


def test_probe_tells_that_no_port_is_listened_on(run) -> None:
    result = run("sleep", period=0.5)
    assert "nothing listens on port" in result.reason


@pytest.mark.skipif(not Path("/proc/self/net/tcp").exists(), reason="the system does not tell a process's ports")
def test_probe_tells_the_other_port(run) -> None:
    result = run("other port", period=1.0)
    assert "it listens on port" in result.reason
    assert "not on AIP_HTTP_PORT" in result.reason


def test_probe_tells_the_last_health_answer(run) -> None:
    result = run("ill", ready_timeout=3.0)
    assert 'GET /health answered HTTP 503: {"state": "ill"}' in result.reason


def test_probe_notes_what_is_no_failure(run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "END_SECONDS", 0.5)
    assert run("serve").notes == ()
    assert "too much for a shared endpoint" in run("large").notes[0]
    result = run("stay")
    assert result.passed
    assert "did not end within 0.5 s" in result.notes[0]


def test_probe_leaves_no_process(run, tmp_path: Path) -> None:
    run("serve")
    run("sleep", period=0.3)
    if os.name == "posix":
        listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        assert str(tmp_path / "server.py") not in listed


def test_probe_leaves_no_temporary_file(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temp = tmp_path / "temp"
    temp.mkdir()
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, str(temp))
    monkeypatch.setattr(tempfile, "tempdir", str(temp))
    run("refuse")
    assert not any(temp.iterdir())


def test_probe_of_another_directory(tmp_path: Path) -> None:
    with pytest.raises(ModelDirError, match="is not the export of a container"):
        probe(tmp_path)
