"""The names that estimators were fitted with, read from their files: those that scikit-learn itself says."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import joblib
import numpy
import pandas
import pytest
import xgboost
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, StackingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from aip_magics.artifacts import inspect_model_dir, model_file
from aip_magics.artifacts.model_inputs import model_inputs, read_model_inputs
from aip_magics.artifacts.pickle_values import MAX_ITEMS, MAX_LISTS

NAMES = ("rooms", "age", "면적")
FRAME = pandas.DataFrame(numpy.random.RandomState(0).rand(60, 3), columns=NAMES)
LABELS = (FRAME["rooms"] > 0.5).astype(int)

MODELS: dict[str, Any] = {
    "plain": LinearRegression(),
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression()),
    "nested": make_pipeline(make_pipeline(SimpleImputer(), StandardScaler()), LogisticRegression()),
    "union": make_pipeline(FeatureUnion([("scaled", StandardScaler())]), LogisticRegression()),
    "function": make_pipeline(FunctionTransformer(numpy.log1p), LogisticRegression()),
    "columns": ColumnTransformer([("scaled", StandardScaler(), [1])], remainder="passthrough"),
    "search": GridSearchCV(make_pipeline(StandardScaler(), LinearRegression()), {"linearregression__n_jobs": [1]}),
    "calibrated": CalibratedClassifierCV(LogisticRegression(), cv=2),
    "stack": StackingClassifier([("a", LogisticRegression())]),
    "forest": RandomForestClassifier(5),
    "histogram": HistGradientBoostingClassifier(max_iter=3),
    "boosted": xgboost.XGBClassifier(n_estimators=3, n_jobs=1),
    "boosted, large": xgboost.XGBClassifier(n_estimators=200, n_jobs=1),
    "boosted, last": make_pipeline(xgboost.XGBClassifier(n_estimators=3, n_jobs=1)),
}  # fmt: skip
FORMATS: dict[str, Callable[[Any, Path], Any]] = {
    "pickle 2": lambda model, path: path.write_bytes(pickle.dumps(model, protocol=2)),
    "pickle 4": lambda model, path: path.write_bytes(pickle.dumps(model, protocol=4)),
    "pickle 5": lambda model, path: path.write_bytes(pickle.dumps(model, protocol=5)),
    "joblib": joblib.dump,
    "joblib, compressed": lambda model, path: joblib.dump(model, path, compress=3),
    "cloudpickle": lambda model, path: path.write_bytes(cloudpickle.dumps(model)),
}


@pytest.mark.parametrize("kind", MODELS)
def test_feature_names_are_those_of_the_estimator(kind: str, tmp_path: Path) -> None:
    fitted = clone(MODELS[kind]).fit(FRAME, LABELS)
    assert tuple(fitted.feature_names_in_) == NAMES
    for save in FORMATS.values():
        save(fitted, tmp_path / "model.joblib")
        assert model_inputs(inspect_model_dir(tmp_path)).features == NAMES
    unnamed = clone(MODELS[kind]).fit(FRAME.to_numpy(), LABELS)
    for save in FORMATS.values():
        save(unnamed, tmp_path / "model.joblib")
        inputs = read_model_inputs(tmp_path / "model.joblib")
        assert (inputs.features, inputs.unread) == ((), "")


def test_feature_names_of_the_first_step_that_does_something(tmp_path: Path) -> None:
    model = Pipeline([("nothing", "passthrough"), ("model", LogisticRegression())]).fit(FRAME, LABELS)
    joblib.dump(model, tmp_path / "model.joblib")
    assert read_model_inputs(tmp_path / "model.joblib").features == NAMES


@pytest.mark.parametrize("suffix", ["ubj", "json"])
def test_feature_names_of_a_booster(suffix: str, tmp_path: Path) -> None:
    booster = xgboost.train({"nthread": 1}, xgboost.DMatrix(FRAME, LABELS), 3)
    booster.save_model(tmp_path / f"model.{suffix}")
    (tmp_path / f"model.{suffix}").rename(tmp_path / "model.bst")
    assert read_model_inputs(tmp_path / "model.bst").features == NAMES
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(booster))
    assert read_model_inputs(tmp_path / "model.pkl").features == NAMES


def test_feature_names_of_a_wide_model(tmp_path: Path) -> None:
    wide = pandas.DataFrame(numpy.eye(2, 5000), columns=[f"column {number}" for number in range(5000)])
    joblib.dump(make_pipeline(StandardScaler(), LogisticRegression()).fit(wide, [0, 1]), tmp_path / "model.joblib")
    assert read_model_inputs(tmp_path / "model.joblib").features == tuple(wide.columns)


class Odd:
    """Has the attribute in other forms than scikit-learn."""

    def __init__(self, names: object) -> None:
        self.feature_names_in_ = names


@pytest.mark.parametrize(
    "names",
    [None, 3, ["a", "b"], numpy.array([1, 2]), *(numpy.array(one, dtype=object) for one in (["a", 2], ["\ufffd"]))],
)
def test_feature_names_in_another_form_are_unknown(names: object, tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(Odd(names)))
    assert model_file.read(tmp_path / "model.pkl").pickle is not None
    assert read_model_inputs(tmp_path / "model.pkl").features == ()


@pytest.mark.parametrize("kind", ["lists", "items"])
def test_feature_names_behind_too_many_lists_are_unknown(kind: str, tmp_path: Path) -> None:
    behind: list[Any] = [[] for _ in range(MAX_LISTS + 10)] if kind == "lists" else [0] * (MAX_ITEMS + 10)
    model = Odd(numpy.array(["a", "b"], dtype=object))
    model.__dict__ = {"behind": behind, **model.__dict__}
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    found = model_file.read(tmp_path / "model.pkl")
    assert found.complete
    assert found.pickle is not None
    assert found.pickle.feature_names == ()


def test_feature_names_of_a_truncated_pickle_are_unknown_and_say_so(tmp_path: Path) -> None:
    data = pickle.dumps(MODELS["plain"].fit(FRAME, LABELS))
    (tmp_path / "model.pkl").write_bytes(data[: len(data) - 40])
    inputs = read_model_inputs(tmp_path / "model.pkl")
    assert inputs.features == ()
    assert "truncated" in inputs.unread
