"""A server that is killed, whose disk is full or that is asked again while it assembles a multipart upload."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import requests
from mounts import mounted

MIB = 1 << 20
DATA = random.Random(3).randbytes(6 * MIB)


class XmlUpload:
    """A multipart upload of `bucket/x` at a server of its own."""

    def __init__(self, server: Any) -> None:
        self.url = server.url
        self.files: Path = server.data_dir / "objects"
        bucket = f"{self.url}/storage/v1/b?project=demo"
        assert requests.post(bucket, json={"name": "bucket"}, timeout=10).status_code == 200
        answer = requests.post(f"{self.url}/bucket/x?uploads", timeout=10)
        self.id = answer.text.partition("<UploadId>")[2].partition("<")[0]
        self.tags: dict[int, str] = {}

    def put(self, number: int, data: bytes) -> requests.Response:
        answer = requests.put(f"{self.url}/bucket/x?partNumber={number}&uploadId={self.id}", data=data, timeout=60)
        if answer.status_code == 200:
            self.tags[number] = answer.headers["etag"]
        return answer

    def complete(self, numbers: list[int] | None = None) -> requests.Response:
        listed = sorted(self.tags) if numbers is None else numbers
        rows = "".join(f"<Part><PartNumber>{n}</PartNumber><ETag>{self.tags[n]}</ETag></Part>" for n in listed)
        body = f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>"
        return requests.post(f"{self.url}/bucket/x?uploadId={self.id}", data=body, timeout=120)

    def get(self) -> requests.Response:
        return requests.get(f"{self.url}/bucket/x", timeout=60)

    def stored(self) -> list[Path]:
        return sorted(self.files.rglob("?" * 32))


def xml_error(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, ElementTree.fromstring(answer.content).findtext("Code") or ""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("point", ["first-append", "in-part", "before-deletion", "before-commit", "after-commit"])
def test_multipart_upload_is_completed_after_a_kill_in_the_assembly(
    start_server: Callable[..., Any], point: str
) -> None:
    upload = XmlUpload(server := start_server(point))
    parts = {number: DATA[number : 5 * MIB + 7 * number] for number in (1, 2, 3, 5, 8)}
    for number in (5, 3, 8, 1, 2):
        assert upload.put(number, parts[number]).status_code == 200
    assert upload.put(9, b"left out").status_code == 200
    with pytest.raises(requests.ConnectionError):
        upload.complete(list(parts))
    assert server.process.wait(20) == -signal.SIGKILL
    server.kill()  # closes its output
    upload.url = start_server().url
    if point == "after-commit":
        assert xml_error(upload.complete(list(parts))) == (404, "NoSuchUpload")
    else:
        assert upload.get().status_code == 404
        assert upload.complete(list(parts)).status_code == 200
    assert upload.get().content == b"".join(parts.values())
    assert len(upload.stored()) == 1


@pytest.fixture
def small_disk(request: pytest.FixtureRequest, tmp_path: Path, start_server: Callable[..., Any]) -> Iterator[XmlUpload]:
    """An upload to a server whose disk has as many MiB as the parameter says."""
    with mounted(tmp_path / "disk", f"size={request.param}m") as disk:
        server = start_server(data_dir=disk / "data")
        yield XmlUpload(server)
        server.stop()


@pytest.mark.slow
@pytest.mark.parametrize("small_disk", [330], indirect=True)
def test_multipart_upload_of_300_mib_needs_330_mib_of_disk(small_disk: XmlUpload) -> None:
    parts = [DATA[i : i + 5 * MIB] for i in range(60)]
    with ThreadPoolExecutor(4) as pool:
        assert {answer.status_code for answer in pool.map(small_disk.put, range(1, 61), parts)} == {200}
    assert small_disk.complete().status_code == 200
    assert small_disk.get().content == b"".join(parts)
    assert len(small_disk.stored()) == 1


@pytest.mark.parametrize("small_disk", [56], indirect=True)
def test_multipart_upload_is_completed_once_a_full_disk_has_room(small_disk: XmlUpload) -> None:
    """Two parts find room one after the other; the third, a larger one, does not."""
    sizes = {1: 5 * MIB, 2: 5 * MIB, 3: 5 * MIB, 4: 18 * MIB, 5: 3}
    parts = {number: (DATA * 4)[number : number + size] for number, size in sizes.items()}
    for number, data in parts.items():
        assert small_disk.put(number, data).status_code == 200
    (filler := small_disk.files / "filler").write_bytes(bytes(12 * MIB))
    assert xml_error(small_disk.complete()) == (507, "InsufficientStorage")
    assert small_disk.get().status_code == 404
    assert sum(path.stat().st_size for path in small_disk.stored()) == sum(sizes.values())  # no half of a part
    assert xml_error(small_disk.put(2, b"other")) == (409, "OperationAborted")
    assert xml_error(small_disk.complete([1, 2])) == (409, "OperationAborted")
    assert xml_error(small_disk.complete()) == (507, "InsufficientStorage")
    filler.unlink()
    assert small_disk.complete().status_code == 200
    assert small_disk.get().content == b"".join(parts.values())
    assert len(small_disk.stored()) == 1


def test_multipart_upload_is_completed_by_requests_at_once_and_never_seen_in_between(
    start_server: Callable[..., Any],
) -> None:
    upload = XmlUpload(start_server())
    for number in range(1, 21):
        upload.put(number, DATA[number : number + 5 * MIB])
    whole, ended, seen = b"".join(DATA[n : n + 5 * MIB] for n in range(1, 21)), threading.Event(), []

    def watch() -> None:
        while not ended.is_set():
            answer = requests.head(f"{upload.url}/bucket/x", timeout=60)
            seen.append((answer.status_code, answer.headers.get("x-goog-stored-content-length")))

    with ThreadPoolExecutor(5) as pool:
        watching = pool.submit(watch)
        codes = [answer.status_code for answer in pool.map(lambda _number: upload.complete(), range(4))]
        ended.set()
        watching.result(60)
    assert codes.count(200) >= 1
    assert set(codes) <= {200, 404}  # 404: it began after another was done
    assert set(seen) <= {(404, None), (200, str(len(whole)))}
    assert upload.get().content == whole
    assert len(upload.stored()) == 1
