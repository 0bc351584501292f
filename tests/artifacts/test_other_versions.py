"""No false alarm on models that other versions of the libraries wrote: each is read whole, and says who wrote it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from aip_magics.artifacts import model_file
from aip_magics.prediction import subprocess_tools
from aip_magics.prediction.environments.pythons import find_python

TRAIN = """
import pickle, sys, warnings
warnings.simplefilter("ignore")
import joblib, numpy
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

folder = sys.argv[1]
rows = numpy.array([[i, i % 3, i % 5] for i in range(40)], float)
labels = (rows[:, 0] > 20).astype(int)
models = [RandomForestClassifier(5), GradientBoostingClassifier(n_estimators=5), SVC(), KNeighborsClassifier()]
models.append(make_pipeline(StandardScaler(), LogisticRegression()))
for model in models:
    name = folder + "/" + type(model).__name__
    model.fit(rows, labels)
    joblib.dump(model, name + ".joblib")
    joblib.dump(model, name + ".z.joblib", compress=3)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with open("{}.{}.pkl".format(name, protocol), "wb") as file:
            pickle.dump(model, file, protocol)
joblib.dump(TfidfVectorizer().fit(["a bc", "def"]), folder + "/TfidfVectorizer.joblib")
"""
BOOST = """
import pickle, sys
import numpy, xgboost
rows = numpy.array([[i, i % 3, i % 5] for i in range(40)], float)
labels = (rows[:, 0] > 20).astype(int)
for kind in ("gbtree", "dart", "gblinear"):
    matrix = xgboost.DMatrix(rows, labels, feature_names=["a", "b", "c"])
    booster = xgboost.train({"objective": "binary:logistic", "booster": kind}, matrix, 2)
    for suffix in ("bst", "json", "ubj"):
        try:
            booster.save_model("{}/{}.{}".format(sys.argv[1], kind, suffix))
        except Exception as error:
            print(error)
    with open("{}/{}.pkl".format(sys.argv[1], kind), "wb") as file:
        pickle.dump(booster, file)
"""


def trained(folder: Path, python: str, code: str, *pins: str) -> list[Path]:
    """The models that a script writes in a Python of its own with these libraries."""
    found = find_python(python)
    if found is None:
        pytest.skip(f"Python {python} is not on this machine")
    own, models = folder / "env", folder / "models"
    models.mkdir()
    interpreter = own / "bin" / "python"
    for words in (
        subprocess_tools.uv_command("venv", "-q", "--python", str(found), str(own)),
        subprocess_tools.uv_command("pip", "install", "-q", "--python", str(interpreter), *pins),
        [str(interpreter), "-c", code, str(models)],
    ):
        done = subprocess.run(words, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
    return sorted(models.iterdir())


@pytest.mark.network
@pytest.mark.parametrize(
    ("python", "version", "more"),
    [
        ("3.7", "0.20.4", ("numpy<1.20", "scipy<1.6", "joblib")),
        ("3.7", "0.22.1", ("numpy<1.20", "joblib")),
        ("3.7", "0.24.2", ()),
        ("3.7", "1.0.2", ()),
        ("3.10", "1.3.2", ("numpy<2",)),
        ("3.10", "1.6.1", ()),
    ],
)
def test_pickle_globals_of_other_scikit_learn_versions(
    python: str, version: str, more: tuple[str, ...], tmp_path: Path
) -> None:
    for path in trained(tmp_path, python, TRAIN, f"scikit-learn=={version}", *more):
        found = model_file.read(path)
        assert found.complete, (path.name, found.unread)
        assert found.libraries == {"scikit-learn": version}, path.name
        assert (found.top or "").rpartition(".")[2] == path.name.partition(".")[0]


@pytest.mark.network
@pytest.mark.parametrize(
    ("python", "version"), [("3.7", "0.90"), ("3.7", "1.3.3"), ("3.7", "1.6.2"), ("3.10", "2.1.4")]
)
def test_boosters_of_other_xgboost_versions(python: str, version: str, tmp_path: Path) -> None:
    more = "numpy<1.24" if python == "3.7" else "numpy<2"
    for path in trained(tmp_path, python, BOOST, f"xgboost=={version}", more, "scipy<1.14", "setuptools<60"):
        found = model_file.read(path)
        if found.format == "pickle" and version == "0.90":
            assert found.top == "xgboost.core.Booster"
            continue  # its booster is in the binary format, which names no version
        assert found.complete, (path.name, found.unread)
        if found.booster:
            assert (found.booster.objective, found.booster.features) == ("binary:logistic", 3), path.name
        if found.format != "xgboost-binary":
            assert found.libraries == {"xgboost": version}, path.name
        else:
            assert found.libraries in ({}, {"xgboost": ".".join(version.split(".")[:2])})
