"""`--env model`: the environment of the libraries that saved a model."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from aip_magics.errors import PredictionError, RuntimeEnvironmentError
from aip_magics.prediction import local_predict
from aip_magics.prediction.environments import EnvironmentUnavailable, find_python, is_environment
from aip_magics.prediction.environments.build import RuntimeEnvironment, build
from aip_magics.prediction.runtime_setup import PreparedRuntime, prepare_runtime, unavailable_error

pytestmark = pytest.mark.slow
BINARY = b"binf" + bytes(200)
TRAIN = """
import json, pickle, sys
import numpy as np
from sklearn.ensemble import {name}
rng = np.random.RandomState(0)
x = rng.rand(60, 3)
model = {name}(n_estimators=4, random_state=0).fit(x, (x[:, 0] > 0.5).astype(int))
pickle.dump(model, open(sys.argv[1] + "/model.pkl", "wb"), protocol=4)
print(json.dumps([x[:9].tolist(), model.predict(x[:9]).tolist()]))
"""
TRAIN_BINARY = """
import json, os, sys
import numpy as np, xgboost
x = np.random.RandomState(0).rand(60, 3)
b = xgboost.train({"objective": "binary:logistic", "nthread": 1}, xgboost.DMatrix(x, (x[:, 0] > 0.7) * 1), 3)
b.save_model(sys.argv[1] + "/model.deprecated")
os.rename(sys.argv[1] + "/model.deprecated", sys.argv[1] + "/model.bst")
print(json.dumps([x[:9].tolist(), b.predict(xgboost.DMatrix(x[:9])).tolist()]))
"""


def test_model_environment_needs_versions(tmp_path: Path) -> None:
    export = tmp_path / "export"
    export.mkdir()
    (export / "model.pkl").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(RuntimeEnvironmentError, match="does not contain the version") as caught:
        prepare_runtime(export, tmp_path, env="model")
    assert caught.value.where == "--env model"
    assert caught.value.fix == "use --env runtime --runtime-version X.Y"


def test_model_environment_without_its_python_names_the_command_for_it(tmp_path: Path) -> None:
    """A booster without a version is of XGBoost 0.90 at most, whose wheels need Python 3.7 or 3.8."""
    (tmp_path / "model.bst").write_bytes(BINARY)
    nothing = {"HOME": str(tmp_path), "PATH": str(tmp_path), "PYENV_ROOT": str(tmp_path)}
    found = prepare_runtime(tmp_path, tmp_path, env="model", framework="XGBOOST", environ=nothing)
    if sys.version_info[:2] in ((3, 7), (3, 8)):
        pytest.skip("this Python has them")
    assert isinstance(found, EnvironmentUnavailable)
    assert found.reason.endswith("none of which is installed: 3.7, 3.8")
    assert found.fix.startswith(f"{sys.executable} -m uv python install 3.7")
    assert unavailable_error(found, "model").where == "--env model"


def test_model_environment_without_a_network_says_so(sklearn_dir: Path, tmp_path: Path) -> None:
    offline = {**os.environ, "UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "uv")}
    with pytest.raises(RuntimeEnvironmentError, match="could not download the libraries") as caught:
        prepare_runtime(sklearn_dir, tmp_path, env="model", environ=offline)
    assert caught.value.where == "--env model"


def test_is_environment(tmp_path: Path) -> None:
    assert is_environment(str(tmp_path / "environments" / "abc" / "bin" / "python"), tmp_path)
    assert not is_environment(sys.executable, tmp_path)


def train(python: str, code: str, export: Path) -> tuple[list[list[float]], list[float]]:
    export.mkdir()
    ran = subprocess.run([python, "-c", code, str(export)], capture_output=True, text=True, check=True)
    rows, predictions = json.loads(ran.stdout.splitlines()[-1])
    return rows, predictions


@pytest.mark.network
@pytest.mark.parametrize(
    ("release", "name"), [("1.2.2", "RandomForestClassifier"), ("1.5.2", "GradientBoostingClassifier")]
)
def test_model_environment_serves_an_older_scikit_learn(tmp_path: Path, release: str, name: str) -> None:
    """This Python fails and says how; the environment of the model predicts what its own release did."""
    base = find_python("3.11") or find_python("3.10")
    if base is None:
        pytest.skip("neither Python 3.11 nor 3.10 is on this machine")
    numpy = "numpy<2" if release < "1.4" else "numpy<2.4"
    old = build(base, [f"scikit-learn=={release}", numpy, "scipy<1.17"], tmp_path / "old")
    export = tmp_path / "export"
    rows, predictions = train(str(old.python), TRAIN.format(name=name), export)
    with pytest.raises(PredictionError) as caught:
        local_predict(export, rows)
    assert caught.value.fix.startswith("add --env model")

    lines: list[str] = []
    prepared = prepare_runtime(export, tmp_path, env="model", on_line=lines.append)
    assert isinstance(prepared, PreparedRuntime)
    assert prepared.summary.endswith(f"environment of the model's libraries (scikit-learn {release})")
    assert any(f"scikit-learn=={release}" in line for line in lines)
    assert is_environment(prepared.python, tmp_path)
    assert local_predict(export, rows, python=prepared.python) == {"predictions": predictions}


@pytest.mark.network
def test_model_environment_serves_the_binary_format_of_xgboost(tmp_path: Path) -> None:
    base = find_python("3.9") or find_python("3.8") or find_python("3.10")
    if base is None:
        pytest.skip("no Python with XGBoost 1.6 is on this machine")
    pins = ["xgboost==1.6.2", "numpy<1.24", "scipy<1.10", "setuptools<60"]
    old = build(base, pins, tmp_path / "old")
    assert isinstance(old, RuntimeEnvironment)
    export = tmp_path / "export"
    rows, predictions = train(str(old.python), TRAIN_BINARY, export)
    with pytest.raises(PredictionError) as caught:
        local_predict(export, rows)
    assert "Stack trace" not in caught.value.message
    assert caught.value.fix.startswith("add --env model")
    prepared = prepare_runtime(export, tmp_path, env="model")
    assert isinstance(prepared, PreparedRuntime)
    answer = local_predict(export, rows, python=prepared.python)
    assert answer["predictions"] == pytest.approx(predictions)
