"""A real server process with the object store's routes, and real clients for it."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import requests

import aip_magics
from aip_magics.server.gcs import ObjectStore

with warnings.catch_warnings():
    # Where TensorFlow brought grpcio without grpcio-status, google.api_core warns once, at its import. We use no gRPC.
    warnings.filterwarnings("ignore", "Please install grpcio-status", ImportWarning)
    import google.api_core.exceptions  # noqa: F401

PACKAGE_ROOT = Path(aip_magics.__file__).parents[1]


class ObjectServer:
    """One process. `url` has no slash at its end; `kill_point` is one of kill_points.py."""

    def __init__(self, data_dir: Path, kill_point: str = "") -> None:
        self.data_dir = data_dir
        script = Path(__file__).with_name("serve_gcs.py")
        path = os.pathsep.join(filter(None, [str(PACKAGE_ROOT), os.environ.get("PYTHONPATH", "")]))
        self.process = subprocess.Popen(
            [sys.executable, str(script), str(data_dir), *filter(None, [kill_point])],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert self.process.stdout
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}"

    def kill(self) -> None:
        """kill -9"""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        assert self.process.stdout
        self.process.stdout.close()


@pytest.fixture(scope="session")
def object_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    server = ObjectServer(tmp_path_factory.mktemp("objects"))
    yield server
    server.stop()


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Callable[..., ObjectServer]]:
    """Starts servers on one data directory, one after the other."""
    started: list[ObjectServer] = []

    def start(kill_point: str = "", data_dir: Path | None = None) -> ObjectServer:
        started.append(ObjectServer(data_dir or tmp_path / "data", kill_point))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop()


@pytest.fixture
def new_client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """google-cloud-storage for a server, with no variable of the environment that redirects it."""
    from google.cloud import storage
    from google.oauth2.credentials import Credentials

    monkeypatch.setenv("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "1")
    clients: list[Any] = []

    def new(url: str) -> Any:
        client = storage.Client("demo", credentials=Credentials("t"), client_options={"api_endpoint": url})
        clients.append(client)
        return client

    yield new
    for client in clients:
        client.close()


@pytest.fixture
def client(object_server: ObjectServer, new_client: Callable[[str], Any]) -> Any:
    return new_client(object_server.url)


_numbers = itertools.count()


@pytest.fixture
def http(object_server: ObjectServer) -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.fixture
def bucket_name(object_server: ObjectServer, http: requests.Session) -> str:
    """A new bucket on the shared server."""
    name = f"bucket-{next(_numbers)}"
    answer = http.post(f"{object_server.url}/storage/v1/b?project=demo", json={"name": name, "location": "us-central1"})
    assert answer.status_code == 200, answer.text
    return name


@pytest.fixture
def bucket(client: Any, bucket_name: str) -> Any:
    return client.bucket(bucket_name)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ObjectStore]:
    store = ObjectStore(tmp_path, lambda: datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=timezone.utc))
    store.buckets.create("demo", {"name": "bucket"})
    yield store
    store.close()
