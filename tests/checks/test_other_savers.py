"""Models saved by dill, or made by imbalanced-learn or CatBoost: named for what they are, with a fix that works.

The libraries are not among those of the tests: where they are there, their own files are tried as well.
"""

from __future__ import annotations

import io
import pathlib
import pickle
import sys

import joblib
import numpy as np
import pytest
import sklearn.pipeline
from rule_cases_estimators import DILL, DILL_ALONE, IMBLEARN, X, Y
from sklearn.cluster import DBSCAN
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from aip_magics import checks
from aip_magics.prediction.worker import load
from aip_magics.prediction.worker.errors import ModelError


def follow(fix, model):
    names = {"pathlib": pathlib, "joblib": joblib, "pickle": pickle, "sklearn": sklearn, "model": model}
    exec(fix.rpartition(": ")[2], names)


def predict(folder):
    model = load.open_model({"model_dir": str(folder)})
    return model.postprocess(model.run(model.preprocess(X[:9].tolist(), {}), {}))


def test_dill_is_named_and_its_modules_are_not_to_be_installed(deployment, found):
    for subject in (deployment(deployment.folder(model_pkl=DILL)), deployment.cloud(deployment.folder(model_pkl=DILL))):
        (finding,) = found(subject, "X02")
        assert "only dill can load it" in finding.message
        assert found(subject, "V10") == []
    alone = deployment.cloud(deployment.folder(model_pkl=DILL_ALONE))
    assert "not installed" in found(alone, "X02")[0].message
    assert found(alone, "V10") == []
    routine = deployment(
        deployment.folder(model_pkl=DILL), predictionClass="m.C", packageUris=["gs://b/my_code-0.1.tar.gz"]
    )
    assert found(routine, "X02") == []  # it may load the file by dill.load


def test_worker_names_dill_for_a_module_of_it(tmp_path):
    (tmp_path / "model.pkl").write_bytes(b"\x80\x04c__builtin__\n__main__\n.")
    with pytest.raises(ModelError) as caught:
        load.open_model({"model_dir": str(tmp_path)})
    assert "dill" in caught.value.fix
    assert "__builtin__" not in caught.value.fix


def test_file_of_dill_itself(deployment, found):
    dill = pytest.importorskip("dill")
    of_notebook = eval("lambda x: x", vars(sys.modules["__main__"]))
    model = make_pipeline(FunctionTransformer(of_notebook), LogisticRegression()).fit(X, Y)
    subject = deployment(deployment.folder(model_pkl=dill.dumps(model)))
    assert {"X02"} <= {finding.id for finding in checks.run(subject).errors} <= {"X02", "U01"}


def test_pipeline_of_imbalanced_learn_is_saved_without_its_samplers(deployment, found):
    sampling = pytest.importorskip("imblearn.over_sampling")
    pipeline = pytest.importorskip("imblearn.pipeline")
    model = pipeline.make_pipeline(StandardScaler(), sampling.SMOTE(), LogisticRegression())
    model.fit(X, np.where(np.arange(80) % 4 == 0, 1, 0))
    file = io.BytesIO()
    joblib.dump(model, file)
    folder = deployment.folder(model_joblib=file.getvalue())
    with pytest.raises(ModelError) as caught:
        load.open_model({"model_dir": str(folder)})
    assert "hasattr(step[1], 'fit_resample')" in caught.value.fix
    (finding,) = found(deployment(folder), "A04")
    follow(finding.fix, model)
    assert checks.run(deployment(folder)).errors == ()
    assert predict(folder) == model.predict(X[:9]).tolist()


def test_stand_in_for_imbalanced_learn(deployment, found):
    """The fix of the rule, with a class of the same form: a step that resamples is left out."""

    class Sampler:
        def fit_resample(self, X, y):
            return X, y

    steps = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y).steps
    model = type("Pipeline", (), {"steps": [steps[0], ("sampler", Sampler()), steps[1]]})()
    folder = deployment.folder(model_pkl=IMBLEARN)
    (finding,) = found(deployment(folder), "A04")
    follow(finding.fix, model)
    assert predict(folder) == make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y).predict(X[:9]).tolist()


def test_catboost_is_saved_in_a_pipeline(deployment, found, tmp_path):
    catboost = pytest.importorskip("catboost")
    model = catboost.CatBoostClassifier(iterations=3, verbose=False, train_dir=str(tmp_path)).fit(X, Y)
    folder = deployment.folder(model_pkl=pickle.dumps(model))
    with pytest.raises(ModelError) as caught:
        load.open_model({"model_dir": str(folder)})
    assert caught.value.fix.endswith("make_pipeline(model)")
    (finding,) = found(deployment(folder), "A04")
    follow(finding.fix, model)
    assert predict(folder) == model.predict(X[:9]).tolist()


@pytest.mark.parametrize(
    ("model", "fix"),
    [
        (LogisticRegression(), "fit the model before saving it"),
        (make_pipeline(StandardScaler(), LogisticRegression()), "fit the model before saving it"),
        (DBSCAN().fit(X), "a model that has a predict method"),
        (GridSearchCV(LogisticRegression(), {"C": [1]}, refit=False, cv=2).fit(X, Y), "refit=True"),
    ],
)
def test_worker_does_not_blame_the_instances_for_a_model_that_cannot_predict(tmp_path, model, fix):
    joblib.dump(model, tmp_path / "model.joblib")
    with pytest.raises(ModelError) as caught:
        predict(tmp_path)
    assert caught.value.kind == "FAILED_TO_RUN_MODEL"
    assert fix in caught.value.fix
