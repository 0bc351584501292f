"""Cases of rules about what a pickled estimator can do, about early stopping, and about directories."""

import dataclasses
import io
import pickle

import joblib
import numpy as np
import xgboost
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from aip_magics.errors import ModelDirError

X = np.random.RandomState(0).rand(80, 3)
Y = (X[:, 0] + np.random.RandomState(1).randn(80) * 0.5 > 0.5).astype(int)


def of(d, model, **fields):
    file = io.BytesIO()
    joblib.dump(model, file)
    return d(d.folder(model_joblib=file.getvalue()), **fields)


def early_stopped(kind="XGBClassifier", **options):
    """A model that was trained for some rounds more than its best one."""
    model = getattr(xgboost, kind)(n_estimators=100, early_stopping_rounds=5, n_jobs=1, **options)
    return model.fit(X[:40], Y[:40], eval_set=[(X[40:], Y[40:])], verbose=False)


def saved(d, model, format="ubj", **fields):
    """The directory of a model that was saved by its own save_model."""
    path = d.root / f"m.{format}"
    model.save_model(path)
    return d(d.folder(model_bst=path.read_bytes()), **fields)


def trained(rounds=3):
    return xgboost.train({"nthread": 1, "objective": "binary:logistic"}, xgboost.DMatrix(X, Y), rounds)


# What dill writes for a function of a notebook, and for one that refers to nothing.
DILL = b"\x80\x04cdill._dill\n_create_function\n(c__builtin__\n__main__\ntR."
DILL_ALONE = DILL.replace(b"c__builtin__\n__main__\n", b"")
IMBLEARN = b"\x80\x04cimblearn.pipeline\nPipeline\n)\x81}b."

CASES = [
    # id, severity, text of the fix, what triggers it, its innocent neighbour
    (
        "A31",
        "error",
        "model.fit(X, y); joblib.dump(model, '",
        lambda d: of(d, LogisticRegression()),
        lambda d: of(d, LogisticRegression().fit(X, Y)),
    ),
    (
        "A31",
        "error",
        "write_bytes(pickle.dumps(model))",
        lambda d: d(d.folder(model_pkl=pickle.dumps(make_pipeline(StandardScaler(), LogisticRegression())))),
        lambda d: d(d.folder(model_pkl=pickle.dumps(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)))),
    ),
    (
        "A32",
        "error",
        "make_pipeline(model, predictor)",
        lambda d: of(d, StandardScaler().fit(X)),
        lambda d: of(d, StandardScaler(), predictionClass="m.C", packageUris=["gs://b/p-1.tar.gz"]),
    ),
    (
        "A33",
        "warning",
        "xgboost.Booster(model_file=",
        lambda d: saved(d, early_stopped()),
        lambda d: saved(d, early_stopped().get_booster()[:1]),
    ),
    (
        "A33",
        "advice",
        ".save_raw('json')",
        lambda d: saved(d, early_stopped().get_booster(), "json"),
        lambda d: saved(d, trained(), "json"),
    ),
    (
        "A34",
        "advice",
        "joblib.dump(clf, ",
        lambda d: saved(d, early_stopped()),
        lambda d: saved(d, early_stopped("XGBRegressor")),
    ),
    (
        "X02",
        "error",
        "my_module.py",
        lambda d: d(d.folder(model_pkl=DILL)),
        lambda d: d(d.folder(model_pkl=pickle.dumps(LogisticRegression().fit(X, Y)))),
    ),
    (
        "X02",
        "warning",
        "my_module.py",
        lambda d: d.cloud(d.folder(model_pkl=DILL_ALONE)),
        lambda d: d(d.folder(model_pkl=DILL), predictionClass="m.C", packageUris=["gs://b/p-1.tar.gz"]),
    ),
    (
        "A04",
        "error",
        "sklearn.pipeline.Pipeline([step for step in model.steps if not hasattr(step[1], 'fit_resample')])",
        lambda d: d(d.folder(model_pkl=IMBLEARN)),
        lambda d: d(d.folder(model_pkl=IMBLEARN.replace(b"imblearn", b"sklearn"))),
    ),
    (
        "D31",
        "error",
        "use a directory",
        lambda d: dataclasses.replace(d(), model_dir=None, unusable=ModelDirError("is empty")),
        lambda d: dataclasses.replace(d(), model_dir=None),
    ),
    ("A34", "advice", "os.remove(", lambda d: saved(d, early_stopped(), "json"), lambda d: saved(d, trained())),
]
