"""kill -9 in the middle of uploads: after a restart there are whole objects only, and no orphan."""

from __future__ import annotations

import hashlib
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import requests

MIB = 1 << 20


def stored_files(data_dir: Path) -> set[str]:
    return {path.name for folder in ("blobs", "incoming") for path in (data_dir / "objects" / folder).rglob("?" * 32)}


def create_bucket(url: str) -> None:
    requests.post(f"{url}/storage/v1/b?project=demo", json={"name": "bucket"}, timeout=10).raise_for_status()


def all_objects(url: str) -> Iterator[dict[str, Any]]:
    token = ""
    while True:
        query = {"pageToken": token} if token else {}
        page = requests.get(f"{url}/storage/v1/b/bucket/o", params=query, timeout=10).json()
        yield from page.get("items", [])
        if not (token := page.get("nextPageToken", "")):
            return


def pouring(url: str, stop: threading.Event, acknowledged: dict[str, str], number: int) -> None:
    """Uploads until the server is gone; keeps the MD5 of what was acknowledged."""
    count = 0
    with requests.Session() as session:
        while not stop.is_set():
            count += 1
            name, data = f"{number}/{count}", os.urandom(random.choice([10, 70_000, 3 * MIB]))
            try:
                upload = f"{url}/upload/storage/v1/b/bucket/o?uploadType=media&name={name}"
                answer = session.post(upload, data=data, timeout=10)
            except requests.RequestException:
                return  # refused, reset, or cut off in the middle of an answer
            assert answer.status_code == 200
            acknowledged[name] = hashlib.md5(data).hexdigest()


def test_gcs_kill_under_load(start_server: Callable[[], Any]) -> None:
    server = start_server()
    create_bucket(server.url)
    acknowledged: dict[str, str] = {}
    for _round in range(3):
        stop = threading.Event()
        threads = [
            threading.Thread(target=pouring, args=(server.url, stop, acknowledged, _round * 10 + number))
            for number in range(3)
        ]
        for thread in threads:
            thread.start()
        time.sleep(random.uniform(0.1, 0.4))
        server.kill()
        stop.set()
        for thread in threads:
            thread.join(20)
        server = start_server()
    found = {}
    for item in all_objects(server.url):
        found[item["name"]] = hashlib.md5(requests.get(item["mediaLink"], timeout=10).content)
        assert int(item["size"]) in (10, 70_000, 3 * MIB)
    assert {name: found[name].hexdigest() for name in acknowledged} == acknowledged
    assert len(stored_files(server.data_dir)) == len(found)


def test_gcs_resumable_upload_goes_on_after_a_kill(start_server: Callable[[], Any]) -> None:
    data = os.urandom(4 * MIB)
    server = start_server()
    create_bucket(server.url)
    start = f"{server.url}/upload/storage/v1/b/bucket/o?uploadType=resumable&name=x"
    path = requests.post(start, timeout=10).headers["location"].removeprefix(server.url)
    first = requests.put(
        server.url + path, data=data[:MIB], headers={"content-range": f"bytes 0-{MIB - 1}/{len(data)}"}, timeout=10
    )
    assert first.status_code == 308
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as line:
        line.sendall(
            f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Range: bytes {MIB}-{len(data) - 1}/{len(data)}\r\n"
            f"Content-Length: {3 * MIB}\r\n\r\n".encode()
        )
        line.sendall(data[MIB : 3 * MIB])
        server.kill()
    server = start_server()
    question = requests.put(server.url + path, headers={"content-range": f"bytes */{len(data)}"}, timeout=10)
    assert question.status_code == 308
    there = int(question.headers["range"].partition("-")[2]) + 1
    assert MIB <= there <= 3 * MIB
    said = f"bytes {there}-{len(data) - 1}/{len(data)}"
    last = requests.put(server.url + path, data=data[there:], headers={"content-range": said}, timeout=10)
    assert last.status_code == 200, last.text
    assert requests.get(last.json()["mediaLink"], timeout=10).content == data
