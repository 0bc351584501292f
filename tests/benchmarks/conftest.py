"""Real models, what is compared, and where the numbers go. To run them: `pytest -m benchmark tests/benchmarks`."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import framework_only
import pytest
import request_loops

SCRIPT = str(Path(framework_only.__file__))


@pytest.fixture(autouse=True)
def same_for_all(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of all that is measured: bytecode is kept as it is for what pip installs, nothing calls home."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")  # gcloud's `python`
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    monkeypatch.setenv("CLOUDSDK_CORE_DISABLE_USAGE_REPORTING", "1")
    monkeypatch.setenv("CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK", "1")


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., None]]:
    """Print lines below a description of the machine, after the test, with or without `-s`."""
    lines = [request_loops.machine()]
    yield lambda *more: lines.extend(map(str, more))
    with capsys.disabled():
        sys.stdout.write("\n" + "".join(f"{line}\n" for line in lines))


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the models, each below its name in `framework_only.MODELS`."""
    base = tmp_path_factory.mktemp("exports")
    done = subprocess.run([sys.executable, SCRIPT, "export", str(base)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return base


@pytest.fixture(params=framework_only.MODELS)
def model(request: pytest.FixtureRequest, exports: Path) -> Path:
    if request.param == "saved" and not importlib.util.find_spec("tensorflow"):
        pytest.skip("TensorFlow is not installed")
    return exports / str(request.param)


@pytest.fixture
def aip_magics() -> list[str]:
    """The words that start the command line: the script that pip made, where it did."""
    script = shutil.which("aip-magics", path=str(Path(sys.executable).parent))
    return [script] if script else [sys.executable, "-m", "aip_magics"]


Plain = Callable[[Path], dict[str, Any]]


@pytest.fixture
def resident(model: Path) -> Iterator[Callable[[str], Plain]]:
    """Start `framework_only.py hold` or `fork` for the model; the function asks it with the file of a request."""
    started: list[subprocess.Popen[str]] = []

    def start(how: str) -> Plain:
        words = [sys.executable, SCRIPT, how, framework_only.MODELS[model.name], str(model)]
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        started.append(process)
        return lambda body: _asked(process, body)

    yield start
    for process in started:
        process.communicate(timeout=60)


def _asked(process: subprocess.Popen[str], body: Path) -> dict[str, Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{body}\n")
    process.stdin.flush()
    answer: dict[str, Any] = json.loads(process.stdout.readline())
    return answer
