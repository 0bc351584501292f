"""The server on a full disk: every call says so or needs no space, and the same process goes on once there is space."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from custom_models import sdist
from mounts import fill, leave, mounted
from server_process import ServerProcess, wait_until

from aip_magics.data_directory import RESERVE_BYTES

P = "/v1/projects/proj"
V = f"{P}/models/m/versions"
UPLOAD = "/upload/storage/v1/b/bucket-of-models/o"
FULL = {"code": 507, "message": "The disk of the embedded server is full.", "status": "RESOURCE_EXHAUSTED"}
MB = 1 << 20
# It takes a while to load, and prints more than what is buffered.
TALKER = """
import os, time

class Talker:
    @classmethod
    def from_path(cls, model_dir):
        with open(os.path.join(model_dir, "seconds")) as file:
            time.sleep(float(file.read()))
        return cls()

    def predict(self, instances, **kwargs):
        print("x" * 20000)
        return instances
"""

pytestmark = pytest.mark.slow


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServerProcess]:
    """A server whose data directory is a disk of its own of 24 MiB; nodes end after a second without requests."""
    with mounted(tmp_path / "disk", f"size={24 * MB}") as disk:
        server = ServerProcess(disk, "--idle-nodes", "1")
        server.output = tmp_path / "output"
        server.start()
        pid = server.state.pid
        yield server
        assert server.ok("GET", "/healthz")["pid"] == pid
        assert server.stop() == 0
        for name in ("service.sqlite", "objects/index.sqlite"):
            database = sqlite3.connect(disk / name)
            assert database.execute("pragma integrity_check").fetchall() == [("ok",)]
            database.close()


@pytest.fixture
def talker(server: ServerProcess, tmp_path: Path) -> dict[str, Any]:
    """The fields of a version that prints, uploaded to the server; its directories are named by `model_dir`."""
    sdist(tmp_path / "code", "talker", talker=TALKER)
    uri = server.upload(tmp_path / "code", "gs://bucket-of-models/code")
    return {"predictionClass": "talker.Talker", "packageUris": [f"{uri}/talker-0.1.tar.gz"]}


def model_dir(folder: Path, seconds: float = 0) -> Path:
    folder.mkdir()
    (folder / "seconds").write_text(str(seconds))
    return folder


def predict(server: ServerProcess, version: str = "v1") -> None:
    assert server.ok("POST", f"{V}/{version}:predict", {"instances": [1]}) == {"predictions": [1]}


def upload(server: ServerProcess, way: str, content: bytes, failed: str = "") -> tuple[int, str]:
    """Upload `big` in one of three ways: the status, and the text of the answer or what to resume."""
    if way == "insert":
        answer = server.call("POST", f"{UPLOAD}?uploadType=media&name=big", content)
        return answer.status, str(answer.body)
    if way == "resumable":
        url = failed or server.call("POST", f"{UPLOAD}?uploadType=resumable&name=big", {}).headers["location"]
        path, whole = url.removeprefix(server.url), len(content)
        status = server.call("PUT", path, b"", Content_Range=f"bytes */{whole}")
        start = int(status.headers.get("range", "bytes=0--1").rpartition("-")[2]) + 1 if failed else 0
        answer = server.call("PUT", path, content[start:], Content_Range=f"bytes {start}-{whole - 1}/{whole}")
        return answer.status, str(answer.body) if answer.status == 200 else url
    target = "/bucket-of-models/big"
    body = server.call("POST", f"{target}?uploads", b"").body
    id_ = failed or body.partition("<UploadId>")[2].partition("<")[0]
    answer = server.call("PUT", f"{target}?partNumber=1&uploadId={id_}", content)
    if answer.status != 200:
        return answer.status, id_
    part = f"<Part><PartNumber>1</PartNumber><ETag>{answer.headers['etag']}</ETag></Part>"
    listed = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>"
    answer = server.call("POST", f"{target}?uploadId={id_}", listed.encode())
    return answer.status, str(answer.body)


@pytest.mark.parametrize("way", ["insert", "resumable", "multipart"])
def test_disk_full_during_an_upload_leaves_space_to_delete_and_to_resume(server: ServerProcess, way: str) -> None:
    server.ok("POST", "/storage/v1/b?project=proj", {"name": "bucket-of-models"})
    server.ok("POST", f"{UPLOAD}?uploadType=media&name=other", bytes(3 * MB))
    content = os.urandom(9 * MB)
    filler = leave(server.data_dir, RESERVE_BYTES + 5 * MB)
    status, failed = upload(server, way, content)
    assert status == 507
    assert shutil.disk_usage(server.data_dir).free >= RESERVE_BYTES
    # What fills the disk can be removed through the API, which writes to SQLite.
    assert server.call("DELETE", "/storage/v1/b/bucket-of-models/o/other").status == 204
    server.ok("POST", f"{P}/models", {"name": "m"})
    filler.unlink()
    assert upload(server, way, content, failed if way != "insert" else "")[0] == 200
    path = "/storage/v1/b/bucket-of-models/o/big?alt=media"
    headers = {"Authorization": f"Bearer {server.state.token}"}
    assert server.http.get(server.url + path, headers=headers, timeout=60).content == content


def test_disk_full_of_other_files_is_said_by_each_call_that_writes(server: ServerProcess, sklearn_dir: Path) -> None:
    assert server.deploy(sklearn_dir, framework="SCIKIT_LEARN")["response"]["state"] == "READY"
    calls: list[tuple[str, str, Any]] = [
        ("POST", f"{P}/models", {"name": "n"}),
        ("POST", V, {"name": "v2", "deploymentUri": "gs://bucket-of-models/m/v1"}),
        ("PATCH", f"{V}/v1?updateMask=description", {"description": "d" * 5000}),
        ("PATCH", f"{P}/models/m?updateMask=description", {"description": "d" * 5000}),
        ("DELETE", f"{V}/v1", None),
    ]
    filler = fill(server.data_dir)
    for method, path, body in calls:
        answer = server.call(method, path, body)
        assert (answer.status, answer.body) == (507, {"error": FULL}), path
    for path in (f"{UPLOAD}?uploadType=media&name=x", "/storage/v1/b?project=proj"):
        answer = server.call("POST", path, b'{"name": "another-bucket"}')
        assert (answer.status, answer.body["error"]["errors"][0]["reason"]) == (507, "insufficientStorage")
    assert [one["name"] for one in server.ok("GET", f"{P}/models")["models"]] == [f"{P.removeprefix('/v1/')}/models/m"]
    filler.unlink()
    for method, path, body in calls:
        done = server.ok(method, path, body)
        if path == V:
            assert server.wait(done)["response"]["state"] == "READY"
            server.ok("POST", f"{V}/v2:setDefault", {})


def test_disk_full_costs_no_prediction_and_the_logs_say_what_was_lost(
    server: ServerProcess, talker: dict[str, Any], tmp_path: Path
) -> None:
    assert server.deploy(model_dir(tmp_path / "v1"), **talker)["response"]["state"] == "READY"
    filler = fill(server.data_dir)
    for _ in range(200):  # more lines than the last page of a file has space for
        predict(server)
    wait_until(lambda: server.ok("GET", f"{V}/v1:stats")["nodes"]["running"] == 0)
    predict(server)  # by a node that starts on the full disk
    for _ in range(40):
        assert server.call("POST", f"{P}/models", {"name": "n"}).status == 507  # logged as an error
    time.sleep(1.2)  # until the lines of the requests are written
    filler.unlink()
    predict(server)
    (access,) = server.data_dir.glob("logs/*/access.jsonl")
    wait_until(lambda: "lostLines" in access.read_text())
    lines = [json.loads(line) for line in access.read_text().splitlines()]
    lost = [line for line in lines if "lostLines" in line]
    assert [line["error"] for line in lost] == ["No space left on device"]
    assert lost[0]["lostLines"] + len(lines) - 1 == 202
    server.ok("POST", f"{P}/models", {"name": "n"})
    assert server.ok("GET", f"{V}/v1")["lastUseTime"]
    server.deploy(model_dir(tmp_path / "v2"), version="v2", **talker)  # which logs a line
    assert server.log().count("lines of this log were lost: the disk was full") == 1


def test_disk_full_while_a_version_loads_finishes_its_operation_later(
    server: ServerProcess, talker: dict[str, Any], tmp_path: Path
) -> None:
    uri = server.upload(model_dir(tmp_path / "v1", seconds=1), "gs://bucket-of-models/m/v1")
    server.ok("POST", f"{P}/models", {"name": "m"})
    operation = server.ok("POST", V, {"name": "v1", "deploymentUri": uri, **talker})
    path = f"/v1/{operation['name']}"
    wait_until(lambda: server.ok("GET", path)["metadata"].get("progress", {}).get("stage") == "loading")
    filler = fill(server.data_dir)
    wait_until(lambda: "cannot be finished before there is space on the disk" in server.log())
    assert "done" not in server.ok("GET", path)
    filler.unlink()
    assert server.wait(operation)["response"]["state"] == "READY"
    predict(server)


@pytest.mark.parametrize("room", [MB // 2, 2 * MB])
def test_disk_full_while_packages_are_installed_fails_the_version(
    server: ServerProcess, talker: dict[str, Any], tmp_path: Path, room: int
) -> None:
    """Too little for the unpacked archive, and too little for the build of its wheel."""
    sdist(tmp_path / "large", "large", large="#" + "x" * MB)
    uri = server.upload(tmp_path / "large", "gs://bucket-of-models/large")
    assert server.deploy(model_dir(tmp_path / "v1"), version="other", **talker)["response"]["state"] == "READY"
    packages = [f"{uri}/large-0.1.tar.gz", *talker["packageUris"]]
    version = {**talker, "name": "v1", "deploymentUri": "gs://bucket-of-models/m/other", "packageUris": packages}
    filler = leave(server.data_dir, room)
    error = server.wait(server.ok("POST", V, version))["error"]
    assert (error["code"], error["message"]) == (8, f"Create Version failed. {FULL['message']}")
    fix = "free space on the disk of the data directory that `aip-magics server status` shows"
    assert error["details"][0]["metadata"] == {"fix": fix}
    assert server.ok("GET", f"{V}/v1")["errorMessage"] == error["message"]
    filler.unlink()
    server.ok("DELETE", f"{V}/v1")
    assert server.wait(server.ok("POST", V, version))["response"]["state"] == "READY"
    predict(server)
