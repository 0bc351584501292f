"""A file made to hurt costs a check seconds and some megabytes, and is told of: measured in processes of their own.

What is asserted is far from what is measured (1 to 5 s, up to 140 MB): a busy machine fails nobody.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import huge_files
import joblib
import pytest
from sklearn.linear_model import LogisticRegression

pytestmark = pytest.mark.slow
SECONDS, MEGABYTES = 30, 400


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    return folder


@pytest.fixture
def iris(model: Path) -> Path:
    joblib.dump(LogisticRegression().fit([[0.0], [1.0]], [0, 1]), model / "model.joblib")
    return model


def check(*arguments: object) -> str:
    """What a check found, as one text; it took little of a processor and of memory."""
    script = Path(__file__).with_name("measured_check.py")
    done = subprocess.run(
        [sys.executable, script, *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    sys.stdout.write(f"{found['seconds']} s, {found['megabytes']} MB\n")
    assert found["seconds"] < SECONDS
    assert found["megabytes"] < MEGABYTES
    assert all(len(line) <= 300 for line in found["found"])
    return "\n".join(found["found"])


@pytest.mark.parametrize("name", huge_files.MODELS)
def test_model_facts_of_a_model_with_a_million_of_something(model, name):
    huge_files.MODELS[name]()(model)
    check(model)


@pytest.mark.parametrize("name", huge_files.PACKAGES)
def test_package_checks_of_a_million_of_something(tmp_path, iris, name):
    package = huge_files.PACKAGES[name](tmp_path)
    found = check(iris, package)
    assert f"version.packageUris: {package.name}: " in found or name == "bytes of a tar"


@pytest.mark.parametrize("name", huge_files.REQUESTS)
def test_request_checks_of_a_million_of_something(tmp_path, iris, name):
    request = tmp_path / "request.json"
    request.write_bytes(huge_files.REQUESTS[name]())
    found = check(iris, "--instances", request)
    assert "R01" in found
    assert ("nested too deeply" in found) == (name == "nested lists")
