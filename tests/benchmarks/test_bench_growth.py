"""What grows with versions, objects, size, operations and requests: points, and the ratios between them.

Numbers are printed; none makes a test fail. AIP_BENCH_GROWTH chooses other points:
`AIP_BENCH_GROWTH="versions=1,100,500 size=4096" pytest -m benchmark tests/benchmarks/test_bench_growth.py`.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import joblib
import numpy
import pytest
from engines import ROW, ServerProcess, descendants
from growth_curve import (
    MB,
    Connection,
    Curve,
    PeakDisk,
    database_bytes,
    descriptors,
    median_seconds,
    megabytes,
    memory,
    number,
    points_of,
)
from request_loops import duration
from sklearn.linear_model import LogisticRegression

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="memory and descriptors are read in /proc"),
]

P = "/v1/projects/proj"
V = f"{P}/models/m/versions"
OBJECTS = "/storage/v1/b/bucket-of-objects/o"
UPLOAD = "/upload/storage/v1/b/bucket-of-objects/o?uploadType=media&name="
PREDICT = json.dumps({"instances": [ROW]}).encode()
PER_PREFIX = 100  # objects below one prefix

Tell = Callable[..., None]


@pytest.fixture
def server(home: Path) -> Iterator[ServerProcess]:
    """A server of its own, which the command line finds."""
    started = ServerProcess(home).start()
    yield started
    started.stop()


@pytest.fixture
def connection(server: ServerProcess) -> Iterator[Connection]:
    made = Connection(server)
    yield made
    made.close()


def test_bench_growth_of_versions(server: ServerProcess, connection: Connection, iris_export: Path, tell: Tell) -> None:
    units = {"server": megabytes, "nodes": megabytes, "descriptors": number}
    curve = Curve("versions", **units, create=duration, list=duration, predict=duration)
    body = {"deploymentUri": server.upload(iris_export, "gs://bucket-of-models/m/v1")}
    server.ok("POST", f"{P}/models", {"name": "m"})
    count = 0

    def create() -> None:
        nonlocal count
        count += 1
        done = server.wait(server.ok("POST", V, {**body, "name": f"v{count}"}))
        assert "response" in done, done

    def list_all() -> None:
        page = connection.ok("GET", f"{V}?pageSize=100")
        while page.get("nextPageToken"):
            page = connection.ok("GET", f"{V}?pageSize=100&pageToken={page['nextPageToken']}")

    for point in points_of("versions", 1, 10, 50, 150):
        created = median_seconds([create] * (point - count))
        some = [f"{V}/v{1 + place * (count - 1) // 9}:predict" for place in range(10)]
        predicted = median_seconds([lambda path=path: connection.ok("POST", path, PREDICT) for path in some * 5])
        curve.add(
            count,
            server=memory([server.state.pid]),
            nodes=memory(descendants(server.state.pid)),
            descriptors=descriptors(server.state.pid),
            create=created,
            list=median_seconds([list_all] * 5),
            predict=predicted,
        )
    tell(*curve.lines())


def test_bench_growth_of_objects(server: ServerProcess, connection: Connection, tell: Tell) -> None:
    curve = Curve("objects", insert=duration, get=duration, list=duration, index=megabytes, server=megabytes)
    server.ok("POST", "/storage/v1/b?project=proj", {"name": "bucket-of-objects"})
    count = 0

    def name_of(number: int) -> str:
        return f"directory%2F{number // PER_PREFIX:06}%2Fobject-{number:08}"

    def insert() -> None:
        nonlocal count
        connection.ok("POST", UPLOAD + name_of(count), b"0123456789abcdef", "application/octet-stream")
        count += 1

    for point in points_of("objects", 100, 1_000, 10_000, 50_000):
        inserted = median_seconds([insert] * (point - count))
        some = [place * (count - 1) // 99 for place in range(100)]
        prefixes = [f"{OBJECTS}?prefix={name_of(number).rpartition('%2F')[0]}%2F" for number in some[::5]]
        assert len(connection.ok("GET", prefixes[0])["items"]) == PER_PREFIX
        curve.add(
            count,
            insert=inserted,
            get=median_seconds([lambda n=n: connection.ok("GET", f"{OBJECTS}/{name_of(n)}") for n in some]),
            list=median_seconds([lambda path=path: connection.ok("GET", path) for path in prefixes]),
            index=database_bytes(server.data_dir / "objects" / "index.sqlite"),
            server=memory([server.state.pid]),
        )
    tell(*curve.lines())


def test_bench_growth_of_size(server: ServerProcess, aip_magics: list[str], tmp_path: Path, tell: Tell) -> None:
    curve = Curve("MiB of a model", upload=duration, peak_disk=megabytes, deploy=duration, redeploy=duration)
    config = tmp_path / "test.yaml"
    config.write_text(f"test:\n  instances:\n  - {ROW}\n")

    def run(*words: object) -> float:
        begun = time.perf_counter()
        done = subprocess.run([*aip_magics, *map(str, words), "-q"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return time.perf_counter() - begun

    for point in points_of("size", 10, 100, 1_000):
        directory = tmp_path / f"model-{point}"
        directory.mkdir()
        model = LogisticRegression().fit([ROW, [0.0] * 4], [0, 1])
        model.padding_ = numpy.frombuffer(numpy.random.default_rng(point).bytes(MB) * point, numpy.uint8)
        joblib.dump(model, directory / "model.joblib")
        deploy = ("deploy", "--model", f"m{point}", "--origin", directory, "--config", config)
        with PeakDisk(server.data_dir) as peak:
            uploaded = run("upload", directory, f"gs://bucket-of-uploads/{point}")
        deployed = run(*deploy)
        curve.add(point, upload=uploaded, peak_disk=peak.bytes, deploy=deployed, redeploy=run(*deploy))
        # The next point begins with an empty store and no node.
        run("delete", "--model", f"m{point}", "--all-versions", "--yes")
        server.clear()
        (directory / "model.joblib").unlink()
    tell(*curve.lines())


def test_bench_growth_of_rows(server: ServerProcess, connection: Connection, iris_export: Path, tell: Tell) -> None:
    curve = Curve("operations", update=duration, first_page=duration, database=megabytes, server=megabytes)
    assert server.deploy(iris_export)["response"]["state"] == "READY"
    count = 1

    def update() -> None:
        nonlocal count
        count += 1
        body = json.dumps({"description": f"update {count}"}).encode()
        connection.ok("PATCH", f"{V}/v1?updateMask=description", body)

    for point in points_of("rows", 100, 1_000, 2_000):
        updated = median_seconds([update] * (point - count))
        curve.add(
            count,
            update=updated,
            first_page=median_seconds([lambda: connection.ok("GET", f"{P}/operations")] * 20),
            database=database_bytes(server.data_dir / "service.sqlite"),
            server=memory([server.state.pid]),
        )
    tell(*curve.lines())


def test_bench_growth_of_requests(server: ServerProcess, connection: Connection, iris_export: Path, tell: Tell) -> None:
    curve = Curve("predictions", predict=duration, server=megabytes, nodes=megabytes, descriptors=number)
    assert server.deploy(iris_export)["response"]["state"] == "READY"
    count = 0
    for point in points_of("requests", 1_000, 10_000):
        calls = [lambda: connection.ok("POST", f"{V}/v1:predict", PREDICT)] * (point - count)
        count = point
        curve.add(
            count,
            predict=median_seconds(calls),
            server=memory([server.state.pid]),
            nodes=memory(descendants(server.state.pid)),
            descriptors=descriptors(server.state.pid),
        )
    tell(*curve.lines())
