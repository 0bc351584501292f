"""What all tests share: a home of their own, real models, an embedded server that is gone afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from aip_magics.targets import local

# The Cloud Storage client asks for bucket metadata in a background thread; a test may be over before it is.
os.environ["DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA"] = "1"


# A time never fails a test: the machine may be doing other things.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory and a gcloud configuration of the test's own: the user's are neither read nor written."""
    directory = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("AIP_MAGICS_", "CLOUDSDK_", "GOOGLE_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AIP_MAGICS_HOME", str(directory / "aip"))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(directory / "gcloud"))
    monkeypatch.setenv("AIP_MAGICS_LANG", "en")
    return directory / "aip"


@pytest.fixture
def embedded(home: Path) -> Iterator[Path]:
    """The data directory of an embedded server; whatever is started there is stopped after the test."""
    yield home
    state = local.running(home)
    local.stop(home)
    if state is not None:
        assert not local.exists(state.pid), f"the server process {state.pid} is still there"


@pytest.fixture(scope="session")
def iris_data() -> tuple[list[list[float]], list[int]]:
    from sklearn.datasets import load_iris

    features, species = load_iris(return_X_y=True)
    return features.tolist(), species.tolist()


@pytest.fixture(scope="session")
def iris_export(tmp_path_factory: pytest.TempPathFactory, iris_data: tuple[list[list[float]], list[int]]) -> Path:
    """A directory with a real scikit-learn pipeline in `model.joblib`. Tests that change it copy it first."""
    import joblib
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    directory = tmp_path_factory.mktemp("models") / "iris"
    directory.mkdir()
    model = make_pipeline(StandardScaler(), LogisticRegression(random_state=0)).fit(*iris_data)
    joblib.dump(model, directory / "model.joblib")
    return directory


@pytest.fixture(scope="session")
def booster_export(tmp_path_factory: pytest.TempPathFactory, iris_data: tuple[list[list[float]], list[int]]) -> Path:
    """A directory with a real XGBoost booster in `model.bst`."""
    import numpy
    import xgboost

    directory = tmp_path_factory.mktemp("models") / "boosted"
    directory.mkdir()
    features, species = iris_data
    matrix = xgboost.DMatrix(numpy.array(features), label=species)
    booster = xgboost.train({"objective": "multi:softprob", "num_class": 3, "nthread": 1}, matrix, num_boost_round=3)
    booster.save_model(directory / "model.ubj")  # the format is chosen by the name; .bst only warns and does the same
    (directory / "model.ubj").rename(directory / "model.bst")
    return directory
