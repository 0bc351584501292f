"""Cases of the rules about the Python that serves the local target."""

import pickle

import numpy as np
import sklearn
import xgboost
from rule_cases_models import booster, of_module, old, saved
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectFromModel
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

X, Y = np.array([[0.0, 1.0], [1.0, 0.0]] * 9), np.array([0, 1] * 9)


def text(version):
    return b"X" + len(version).to_bytes(4, "little") + version.encode()


def saved_with(d, estimator, version):
    """A directory with a fitted estimator, as this release of scikit-learn would have marked it."""
    data = pickle.dumps(estimator.fit(X, Y), protocol=3)
    return d.folder(model_pkl=data.replace(text(sklearn.__version__), text(version)))


def forest(d, version):
    return saved_with(d, RandomForestClassifier(2), version)


def imputer(d, version, *more):
    return saved_with(d, make_pipeline(SimpleImputer(), *more, LogisticRegression()), version)


def served(d, folder, *, env="current", **installed):
    """A deployment to the local target, on a Python with these releases, or with this one's."""
    names = {"sklearn": "scikit-learn"}
    releases = {names.get(name, name): version for name, version in installed.items()}
    return d(folder, installed=releases or None, env=env)


def uneven(d):
    """A booster whose base score a reader that takes it for 0.5 gets wrong."""
    data = xgboost.train({"objective": "binary:logistic", "nthread": 1}, xgboost.DMatrix(X, [0] * 12 + [1] * 6), 1)
    return d.folder(model_bst=bytes(data.save_raw("ubj")))


def custom(d, folder):
    return d(
        folder,
        installed={"scikit-learn": "1.9.1"},
        predictionClass="m.C",
        packageUris=["gs://b/p.tar.gz"],
    )


def with_library(d):
    folder = saved(d, ops=("Placeholder", "SimpleMLCreateModelResource"))
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / "ops.so").write_bytes(b"x")
    return folder


CASES = [
    # id, severity, text of the fix, what triggers it, its innocent neighbour
    (
        "A23",
        "error",
        "add --env model",
        lambda d: served(d, forest(d, "1.2.2"), sklearn="1.9.1"),
        lambda d: served(d, forest(d, "1.3.2"), sklearn="1.3.0"),
    ),
    (
        "A23",
        "error",
        "add --env model",
        lambda d: served(d, imputer(d, "1.5.2"), sklearn="1.9.1"),
        lambda d: served(d, imputer(d, "1.5.2"), sklearn="1.6.1"),
    ),
    (
        "A23",
        "warning",
        "add --env model",
        lambda d: served(d, imputer(d, "1.5.2", SelectFromModel(RandomForestClassifier(2))), sklearn="1.9.1"),
        lambda d: served(d, imputer(d, "1.5.2"), env="model"),
    ),
    (
        "A23",
        "warning",
        "add --env model",
        lambda d: custom(d, forest(d, "1.2.2")),
        lambda d: d.cloud(forest(d, "1.2.2")),
    ),
    (
        "A23",
        "error",
        "add --env runtime --runtime-version X.Y",
        lambda d: d(d.folder(model_pkl=of_module("sklearn.ensemble._gb_losses"))),
        lambda d: d(d.folder(model_pkl=pickle.dumps(RandomForestClassifier(2).fit(X, Y)))),
    ),
    (
        "A24",
        "warning",
        "add --env model",
        lambda d: served(d, saved_with(d, LogisticRegression(), "1.8.0"), sklearn="1.9.1"),
        lambda d: served(d, saved_with(d, LogisticRegression(), "1.9.0"), sklearn="1.9.1"),
    ),
    (
        "A24",
        "warning",
        "add --env runtime",
        lambda d: d(saved_with(d, LogisticRegression(), "1.0.1"), runtimeVersion="2.11"),
        lambda d: served(d, forest(d, "1.2.2"), sklearn="1.9.1"),  # A23 says more
    ),
    (
        "A24",
        "error",
        "add --env model",
        lambda d: served(d, uneven(d), xgboost="3.0.5"),
        lambda d: served(d, d.folder(model_bst=d.models.booster_of(1, 6, 2)), xgboost="3.2.0"),
    ),
    (
        "A25",
        "error",
        "assets.extra/",
        lambda d: served(d, saved(d, ops=("Placeholder", "SimpleMLCreateModelResource")), tensorflow="2.21.0"),
        lambda d: served(d, with_library(d), tensorflow="2.21.0"),
    ),
    (
        "A25",
        "error",
        "add --env model",
        lambda d: served(d, saved(d, ops=("Placeholder", "XlaRngBitGenerator", "MatMul")), tensorflow="2.1.0"),
        lambda d: served(d, saved(d, ops=("Placeholder", "MatMul")), tensorflow="2.1.0"),
    ),
    (
        "A08",
        "error",
        "add --env model",
        lambda d: served(d, old(d, "binary"), xgboost="3.1.0"),
        lambda d: served(d, old(d, "binary"), xgboost="3.0.5"),
    ),
    (
        "A08",
        "error",
        "add --env model",
        lambda d: served(d, d.folder(model_bst=booster(d, format="ubj")), xgboost="1.5.2"),
        lambda d: served(d, d.folder(model_bst=booster(d, format="json")), xgboost="1.5.2"),
    ),
]
