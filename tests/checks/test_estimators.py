"""Models that cannot predict are found in their pickles, for every estimator there is, and each fix mends its model."""

from __future__ import annotations

import copy
import importlib.util
import pickle
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn
import xgboost
from sklearn.base import clone
from sklearn.cluster import DBSCAN, KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.neighbors import LocalOutlierFactor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from aip_magics import checks

sys.path.insert(0, str(Path(__file__).parents[1] / "catalog" / "collecting"))
import specimens_sklearn
from specimens_sklearn import X, Y

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    ALL = dict(specimens_sklearn.everything())
QUICK = {"LogisticRegression", "RandomForestClassifier", "KMeans", "SVC", "DBSCAN", "StandardScaler", "GridSearchCV",
         "VotingClassifier", "GaussianMixture", "HistGradientBoostingRegressor", "TSNE", "GaussianProcessRegressor",
         "KNeighborsRegressor", "FixedThresholdClassifier", "LocalOutlierFactor"}  # fmt: skip


@pytest.fixture
def find(deployment):
    """A function: the findings of both rules for a model, by id."""

    def of(model, protocol=4, name="model.joblib", **fields):
        folder = deployment.folder(model_x=b"")
        (folder / "model.x").unlink()
        (joblib.dump if name.endswith("joblib") else dump)(model, folder / name, protocol=protocol)
        context = deployment(folder, **fields)
        outcomes = {id: checks.RULES[id].apply(context) for id in ("A31", "A32")}
        return {id: outcome.findings[0] for id, outcome in outcomes.items() if isinstance(outcome, checks.Failed)}

    return of


def dump(model, path, protocol):
    path.write_bytes(pickle.dumps(model, protocol=protocol))


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in sorted(ALL)]
)
def test_estimators_are_found_exactly_where_they_cannot_predict(find, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = specimens_sklearn.fitted(name, ALL[name])
        found = find(fitted)
        if not hasattr(fitted, "predict"):
            assert set(found) == {"A32"} or name in ("FrozenEstimator", "FeatureUnion"), fitted
            return
        assert found == {}, "a false alarm"
        found = find(clone(fitted))
        assert set(found) == {"A31"} or predicts(clone(fitted)) or name == "FrozenEstimator"


def predicts(model):
    """Whether an unfitted model predicts, as a Gaussian process does."""
    try:
        model.predict(X)
    except Exception:  # noqa: BLE001 - that is the question
        return False
    return True


def test_every_protocol_and_name_is_read(find):
    for protocol in range(6):
        for name in ("model.joblib", "model.pkl"):
            assert set(find(LogisticRegression(), protocol, name)) == {"A31"}
            assert set(find(make_pipeline(StandardScaler()).fit(X), protocol, name)) == {"A32"}
            assert find(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y), protocol) == {}


def test_parts_are_judged(find):
    scaled = make_pipeline(StandardScaler(), LogisticRegression())
    assert "whose LogisticRegression was not fitted" in find(scaled)["A31"].message
    assert "whose last step, StandardScaler," in find(make_pipeline(scaled, StandardScaler()))["A32"].message
    nested = Pipeline([("a", StandardScaler()), ("b", make_pipeline(StandardScaler(), RandomForestClassifier(2)))])
    assert set(find(nested)) == {"A31"}
    assert find(nested.fit(X, Y)) == {}
    search = GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {}, cv=2)
    assert set(find(search)) == {"A31"}
    assert find(search.fit(X, Y)) == {}
    assert find(FixedThresholdClassifier(LogisticRegression().fit(X, Y))) == {}  # predicts without a fit of its own
    assert set(find(FixedThresholdClassifier(LogisticRegression()))) == {"A31"}
    assert find(make_pipeline(StandardScaler(), KMeans(2)).fit(X)) == {}


@pytest.mark.slow
def test_many_steps_and_large_lists_give_no_false_alarm(find):
    steps = [(f"s{number}", StandardScaler()) for number in range(80)]
    assert find(Pipeline([*steps, ("last", LogisticRegression())]).fit(X, Y)) == {}
    assert set(find(Pipeline([*steps, ("last", LogisticRegression())]))) == {"A31"}
    texts = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
    texts.notes = [[word] for word in range(5000)]
    assert find(texts) == {}


@pytest.mark.parametrize("name", ["XGBClassifier", "XGBRegressor", "XGBRFClassifier"])
def test_xgboost_models_are_judged(find, name):
    model = getattr(xgboost, name)(n_estimators=2, n_jobs=1)
    assert set(find(model)) == {"A31"}
    assert set(find(make_pipeline(StandardScaler(), model))) == {"A31"}
    assert find(model.fit(X, Y)) == {}
    assert find(make_pipeline(StandardScaler(), model).fit(X, Y)) == {}


@pytest.mark.parametrize("library", ["lightgbm", "catboost"])
def test_models_of_other_libraries_are_judged(find, library):
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    import specimens_boosters

    part = dict(getattr(specimens_boosters, f"_{library}")())
    names = [name for name in part if name + " unfitted" in part]
    assert len(names) >= 3
    for name in names:
        assert set(find(part[name + " unfitted"]())) == {"A31"}, name
        assert find(part[name]()) == {}, name
        assert find(make_pipeline(StandardScaler(), part[name]())) == {}, name


class Mine(LogisticRegression):
    """A user's own class: it may do anything."""


def test_other_classes_and_custom_code_are_not_judged(find):
    assert find(Mine()) == {}
    assert find(make_pipeline(StandardScaler(), Mine())) == {}
    assert find({"model": LogisticRegression()}) == {}
    routine = {"predictionClass": "m.C", "packageUris": ["gs://b/p-1.tar.gz"]}
    assert find(LogisticRegression(), **routine) == {}
    assert find(StandardScaler(), **routine) == {}


FIXED = [
    LogisticRegression(),
    make_pipeline(StandardScaler(), RandomForestClassifier(2)),
    xgboost.XGBClassifier(n_estimators=2, n_jobs=1),
    GridSearchCV(LogisticRegression(), {"C": [1]}, cv=2),
    GridSearchCV(LogisticRegression(), {"C": [1]}, cv=2, refit=False).fit(X, Y),
    LocalOutlierFactor().fit(X),
    DBSCAN(eps=0.5).fit(X),
    StandardScaler().fit(X),
    make_pipeline(StandardScaler(), StandardScaler()).fit(X),
    ColumnTransformer([("a", StandardScaler(), [0, 1])]).fit(X),
]


@pytest.mark.parametrize("name", ["model.joblib", "model.pkl"])
@pytest.mark.parametrize("model", FIXED, ids=lambda model: type(model).__name__)
def test_fixes_work_when_followed(find, name, model):
    model = copy.deepcopy(model)
    found = find(model, name=name)
    assert len(found) == 1
    (finding,) = found.values()
    line = finding.fix.partition(": ")[2]
    names = {"sklearn": sklearn, "joblib": joblib, "pickle": pickle, "model": model, "X": X, "y": Y}
    exec(f"import pathlib, sklearn.neighbors, sklearn.pipeline; {line}", {**names, "predictor": LogisticRegression()})
    path = Path(line.split("'")[1])
    saved = joblib.load(path) if name == "model.joblib" else pickle.loads(path.read_bytes())
    assert np.shape(saved.predict(X.tolist())) == (60,)
    assert find(saved) == {}
