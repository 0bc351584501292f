"""Listings of a bucket with 100,000 objects, and how long another request waits while one of them is running.

`pytest -n 0 -m benchmark tests/benchmarks/test_bench_listing.py` prints milliseconds and ratios.
"""

from __future__ import annotations

import dataclasses
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

import embedded_objects
import pytest
import requests

from aip_magics.server.gcs import ObjectStore
from aip_magics.server.gcs.metadata_db import put_object

pytestmark = pytest.mark.benchmark

OBJECTS = 100_000
ROUNDS = 5
QUERIES = {
    "a glob that matches nothing": "matchGlob=**nothing",
    "one below a directory": "matchGlob=dir050/**nothing",
    "a glob that matches all": "matchGlob=**.bin",
    "1000 objects": "",
    "directories": "delimiter=/",
    "one object": "maxResults=1",
}


def fill(data_dir: Path) -> None:
    store = ObjectStore(data_dir, lambda: datetime.now(timezone.utc))
    store.buckets.create("demo", {"name": "bucket"})
    one = store.commit("bucket", "one", store.writer(), [b"data"], metadata={"contentType": "application/octet-stream"})
    with store.metadata_db.write() as db:
        for number in range(OBJECTS):
            put_object(db, dataclasses.replace(one, name=f"dir{number % 100:03}/file-{number:06}.bin"))
    store.close()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of the objects of a bucket on a server of its own."""
    data_dir = tmp_path_factory.mktemp("objects")
    fill(data_dir)
    command = [sys.executable, str(Path(embedded_objects.__file__)), str(data_dir)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/storage/v1/b/bucket/o"
        process.terminate()


def milliseconds(session: requests.Session, url: str) -> float:
    begun = time.perf_counter()
    assert session.get(url).status_code == 200
    return (time.perf_counter() - begun) * 1000


def test_bench_listing_seconds(url: str, tell: Callable[..., None]) -> None:
    with requests.Session() as session:
        session.trust_env = False
        for name, query in QUERIES.items():
            times = [milliseconds(session, f"{url}?{query}") for _ in range(ROUNDS)]
            tell(f"{name:28} {min(times):8.1f} ms")


@pytest.mark.parametrize("scans", [1, 4, 8])
@pytest.mark.parametrize("query", ["matchGlob=**nothing", ""], ids=["glob", "pages"])
def test_bench_listing_wait_of_another_request(url: str, query: str, scans: int, tell: Callable[..., None]) -> None:
    """The object store has four threads: with eight listings at once none is free."""
    done: list[float] = []

    def listing() -> None:
        with requests.Session() as session:
            session.trust_env = False
            done.append(milliseconds(session, f"{url}?{query}"))

    with requests.Session() as session:
        session.trust_env = False
        alone = statistics.median(milliseconds(session, f"{url}/one") for _ in range(50))
        waits: list[float] = []
        for _ in range(ROUNDS):
            threads = [threading.Thread(target=listing) for _ in range(scans)]
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                waits.append(milliseconds(session, f"{url}/one"))
    median, longest, taken = statistics.median(waits), max(waits), statistics.median(done)
    tell(
        f"{scans} listings of {taken:.0f} ms: another GET takes {median:.1f} ms, at most {longest:.1f}",
        f"  : alone ({alone:.1f} ms) {longest / alone:.1f}, : a listing {longest / taken:.2f}",
    )
