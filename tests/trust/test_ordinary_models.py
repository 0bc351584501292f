"""Ordinary models of many releases load restricted in their own environments, with identical predictions."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import uv

from aip_magics import artifacts, checks
from aip_magics.prediction import ForkServerPool, WorkerSpec, start
from aip_magics.prediction.environments import find_python
from aip_magics.spec import Model, Version

pytestmark = pytest.mark.slow
TRAINER = Path(__file__).with_name("ordinary_models.py")
HERE = ".".join(map(str, sys.version_info[:2]))
RELEASES = {
    "0.24": (
        "3.8",
        "scikit-learn==0.24.2",
        "numpy<1.23",
        "scipy<1.9",
        "xgboost==1.6.2",
        "lightgbm<4",
        "pandas<2",
        "setuptools<70",
    ),
    "1.1": ("3.10", "scikit-learn==1.1.3", "numpy<1.24", "scipy<1.10", "imbalanced-learn==0.9.1", "xgboost==1.7.6"),
    "1.4": ("3.11", "scikit-learn==1.4.2", "numpy<2", "imbalanced-learn==0.12.4", "xgboost==2.0.3", "lightgbm==4.3.0"),
    "newest": ("3.12", "scikit-learn", "imbalanced-learn", "xgboost", "lightgbm", "catboost"),
}


def trained(python: str, folder: Path) -> list[str]:
    """The names of the models that this interpreter trained below the directory."""
    subprocess.run([python, str(TRAINER), str(folder)], check=True, capture_output=True, text=True, timeout=600)
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def hold(python: str, folder: Path, logs: Path) -> None:
    """Neither the inspection nor the restricted worker refuses these models; predictions are identical."""
    names = trained(python, folder)
    assert len(names) >= 17
    with ForkServerPool() as parents:
        for name in names:
            _hold(name, python, folder, logs, parents)


def _hold(name: str, python: str, folder: Path, logs: Path, parents: ForkServerPool) -> None:
    asked = json.loads((folder / f"{name}.json").read_text())
    subject = checks.CheckContext(Model(name="m"), Version(), artifacts.inspect_model_dir(folder / name))
    outcome = checks.RULES["U01"].apply(subject)
    assert isinstance(outcome, checks.Passed), f"{name}: {outcome}"
    with start(WorkerSpec(folder / name, python=python), log_dir=logs, fork_servers=parents) as worker:
        worker.load(120.0)
        answer = json.loads(worker.predict(json.dumps({"instances": asked["instances"]}).encode(), 60.0))
    assert answer["predictions"] == asked["predictions"], name


def test_ordinary_models_of_this_environment(tmp_path: Path) -> None:
    hold(sys.executable, tmp_path / "models", tmp_path / "logs")


@pytest.mark.network
@pytest.mark.parametrize("release", RELEASES)
def test_ordinary_models_of_a_release(release: str, tmp_path: Path) -> None:
    version, *packages = RELEASES[release]
    python = find_python(version)
    if python is None:
        pytest.skip(f"there is no Python {version} here")
    environment = tmp_path / "environment"
    run = [uv.find_uv_bin(), "-q"]
    subprocess.run([*run, "venv", "--python", str(python), str(environment)], check=True, timeout=120)
    inside = str(environment / "bin" / "python")
    subprocess.run([*run, "pip", "install", "--python", inside, "joblib", *packages], check=True, timeout=900)
    hold(inside, tmp_path / "models", tmp_path / "logs")
