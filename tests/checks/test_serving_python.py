"""What this Python cannot serve is known before the upload, without importing a library; what it can is not refused."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import xgboost
from rule_cases_models import boosted, of_module
from rule_cases_serving import X, Y, saved_with, served
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, OneHotEncoder, PolynomialFeatures
from sklearn.svm import SVC

from aip_magics import checks

RULES = ("A08", "A23", "A24", "A25")
ESTIMATORS = [
    RandomForestClassifier(2),
    GradientBoostingClassifier(n_estimators=2),
    HistGradientBoostingClassifier(max_iter=2),
    SGDClassifier(loss="log_loss"),
    KNeighborsClassifier(2),
    SVC(),
    StackingClassifier([("a", LogisticRegression())], cv=2),
    GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=2),
    make_pipeline(SimpleImputer(), KNNImputer(), MaxAbsScaler(), PolynomialFeatures(), LogisticRegression()),
    make_pipeline(make_column_transformer((OneHotEncoder(), [0]), remainder="passthrough"), LogisticRegression()),
    xgboost.XGBClassifier(n_estimators=2, n_jobs=1),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda one: type(one).__name__)
def test_serving_python_finds_nothing_in_its_own_models(deployment, estimator):
    folder = deployment.folder(model_pkl=pickle.dumps(estimator.fit(X, Y)))
    assert [finding for finding in checks.run(deployment(folder)).findings if finding.id in RULES] == []


def test_serving_python_finds_nothing_in_its_own_text_model(deployment):
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(["good film", "bad book"], [0, 1])
    folder = deployment.folder(model_pkl=pickle.dumps(model))
    assert [finding for finding in checks.run(deployment(folder)).findings if finding.id in RULES] == []


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("sklearn.ensemble._gb_losses", "references sklearn.ensemble._gb_losses, which scikit-learn"),
        ("sklearn.linear_model.base", "references sklearn.linear_model.base, which scikit-learn"),
        ("sklearn.preprocessing._data", "references sklearn.preprocessing._data.Doubler, which scikit-learn"),
        ("numpy._old", "references numpy._old, which numpy"),
        ("xgboost.old.deeper", "references xgboost.old.deeper, which xgboost"),
    ],
)
def test_serving_python_finds_absent_modules_and_names(deployment, found, module, text):
    folder = deployment.folder(model_pkl=of_module(module))
    (finding,) = found(deployment(folder), "A23")
    assert text in finding.message


@pytest.mark.parametrize("module", ["my_steps", "sklearn.tree._tree", "sklearn", "pandas.core.absent"])
def test_serving_python_only_reports_what_it_knows(deployment, found, module):
    """Compiled modules and other libraries may have any names; the module `sklearn` has a __getattr__."""
    folder = deployment.folder(model_pkl=of_module(module))
    assert found(deployment(folder), "A23") == []


def test_serving_python_finds_the_compiled_losses_of_older_releases(deployment, found):
    data = (saved_with(deployment, LogisticRegression(), "1.5.2") / "model.pkl").read_bytes()
    name = b"c_loss\n__pyx_unpickle_CyHalfSquaredError\n0"
    folder = deployment.folder(model_pkl=data[:2] + name + data[2:])
    (finding,) = found(served(deployment, folder, sklearn="1.9.1"), "A23")
    assert "cannot load its _loss.__pyx_unpickle_CyHalfSquaredError" in finding.message
    assert found(served(deployment, folder, sklearn="1.5.2"), "A23") == []


@pytest.mark.slow
def test_serving_python_imports_no_library(tmp_path, deployment):
    """The releases are read from the metadata of the distributions."""
    folder = deployment.folder(model_pkl=of_module("sklearn.ensemble._gb_losses"))
    code = (
        "import sys; from aip_magics import artifacts, checks; from aip_magics.spec import Model, Version;"
        f"found = artifacts.inspect_model_dir(__import__('pathlib').Path({str(folder)!r}));"
        "report = checks.run(checks.CheckContext(Model(name='m'), Version(name='v'), found));"
        "print([one.id for one in report.errors if one.id == 'A23'], 'sklearn' in sys.modules, 'numpy' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert ran.stdout.strip() == "['A23'] False False"


def test_serving_python_reports_nothing_for_an_environment_of_its_own(deployment):
    folder = deployment.folder(model_pkl=of_module("sklearn.ensemble._gb_losses"))
    report = checks.run(served(deployment, folder, env="model"))
    assert not any(finding.id in RULES for finding in report.findings)


@pytest.mark.slow
def test_feature_names_fix_is_followed(deployment, found):
    """The line of R06 is Python: it runs, and then the booster predicts the same from rows without names."""
    subject = boosted(deployment, ["a", "b"])
    path = subject.model_dir.model_file.path
    named = xgboost.Booster(model_file=bytearray(path.read_bytes()))
    right = named.predict(xgboost.DMatrix(X, feature_names=["a", "b"]))
    (finding,) = found(subject, "R06")
    subprocess.run([sys.executable, "-c", finding.fix], check=True, capture_output=True)
    after = xgboost.Booster(model_file=bytearray(path.read_bytes()))
    assert np.array_equal(after.predict(xgboost.DMatrix(X)), right)
    assert found(deployment(path.parent), "R06") == []
