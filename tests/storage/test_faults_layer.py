"""The faults themselves, asked for by plain HTTP: what a client meets is what was planned, once, and accounted for."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests
from faults_server import FaultServer

BODY = bytes(range(256)) * 1200  # 300 KiB
UPLOAD = "/upload/storage/v1/b/bucket/o?uploadType=media&name=x"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultServer]:
    server = FaultServer(tmp_path_factory.mktemp("faulty"))
    server.store.buckets.create("demo", {"name": "bucket"})
    yield server
    server.stop()


@pytest.fixture
def http(server: FaultServer) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.post(server.url + UPLOAD, data=BODY)
        yield session


def plan(server: FaultServer, http: requests.Session, operation: str, *faults: str) -> str:
    answer = http.post(f"{server.url}/retry_test", json={"instructions": {operation: list(faults)}})
    assert answer.status_code == 200, answer.text
    http.headers["x-retry-test-id"] = answer.json()["id"]
    return f"{server.url}/retry_test/{answer.json()['id']}"


def test_faults_follow_their_contract(server: FaultServer, http: requests.Session) -> None:
    about = plan(server, http, "storage.objects.list", "return-503", "return-429-retry-after-2s")
    listing = f"{server.url}/storage/v1/b/bucket/o"
    assert http.get(f"{server.url}/storage/v1/b/bucket/o/x").status_code == 200  # another operation
    assert requests.get(listing).status_code == 200  # another test
    assert http.get(about).json()["completed"] is False
    assert http.get(listing).status_code == 503
    late = http.get(listing)
    assert (late.status_code, late.headers["retry-after"]) == (429, "2")
    assert http.get(listing).status_code == 200
    assert http.get(about).json()["completed"] is True
    assert http.delete(about).status_code == 200
    assert http.get(about).status_code == 404


def test_faults_that_do_not_exist(server: FaultServer, http: requests.Session) -> None:
    for wrong in ({"instructions": {"storage.objects.list": ["explode"]}}, {}):
        assert http.post(f"{server.url}/retry_test", json=wrong).status_code == 400


@pytest.mark.parametrize(
    ("fault", "stored"),
    [
        ("return-reset-connection", False),
        ("return-broken-stream-final-chunk-after-1000B", False),
        ("lose-answer", True),
    ],
)
def test_faults_break_an_upload(server: FaultServer, http: requests.Session, fault: str, stored: bool) -> None:
    before = server.store.get("bucket", "x").generation
    plan(server, http, "storage.objects.insert", fault)
    with pytest.raises(requests.ConnectionError):
        http.post(server.url + UPLOAD, data=BODY)
    assert (server.store.get("bucket", "x").generation > before) is stored


def test_faults_refuse_an_upload_half_way(server: FaultServer, http: requests.Session) -> None:
    plan(server, http, "storage.objects.insert", "return-503-after-256K")
    before = server.store.get("bucket", "x").generation
    assert http.post(server.url + UPLOAD, data=b"short").status_code == 200  # not this one
    between = server.store.get("bucket", "x").generation
    assert http.post(server.url + UPLOAD, data=BODY).status_code == 503
    assert before < between == server.store.get("bucket", "x").generation


def test_faults_leave_a_resumable_upload_what_came_before(server: FaultServer, http: requests.Session) -> None:
    started = http.post(f"{server.url}/upload/storage/v1/b/bucket/o?uploadType=resumable&name=y")
    plan(server, http, "storage.objects.insert/resume", "return-503-after-256K")
    assert http.put(started.headers["location"], data=BODY).status_code == 503
    asked = http.put(started.headers["location"], headers={"content-range": f"bytes */{len(BODY)}"})
    assert (asked.status_code, asked.headers["range"]) == (308, "bytes=0-262143")


@pytest.mark.parametrize("fault", ["return-broken-stream", "return-broken-stream-after-100K"])
def test_faults_break_a_response(server: FaultServer, http: requests.Session, fault: str) -> None:
    plan(server, http, "storage.objects.get/media", fault)
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        http.get(f"{server.url}/storage/v1/b/bucket/o/x?alt=media")
    assert http.get(f"{server.url}/storage/v1/b/bucket/o/x?alt=media").content == BODY


def test_faults_damage_bytes(server: FaultServer, http: requests.Session) -> None:
    plan(server, http, "storage.objects.get/media", "return-corrupted-data")
    damaged = http.get(f"{server.url}/storage/v1/b/bucket/o/x?alt=media").content
    assert sum(a != b for a, b in zip(damaged, BODY, strict=True)) == 1
    plan(server, http, "storage.objects.insert", "corrupt-upload")
    http.post(server.url + UPLOAD, data=BODY)
    http.headers.pop("x-retry-test-id")
    arrived = http.get(f"{server.url}/storage/v1/b/bucket/o/x?alt=media").content
    assert sum(a != b for a, b in zip(arrived, BODY, strict=True)) == 1


@pytest.mark.parametrize(("fault", "seconds"), [("stall-for-1s-after-128K", 1.0), ("drip-1024K", 0.28)])
def test_faults_slow_down(server: FaultServer, http: requests.Session, fault: str, seconds: float) -> None:
    plan(server, http, "storage.objects.insert", fault)
    start = time.monotonic()
    assert http.post(server.url + UPLOAD, data=BODY).status_code == 200
    assert time.monotonic() - start >= seconds


def test_faults_name_every_kind_of_request(server: FaultServer, http: requests.Session) -> None:
    base, name = server.url, "/bucket/big"
    server.faults.asked.clear()
    upload = http.post(f"{base}{name}?uploads").text.partition("<UploadId>")[2].partition("<")[0]
    part = http.put(f"{base}{name}?partNumber=1&uploadId={upload}", data=b"x").headers["etag"]
    http.get(f"{base}{name}?uploadId={upload}")
    wanted = f"<C><Part><PartNumber>1</PartNumber><ETag>{part}</ETag></Part></C>"
    assert http.post(f"{base}{name}?uploadId={upload}", data=wanted).status_code == 200
    http.delete(f"{base}{name}?uploadId={upload}")
    http.get(f"{base}{name}")
    http.post(f"{base}/storage/v1/b/bucket/o/big/rewriteTo/b/bucket/o/copy")
    http.delete(f"{base}/storage/v1/b/bucket/o/copy?ifGenerationMatch=1")
    http.get(f"{base}/storage/v1/b/bucket?fields=name")
    assert server.faults.asked == [
        *(f"storage.multipart/{kind}" for kind in ("start", "part", "parts", "complete", "abort")),
        "storage.objects.get/media",
        "storage.objects.rewrite",
        "storage.objects.delete",
        "storage.buckets.get",
    ]
