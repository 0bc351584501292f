"""A real server process with the object store, and a store of ours for it."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from certificates import make_certificate
from store_fixtures import MakeFiles, Orphans

import aip_magics
from aip_magics.artifacts import File
from aip_magics.storage import GsUri, Store, bearer
from aip_magics.storage.parts import unfinished

BUCKET = "bucket"
SERVER = Path(__file__).parents[1] / "server" / "gcs" / "serve_gcs.py"
_numbers = itertools.count()


@pytest.fixture(scope="session")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server that has one bucket."""
    root = str(Path(aip_magics.__file__).parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    process = subprocess.Popen(
        [sys.executable, str(SERVER), str(tmp_path_factory.mktemp("stored"))],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert process.stdout
    url = f"http://127.0.0.1:{int(process.stdout.readline())}"
    store = Store(url)
    body = b'{"name": "bucket", "location": "us-central1"}'
    store.call("POST", "/storage/v1/b?project=demo", where=BUCKET, body=body, Content_Type="application/json")
    store.close()
    yield url
    process.terminate()
    process.wait(20)
    process.stdout.close()


@pytest.fixture
def store(endpoint: str) -> Iterator[Store]:
    store = Store(endpoint, bearer("t"))
    yield store
    store.close()


@pytest.fixture
def destination(endpoint: str) -> GsUri:
    """A directory in Cloud Storage that only this test knows."""
    return GsUri(BUCKET, f"{os.getpid()}-{next(_numbers)}/")


@pytest.fixture
def files(tmp_path: Path) -> MakeFiles:
    """Write files (relative name → content) and say what they are."""
    return lambda contents: list(_written(tmp_path / "source", contents))


def _written(folder: Path, contents: dict[str, bytes]) -> Iterable[File]:
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        yield File(name, path, len(content), path.stat().st_mtime_ns)


@pytest.fixture
def orphans(store: Store, destination: GsUri) -> Orphans:
    """The unfinished multipart uploads of an object (named relative to the destination)."""
    return lambda name: unfinished(store, destination.bucket, destination.prefix + name)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"))
