"""Row-wise models: what they predict for a row has the same bits alone and among other rows, on real models."""

from __future__ import annotations

import json

import numpy
import pytest
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

from aip_magics.prediction.worker.models import SklearnModel, XgboostModel
from aip_magics.prediction.worker.predict import predict
from aip_magics.prediction.worker.row_wise import ROW_WISE, is_row_wise
from aip_magics.prediction.worker.stats import Stats

ROWS = 200
ESTIMATORS = [
    DecisionTreeClassifier(),
    DecisionTreeRegressor(),
    ExtraTreeClassifier(),
    ExtraTreeRegressor(),
    ExtraTreesClassifier(10),
    ExtraTreesRegressor(10),
    GradientBoostingClassifier(n_estimators=10),
    GradientBoostingRegressor(n_estimators=10),
    HistGradientBoostingClassifier(max_iter=10),
    HistGradientBoostingRegressor(max_iter=10),
    RandomForestClassifier(10),
    RandomForestRegressor(10),
    make_pipeline(SimpleImputer(), StandardScaler(), MinMaxScaler(), "passthrough", RandomForestRegressor(10)),
    make_pipeline(RobustScaler(), MaxAbsScaler(), GradientBoostingRegressor(n_estimators=10)),
    make_pipeline(Binarizer(), DecisionTreeRegressor()),
]
BOOSTED = ("XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor")
OTHERS = [
    LogisticRegression(max_iter=5000),
    BaggingClassifier(LogisticRegression(max_iter=5000)),
    GradientBoostingRegressor(n_estimators=5, init=LinearRegression()),
    make_pipeline(PCA(2), RandomForestRegressor(5)),
    make_pipeline(FunctionTransformer(), RandomForestRegressor(5)),
]


@pytest.fixture(scope="module")
def rows() -> numpy.ndarray:
    return numpy.random.default_rng(7).normal(size=(ROWS, 4)) * [1, 1e-3, 1e6, 7]


@pytest.fixture(scope="module")
def labels(rows) -> numpy.ndarray:
    return (rows[:, 0] > 0).astype(int) + (rows[:, 3] > 3)


def answers(model: SklearnModel, instances: list[list[float]]) -> list[object]:
    answer = predict(model, json.dumps({"instances": instances}).encode(), Stats())
    return json.loads(answer)["predictions"]


def predicts_alone_as_among_others(model: SklearnModel, rows: numpy.ndarray) -> bool:
    instances = rows.tolist()
    alone = [answers(model, [instance])[0] for instance in instances[:64]]
    return all(
        answers(model, instances[begin : begin + size]) == alone[begin : begin + size]
        for size in (2, 3, 8, 63, 64)
        for begin in range(0, 64 - size + 1, size)
    )


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda one: type(one).__name__)
def test_row_wise_estimators_predict_alone_as_among_others(estimator, rows, labels) -> None:
    model = SklearnModel(estimator.fit(rows, labels))
    assert model.row_wise
    assert predicts_alone_as_among_others(model, rows)


@pytest.mark.slow
@pytest.mark.parametrize(
    "parameters",
    [{"objective": "reg:squarederror"}, {"objective": "multi:softprob", "num_class": 3}, {"booster": "gblinear"},
     {"booster": "dart", "rate_drop": 0.5}],
    ids=str,
)  # fmt: skip
def test_row_wise_boosters_predict_alone_as_among_others(parameters, rows, labels) -> None:
    xgboost = pytest.importorskip("xgboost")
    model = XgboostModel(xgboost.train({"nthread": 1, **parameters}, xgboost.DMatrix(rows, labels), 10))
    assert model.row_wise
    assert predicts_alone_as_among_others(model, rows)


@pytest.mark.slow
@pytest.mark.parametrize("name", BOOSTED)
def test_row_wise_estimators_of_xgboost_predict_alone_as_among_others(name, rows, labels) -> None:
    xgboost = pytest.importorskip("xgboost")
    model = SklearnModel(getattr(xgboost, name)(n_estimators=10, n_jobs=1).fit(rows, labels))
    assert model.row_wise
    assert predicts_alone_as_among_others(model, rows)


def test_row_wise_classes_are_all_tried() -> None:
    steps = [step for one in ESTIMATORS for step in (dict(one.steps).values() if hasattr(one, "steps") else [one])]
    tried = {type(step).__name__ for step in steps if step != "passthrough"}
    assert tried == ROW_WISE["sklearn"]
    assert {"Booster", *BOOSTED} == ROW_WISE["xgboost"]


@pytest.mark.parametrize("estimator", OTHERS, ids=lambda one: type(one).__name__)
def test_row_wise_is_no_other_model(estimator, rows, labels) -> None:
    assert not is_row_wise(estimator.fit(rows, labels))


def test_row_wise_is_no_class_of_the_users_own() -> None:
    class RandomForest(RandomForestClassifier):
        pass

    RandomForest.__name__ = "RandomForestClassifier"
    RandomForest.__module__ = "my_models"
    assert not is_row_wise(RandomForest())
    changed = RandomForestClassifier()
    changed.predict = lambda rows: [sum(map(sum, rows))] * len(rows)
    assert not is_row_wise(changed)
    changed = make_pipeline(StandardScaler(), RandomForestClassifier())
    changed[0].transform = lambda rows: [[sum(map(sum, rows))]] * len(rows)
    assert not is_row_wise(changed)
    changed = make_pipeline(StandardScaler(), RandomForestClassifier())
    changed.predict = lambda rows: [sum(map(sum, rows))] * len(rows)
    assert not is_row_wise(changed)
    half = make_pipeline(StandardScaler(), RandomForestClassifier())
    del half.steps
    assert not is_row_wise(half)
