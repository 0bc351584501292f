"""More versions than nodes fit: all answer, within the descriptors and the memory that the server has."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy
import pytest
from server_process import LABELS, ROWS, ServerProcess, descendants, wait_until
from sklearn.neighbors import KNeighborsClassifier

from aip_magics.server import descriptors
from aip_magics.server.serving.memory import measure

MODEL = "/v1/projects/proj/models/m"
MANY = 140
MB = 1 << 20


def create(server: ServerProcess, name: str, uri: str, **fields: object) -> dict[str, object]:
    """Create a version of the files at a URI; the operation when it is done."""
    body = {"name": name, "deploymentUri": uri, "framework": "SCIKIT_LEARN", **fields}
    return server.wait(server.ok("POST", f"{MODEL}/versions", body))


def predict(server: ServerProcess, name: str, row: list[float]):
    return server.call("POST", f"{MODEL}/versions/{name}:predict", {"instances": [row]})


def stats(server: ServerProcess, name: str):
    return server.ok("GET", f"{MODEL}/versions/{name}:stats")


def open_descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def next_descriptor(pid: int) -> int:
    """The number that the next descriptor of a process will have: as a limit, it allows no further one."""
    used = {int(path.name) for path in Path(f"/proc/{pid}/fd").iterdir()}
    return next(number for number in itertools.count() if number not in used)


def test_node_costs_the_descriptors_that_are_counted(new_server, sklearn_dir):
    server = new_server().start()
    server.deploy(sklearn_dir, framework="SCIKIT_LEARN")
    before = open_descriptors(server.process.pid)
    for number in range(4):
        assert "response" in create(server, f"w{number}", "gs://bucket-of-models/m/v1")
    assert open_descriptors(server.process.pid) - before == 4 * descriptors.NODE_DESCRIPTORS


def test_nodes_of_many_versions_fit_few_descriptors(new_server, sklearn_dir):
    server = new_server(before="ulimit -n 256").start()
    server.upload(sklearn_dir, "gs://bucket-of-models/m/v1")
    server.ok("POST", "/v1/projects/proj/models", {"name": "m"})
    names = [f"v{number}" for number in range(MANY)]

    def make(name: str) -> None:
        minimum = {"autoScaling": {"minNodes": 1}} if name < "v2" else {}
        operation = create(server, name, "gs://bucket-of-models/m/v1", **minimum)
        assert operation.get("response", {}).get("state") == "READY", operation

    def ask(name: str) -> None:
        answer = predict(server, name, [3, 3])
        assert (answer.status, answer.body) == (200, {"predictions": [1]}), answer

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, names))
        list(pool.map(ask, reversed(names)))  # the last ones are loaded
    told = stats(server, "v0")
    assert told["ended"]["descriptors"] >= 1
    assert told["ended"]["last"].endswith("Z")
    everything = told["allVersions"]
    assert 40 <= everything["nodes"] <= MANY
    assert everything["descriptors"] <= everything["descriptorBudget"] < 256
    assert everything["ended"]["descriptors"] >= MANY - everything["nodes"]
    assert open_descriptors(server.process.pid) < 200
    assert {server.ok("GET", f"{MODEL}/versions/{name}")["state"] for name in names} == {"READY"}
    server.upload(sklearn_dir, "gs://bucket-of-models/m/again")
    assert "Internal error" not in server.log()
    assert "internal error" not in server.log()


def test_connections_beyond_few_descriptors_are_told_and_the_server_goes_on(new_server, sklearn_dir):
    server = new_server(before="ulimit -n 256").start()
    server.deploy(sklearn_dir, framework="SCIKIT_LEARN")
    address = ("127.0.0.1", server.state.port)
    head = f"GET {MODEL} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {server.state.token}\r\n\r\n".encode()
    server.http.close()
    with contextlib.ExitStack() as stack:
        refused = 0
        for _ in range(300):
            one = stack.enter_context(socket.create_connection(address, timeout=60))
            one.sendall(head)
            answer = one.recv(1 << 16)
            assert answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 503")), answer
            refused += b"too many connections" in answer
        assert refused > 100
    wait_until(lambda: open_descriptors(server.process.pid) < 64)
    assert predict(server, "v1", [3, 3]).body == {"predictions": [1]}


def test_server_out_of_descriptors_pauses_and_recovers(new_server, sklearn_dir):
    server = new_server().start()
    server.deploy(sklearn_dir, framework="SCIKIT_LEARN")
    server.http.close()
    pid = server.process.pid
    resource = pytest.importorskip("resource")
    wait_until(lambda: open_descriptors(pid) < 25)
    old = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (next_descriptor(pid) + 1, old[1]))
    address = ("127.0.0.1", server.state.port)
    with contextlib.ExitStack() as stack:
        for _ in range(100):
            stack.enter_context(socket.create_connection(address, timeout=60))
        before = processor_seconds(pid)
        time.sleep(2.0)
        assert processor_seconds(pid) - before < 0.5, "the server spins"
        assert server.log().count("no connection is accepted") < 10
        assert "Traceback" not in server.log()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, old)
    assert predict(server, "v1", [3, 3]).body == {"predictions": [1]}


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_server_without_a_descriptor_tells_why_what_it_is_asked_fails(new_server, sklearn_dir):
    server = new_server().start()
    server.deploy(sklearn_dir, framework="SCIKIT_LEARN")
    pid = server.process.pid
    resource = pytest.importorskip("resource")
    old = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (next_descriptor(pid), old[1]))
    answer = server.call("POST", "/upload/storage/v1/b/bucket-of-models/o?uploadType=media&name=x", b"x" * 5000)
    failed = create(server, "v2", "gs://bucket-of-models/m/v1")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, old)
    assert (answer.status, failed["error"]["code"]) == (429, 8), failed
    for text in (str(answer.body), failed["error"]["message"]):
        assert "no file descriptor left" in text
        assert "ulimit -n" in text
    assert predict(server, "v1", [3, 3]).body == {"predictions": [1]}
    assert "response" in create(server, "v3", "gs://bucket-of-models/m/v1")


def test_worker_keeps_the_soft_limit_that_the_server_raised(new_server, sklearn_dir):
    server = new_server(before="ulimit -S -n 300; ulimit -H -n 2000").start()
    server.deploy(sklearn_dir, framework="SCIKIT_LEARN")
    [worker] = stats(server, "v1")["nodes"]["pids"]

    def limits(pid: int) -> list[str]:
        [line] = [line for line in Path(f"/proc/{pid}/limits").read_text().splitlines() if "open files" in line]
        return line.split()[3:5]

    assert limits(server.process.pid) == ["2000", "2000"]
    assert limits(worker) == ["300", "2000"]


def large_model(directory: Path, megabytes: int) -> Path:
    """A directory with a scikit-learn model of so many MiB."""
    directory.mkdir()
    rows = numpy.random.default_rng(0).random((megabytes * MB // 8 // 64, 64))
    model = KNeighborsClassifier(1, algorithm="brute").fit(rows, numpy.arange(len(rows)) % 2)
    joblib.dump(model, directory / "model.joblib")
    return directory


class Watch:
    """Samples what the worker processes of a server hold, until it is left."""

    def __init__(self, server: ServerProcess) -> None:
        self._server = server
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.most = 0
        self.samples = 0

    def _run(self) -> None:
        while not self._stop.wait(0.05):
            self.most = max(self.most, sum(measure(descendants(self._server.process.pid)).values()))
            self.samples += 1

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        self._thread.join()


def test_memory_of_many_large_models_stays_within_the_budget(new_server, tmp_path):
    size, count, budget = 300 * MB, 12, 1 << 30
    server = new_server("--memory-budget", str(budget)).start()
    server.upload(large_model(tmp_path / "large", size // MB), "gs://bucket-of-models/m/v1")
    server.ok("POST", "/v1/projects/proj/models", {"name": "m"})
    names = [f"v{number}" for number in range(count)]
    with Watch(server) as watch, ThreadPoolExecutor(3) as pool:
        for operation in pool.map(lambda name: create(server, name, "gs://bucket-of-models/m/v1"), names):
            assert operation.get("response", {}).get("state") == "READY", operation
        for answer in pool.map(lambda name: predict(server, name, [0.5] * 64), names):
            assert answer.status == 200, answer
    assert watch.samples > 20
    assert watch.most <= budget + size
    told = stats(server, "v0")
    assert told["ended"]["memory"] >= 1
    assert told["allVersions"]["memoryBytes"] <= told["allVersions"]["memoryBudgetBytes"] == budget
    assert told["allVersions"]["nodes"] >= 2
    held = sum(file.stat().st_blocks * 512 for file in (server.data_dir / "objects").rglob("*") if file.is_file())
    assert held < 1.5 * size


def test_model_larger_than_the_budget_is_refused_before_it_is_loaded(new_server, tmp_path, sklearn_dir):
    large = large_model(tmp_path / "large", 40)
    server = new_server("--memory-budget", str(36 * MB)).start()
    operation = server.deploy(large, framework="SCIKIT_LEARN")
    assert operation["error"]["code"] == 9
    text = "its files have 42.6 MB, the budget is 37.7 MB. Restart the server with a larger --memory-budget."
    assert text in operation["error"]["message"]
    version = server.ok("GET", f"{MODEL}/versions/v1")
    assert version["state"] == "FAILED"
    assert server.deploy(sklearn_dir, version="v2", framework="SCIKIT_LEARN")["response"]["state"] == "READY"
    server.stop()

    larger = new_server("--memory-budget", str(100 * MB), data_dir=server.data_dir).start()
    assert larger.deploy(large, version="v3", framework="SCIKIT_LEARN")["response"]["state"] == "READY"
    larger.stop()
    again = new_server("--memory-budget", str(36 * MB), data_dir=server.data_dir).start()
    answer = predict(again, "v3", [0.5] * 64)
    assert (answer.status, answer.body["error"]["status"]) == (400, "FAILED_PRECONDITION")
    assert text in answer.body["error"]["message"]
    assert predict(again, "v2", ROWS[3]).body == {"predictions": [LABELS[3]]}
