"""No false alarms: models as people train them, of the libraries of this Python, have no error on the local target."""

from __future__ import annotations

import pickle
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import joblib
import numpy as np
import pytest
import xgboost
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC

from aip_magics import artifacts, checks
from aip_magics.spec import Model, Version

X = np.array([[i % 7, i % 3] for i in range(60)], dtype=float)
Y = (X[:, 0] > 3).astype(int)
ROWS = b'{"instances": [[1.0, 2.0], [3, 4]]}'
MIXED = ColumnTransformer([("kind", OneHotEncoder(), [1]), ("size", StandardScaler(), [0])])
MODELS = {
    "logistic": LogisticRegression(),
    "forest": RandomForestClassifier(5),
    "boosted": GradientBoostingClassifier(n_estimators=5),
    "histogram": HistGradientBoostingRegressor(max_iter=5),
    "neighbors": KNeighborsClassifier(),
    "svc": SVC(),
    "mixed": make_pipeline(MIXED, SGDClassifier()),
    "function": make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()),
    "search": GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2),
    "network": MLPClassifier((3,), max_iter=300, tol=1.0, n_iter_no_change=2),
    "xgboost": xgboost.XGBClassifier(n_estimators=3, nthread=1),
    "xgboost in a pipeline": make_pipeline(StandardScaler(), xgboost.XGBRegressor(n_estimators=3, nthread=1)),
}
EXPORT = """
import sys, tensorflow as tf
module = tf.Module()
module.weights = tf.Variable([[1.0], [2.0]])
spec = tf.TensorSpec([None, 2], tf.float32, name="x")
call = tf.function(lambda x: {"scores": x @ module.weights}, input_signature=[spec])
tf.saved_model.save(module, sys.argv[1], signatures=call)
"""


def errors(folder: Path, test: bytes | None = ROWS, **version):
    """The findings of severity error, as a deploy without options has them."""
    found = artifacts.inspect_model_dir(folder)
    subject = checks.CheckContext(
        Model(name="m", regions=("us-central1",)),
        Version(name="v1", framework=found.framework, machineType="mls1-c1-m2", **version),
        found,
        test_request=test,
    )
    return checks.run(subject).errors


@pytest.mark.parametrize("compress", [0, 3], ids=["raw", "zlib"])
@pytest.mark.parametrize("name", MODELS)
def test_checks_pass_models_of_the_scikit_learn_interface(tmp_path, name, compress):
    joblib.dump(MODELS[name].fit(X, Y), tmp_path / "model.joblib", compress=compress)
    assert errors(tmp_path) == ()
    assert errors(tmp_path, runtimeVersion="2.11", pythonVersion="3.7") == ()


def test_checks_pass_a_text_model(tmp_path):
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(["good film", "bad book"], [0, 1])
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    assert errors(tmp_path, b'{"instances": ["a good text", "bad"]}') == ()


@pytest.mark.parametrize("format", ["ubj", "json"])
@pytest.mark.parametrize("objective", ["binary:logistic", "reg:squarederror", "rank:pairwise"])
def test_checks_pass_boosters(tmp_path, format, objective):
    booster = xgboost.train({"objective": objective, "nthread": 1}, xgboost.DMatrix(X, Y), 2)
    (tmp_path / "model.bst").write_bytes(booster.save_raw(format))
    assert errors(tmp_path) == ()


def test_checks_find_a_booster_with_feature_names(tmp_path):
    """What R06 says is so; test_serving_python follows its fix."""
    booster = xgboost.train({"nthread": 1}, xgboost.DMatrix(X, Y, feature_names=["a", "b"]), 2)
    path = tmp_path / "model.bst"
    path.write_bytes(booster.save_raw("ubj"))
    assert [finding.id for finding in errors(tmp_path)] == ["R06"]
    with pytest.raises(ValueError, match="feature"):
        xgboost.Booster(model_file=bytearray(path.read_bytes())).predict(xgboost.DMatrix(X))
    booster.feature_names = None
    path.write_bytes(booster.save_raw("ubj"))
    assert errors(tmp_path) == ()
    assert len(xgboost.Booster(model_file=bytearray(path.read_bytes())).predict(xgboost.DMatrix(X))) == len(X)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("tensorflow") is None, reason="TensorFlow is not installed")
def test_checks_pass_a_saved_model(tmp_path):
    """Exported by a process of its own: TensorFlow and the tests' other libraries need not meet."""
    code = [sys.executable, "-c", EXPORT, str(tmp_path / "export")]
    subprocess.run(code, check=True, capture_output=True, timeout=240)
    assert errors(tmp_path / "export") == ()
    wrong = [finding.id for finding in errors(tmp_path / "export", b'{"instances": [{"y": [1, 2]}]}')]
    assert wrong == ["R08"]
