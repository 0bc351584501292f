"""Environments are really built (from local wheels, without downloads), cached, and run a worker."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from archives import wheel
from mounts import mounted

from aip_magics import catalog
from aip_magics.errors import FieldError, LocalFileError, ModelDirError, PredictionError, RuntimeEnvironmentError
from aip_magics.prediction import WorkerSpec, local_predict, start
from aip_magics.prediction.environments import (
    EnvironmentUnavailable,
    RuntimeEnvironment,
    build_pins,
    find_python,
    prepare_environment,
)
from aip_magics.prediction.environments.build import build
from aip_magics.prediction.runtime_setup import PreparedRuntime, prepare_runtime, unavailable_error

pytestmark = pytest.mark.slow

PYTHON = ".".join(map(str, sys.version_info[:2]))
MODEL = """
    import own

    class Model:
        def predict(self, instances):
            return [own.VALUE] * len(instances)
"""


def left(cache: Path) -> list[str]:
    """The environments of the cache, and what was left of them, without the marks of their use."""
    return [name for name in os.listdir(cache / "environments") if name != ".use"]


@pytest.mark.parametrize(
    ("version", "framework", "extra", "pins"),
    [
        ("2.11", "SCIKIT_LEARN", (), "joblib numpy==1.21.6 pandas==1.3.5 scikit-learn==1.0.2"),
        ("2.11", None, ("xgboost",), "joblib numpy==1.21.6 pandas==1.3.5 scikit-learn==1.0.2 xgboost==1.6.2"),
        ("2.11", None, ("lightgbm<4",), "joblib lightgbm<4 numpy==1.21.6 pandas==1.3.5 scikit-learn==1.0.2"),
        ("2.8", "XGBOOST", (), "joblib numpy==1.21.* pandas==1.3.* scikit-learn==1.0.2 xgboost==1.5.*"),
        ("2.11", "TENSORFLOW", (), "joblib numpy==1.21.6 pandas==1.3.5 protobuf<3.21 tensorflow==2.11.*"),
    ],
)
def test_pins_of_runtimes(version: str, framework: str | None, extra: tuple[str, ...], pins: str) -> None:
    runtime = catalog.runtime(version)
    assert runtime is not None
    assert build_pins(runtime, framework, extra) == tuple(sorted([*pins.split(), "setuptools<60", "wheel"]))


def test_environment_the_service_never_had(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match=r"unknown runtime version '2\.10'") as caught:
        prepare_environment("2.10", None, tmp_path)
    assert "2.11, 2.9" in caught.value.fix
    with pytest.raises(FieldError, match=r"runtime 2\.11 does not support Python 3\.10"):
        prepare_environment("2.11", "3.10", tmp_path)
    with pytest.raises(FieldError, match="does not include xgboost"):
        prepare_environment("1.2", None, tmp_path, framework="XGBOOST")


def test_environment_without_its_python_names_the_command_for_it(tmp_path: Path) -> None:
    nothing = {"HOME": str(tmp_path), "PATH": str(tmp_path), "PYENV_ROOT": str(tmp_path)}
    found = prepare_environment("2.11", None, tmp_path, environ=nothing)
    assert isinstance(found, EnvironmentUnavailable)
    assert "Python 3.7 of runtime 2.11 is not installed on this machine" in found.reason
    assert found.fix.startswith(f"{sys.executable} -m uv python install 3.7")
    assert "3.7" in unavailable_error(found).fix
    assert not (tmp_path / "environments").exists()
    old = prepare_environment("1.14", None, tmp_path)
    assert isinstance(old, EnvironmentUnavailable)
    assert "Python 3.5" in old.reason


def test_find_python_on_this_machine(tmp_path: Path) -> None:
    assert find_python(PYTHON) == Path(sys.executable)
    assert find_python("3.99") is None
    # A broken shim, as pyenv creates for every version that is installed but not selected.
    (tmp_path / "shims").mkdir()
    shim = tmp_path / "shims" / "python3.98"
    shim.write_text("#!/bin/sh\necho 'command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    variables = {"PATH": str(shim.parent), "HOME": str(tmp_path)}
    assert find_python("3.98", variables) is None
    fake = tmp_path / ".pyenv" / "versions" / "3.98.1" / "bin" / "python"
    fake.parent.mkdir(parents=True)
    fake.write_text("#!/bin/sh\necho aip-magics:3.98.1\n")
    fake.chmod(0o755)
    assert find_python("3.98", variables) == fake
    assert find_python("3.9", variables) != fake


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return wheel(tmp_path, "own", {"own": "VALUE = 'of the environment'"})


def test_environment_is_built_once_and_runs_a_worker(
    own: Path, tmp_path: Path, built: Callable[..., Path], gone: Callable[..., bool]
) -> None:
    lines: list[str] = []
    made: list[RuntimeEnvironment] = []

    def work() -> None:
        made.append(build(Path(sys.executable), [str(own)], tmp_path, on_line=lines.append))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 3
    assert made[0] == made[1] == made[2]
    assert len([line for line in lines if "+ own==0.1" in line]) == 1
    assert made[0].libraries == {"own": "0.1"}
    assert made[0].python_version.startswith(PYTHON)
    spec = WorkerSpec(built(MODEL), python=str(made[0].python), trusted=True)
    with start(spec, log_dir=tmp_path / "logs") as worker:
        worker.load()
        answer = json.loads(worker.predict(b'{"instances": [1, 2]}'))
    assert answer == {"predictions": ["of the environment"] * 2}
    assert gone(worker.pid)


def test_environment_whose_python_went_away_is_built_again(own: Path, tmp_path: Path) -> None:
    made = build(Path(sys.executable), [str(own)], tmp_path)
    made.python.unlink()
    again = build(Path(sys.executable), [str(own)], tmp_path)
    assert again == made
    assert subprocess.run([again.python, "-c", "import own"], check=True).returncode == 0
    assert left(tmp_path) == [made.python.parent.parent.name]


def test_environment_without_a_network_says_so(tmp_path: Path) -> None:
    offline = {**os.environ, "UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "uv")}
    with pytest.raises(RuntimeEnvironmentError, match="could not download the libraries") as caught:
        build(Path(sys.executable), ["scikit-learn==1.0.2"], tmp_path, environ=offline)
    assert "connect to the network" in caught.value.fix
    assert left(tmp_path) == []


def test_environment_that_cannot_be_built_says_so(own: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeEnvironmentError, match="could not build the environment"):
        build(Path(sys.executable), ["this is no requirement"], tmp_path)
    with pytest.raises(RuntimeEnvironmentError, match=r"timed out after 0\.01 s"):
        build(Path(sys.executable), [str(own)], tmp_path, deadline=0.01)


def test_environment_on_a_full_disk_says_so(own: Path, tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "size=40k") as disk:
        with pytest.raises(LocalFileError, match="the disk is full") as caught:
            build(Path(sys.executable), [str(own)], disk)
        assert caught.value.where == str(disk / "environments")
        assert caught.value.fix == "free space on that disk and run the command again"
        assert len(caught.value.format_lines()) == 3
        assert left(disk) == []


def test_prepare_runtime_with_the_current_python(sklearn_dir: Path, own: Path, tmp_path: Path) -> None:
    found = prepare_runtime(sklearn_dir, tmp_path)
    assert found == PreparedRuntime(
        sys.executable, (), f"Python {sys.version.split()[0]} at {sys.executable} (current interpreter)"
    )
    assert not any(tmp_path.glob("packages"))
    with_code = prepare_runtime(sklearn_dir, tmp_path, packages=[own])
    assert isinstance(with_code, PreparedRuntime)
    assert (with_code.packages[0] / "own.py").exists()


def test_prepare_runtime_with_the_requested_runtime(sklearn_dir: Path, tmp_path: Path) -> None:
    old = prepare_runtime(sklearn_dir, tmp_path, env="runtime", runtime_version="1.14", framework="scikit-learn")
    assert isinstance(old, EnvironmentUnavailable)
    with pytest.raises(ModelDirError, match="does not exist"):
        prepare_runtime(tmp_path / "nowhere", tmp_path, env="runtime")


TRAIN = """
import joblib, sys
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
x, y = load_iris(return_X_y=True)
model = make_pipeline(StandardScaler(), RandomForestClassifier(5, random_state=0)).fit(x, y)
joblib.dump(model, sys.argv[1] + "/model.joblib")
print(model.predict(x[::15].tolist()).tolist())
"""


@pytest.mark.network
def test_environment_of_runtime_2_11_for_real(sklearn_dir: Path, rows: Any, tmp_path: Path) -> None:
    """Python 3.7 and scikit-learn 1.0.2: a current model fails as in the cloud, a model trained there predicts."""
    if find_python("3.7") is None:
        pytest.skip("Python 3.7 is not on this machine")
    found = prepare_runtime(sklearn_dir, tmp_path, env="runtime")
    assert isinstance(found, PreparedRuntime)
    assert ", environment of runtime 2.11 (scikit-learn " in found.summary
    made = prepare_environment("2.11", "3.7", tmp_path, framework="SCIKIT_LEARN", extra_packages=["scikit-learn"])
    assert isinstance(made, RuntimeEnvironment)
    assert str(made.python) == found.python  # the same list of libraries is the same environment
    assert made.python_version.startswith("3.7.")
    assert (made.libraries["scikit-learn"], made.libraries["numpy"]) == ("1.0.2", "1.21.6")
    with pytest.raises(PredictionError, match=r"No module named 'numpy\._core'"):
        local_predict(sklearn_dir, rows, python=found.python)

    export = tmp_path / "export"
    export.mkdir()
    trained = subprocess.run([found.python, "-c", TRAIN, str(export)], capture_output=True, text=True, check=True)
    predictions = json.loads(trained.stdout)
    fitting = prepare_runtime(export, tmp_path, env="runtime")
    assert isinstance(fitting, PreparedRuntime)
    assert fitting.python == found.python
    assert local_predict(export, rows, python=fitting.python) == {"predictions": predictions}

    # With their requirements, as the service installs packages.
    code = wheel(tmp_path, "needy", {"needy": "import six; VALUE = six.PY3"}, requires="six")
    with_code = prepare_runtime(export, tmp_path, env="runtime", packages=[code])
    assert isinstance(with_code, PreparedRuntime)
    assert {"needy.py", "six.py"} <= {path.name for path in with_code.packages[0].iterdir()}
    shutil.rmtree(tmp_path / "environments")
