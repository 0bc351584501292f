"""Models of every kind for the model server, and an object store for them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import model_servers
import pytest
from custom_models import routine_dir

STORE = Path(__file__).parents[1] / "server" / "gcs" / "serve_gcs.py"
ROW = [5.1, 3.5, 1.4, 0.2]
# Its files: offset.json, and `go` once loading may end if there is a file `wait`.
ROUTINE = """
import json, os, time

print("imported")

class Routine:
    def __init__(self, offset):
        self.offset = offset

    @classmethod
    def from_path(cls, model_dir):
        while os.path.exists(os.path.join(model_dir, "wait")) and not os.path.exists(os.path.join(model_dir, "go")):
            time.sleep(0.02)
        with open(os.path.join(model_dir, "offset.json")) as file:
            return cls(json.load(file))

    def predict(self, instances, **kwargs):
        time.sleep(kwargs.get("seconds", 0))
        if kwargs.get("die"):
            os._exit(7)
        if "variable" in kwargs:
            return [os.environ.get(kwargs["variable"])] * len(instances)
        return [value * kwargs.get("factor", 1) + self.offset for value in instances]
"""


@pytest.fixture
def routine(tmp_path: Path) -> Path:
    """A directory with `container.json`, the installed module of a routine, and its files in `files`."""
    directory = tmp_path / "container"
    (directory / "packages").mkdir(parents=True)
    (directory / "packages" / "old_code.py").write_text(ROUTINE)
    content = '{"format": 1, "prediction_class": "old_code.Routine", "packages": ["packages"]}'
    (directory / "container.json").write_text(content)
    routine_dir(directory / "files")
    return directory


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an object store of the embedded server."""
    path = os.pathsep.join(filter(None, [model_servers.ROOT, os.environ.get("PYTHONPATH", "")]))
    process = subprocess.Popen(
        [sys.executable, str(STORE), str(tmp_path_factory.mktemp("stored"))],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert process.stdout
    yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    process.terminate()
    process.wait(20)
    process.stdout.close()
