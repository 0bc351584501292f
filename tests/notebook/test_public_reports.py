"""What public bug reports showed: each input, and the right answer or the clear refusal that it gets now.

The numbers are those of the collection of reports; each stands for a kind that has tests of its own beside the code.
"""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy
import pandas
import pytest
import scipy.stats
import xgboost
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction import DictVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from aip_magics.errors import AipError

pytestmark = pytest.mark.slow
TABLE = pandas.DataFrame({"rooms": [1.0, 2, 3, 4], "age": [40.0, 10, 30, 5]})
Magic = Callable[..., Any]


@pytest.fixture
def magic(shell: Any, embedded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Magic:
    """Run a magic's line, or its cell, in an empty directory; names are variables of the notebook."""
    monkeypatch.chdir(tmp_path)

    def run(name: str, line: str, body: str | None = None, **names: Any) -> Any:
        shell.user_ns.update(names)
        if body is None:
            return shell.run_line_magic(name, line)
        return shell.run_cell_magic(name, line, body)

    return run


def export(model: Any, name: str) -> Any:
    os.makedirs(name)
    joblib.dump(model, f"{name}/model.joblib")
    return model


def booster_file(model: Any, name: str) -> None:
    os.makedirs(name)
    model.save_model(f"{name}/model.ubj")
    os.rename(f"{name}/model.ubj", f"{name}/model.bst")


def ids(report: Any, severity: str = "error") -> set[str]:
    return {finding.id for finding in report.findings if finding.severity == severity}


def fixes(report: Any) -> str:
    return "\n".join(finding.fix for finding in report.findings)


def test_report_1_a_cell_is_what_was_written(magic: Magic) -> None:
    rows = [{"c": "NO", "t": 1.0}, {"c": "SE", "t": 1.0}, {"c": "NO", "t": 1000.0}, {"c": "SE", "t": 1000.0}]
    pipeline = make_pipeline(DictVectorizer(sparse=False), DecisionTreeClassifier(random_state=0))
    model = export(pipeline.fit(rows, ["no-low", "se-low", "no-high", "se-high"]), "y")
    for body in ('{"instances": [{"c": "NO", "t": 1e3}]}', "instances:\n- {c: NO, t: 1e3}\n", "- c: NO\n  t: 1e3\n"):
        assert magic("aip_local_predict", "--model-dir y -q", body)["predictions"] == list(
            model.predict([{"c": "NO", "t": 1e3}])
        )
    body = "test:\n  instances:\n  - {c: NO, zip: '01234', at: 12:30, long: 1:30:00, t: 1e3, b: on}\n"
    plan = magic("aip_deploy", "--model y --origin y --dry-run -q", body)
    assert plan.deployment.test["instances"] == [
        {"c": "NO", "zip": "01234", "at": "12:30", "long": "1:30:00", "t": 1000.0, "b": "on"}
    ]
    with pytest.raises(AipError, match="01234 has a leading zero"):
        magic("aip_deploy", "--model y --origin y --dry-run -q", body.replace("'01234'", "01234"))


def test_report_2_columns_are_found_by_their_names(magic: Magic) -> None:
    model = LinearRegression().fit(TABLE, TABLE.rooms * 100 - TABLE.age)
    turned = pandas.DataFrame({"age": [10.0], "rooms": [3.0]})
    magic("aip_deploy", "--model m --origin $m -q", m=model)
    for name, line in (("aip_local_predict", "--model-dir $m -q"), ("aip_predict", "--model m -q")):
        answer = magic(name, line, "instances: $turned", m=model, turned=turned)
        assert answer["predictions"] == pytest.approx(model.predict(turned[["rooms", "age"]]).tolist())
        with pytest.raises(AipError, match="rooms"):
            magic(name, line, "instances: $other", m=model, other=turned.rename(columns={"rooms": "beds"}))


def test_report_3_integers_beyond_a_type_are_refused(magic: Magic) -> None:
    tf = pytest.importorskip("tensorflow")

    class Echo(tf.Module):
        @tf.function(
            input_signature=[tf.TensorSpec([None], tf.int32, name="id"), tf.TensorSpec([None], tf.uint8, name="px")]
        )
        def call(self, id: Any, px: Any) -> Any:
            return {"id": id, "px": px}

    module = Echo()
    tf.saved_model.save(module, "i", signatures=module.call)
    with pytest.raises(AipError, match="int32"):
        magic("aip_local_predict", "--model-dir i -q", "[{id: 3000000000, px: 3}]")
    with pytest.raises(AipError, match="uint8"):
        magic("aip_local_predict", "--model-dir i -q", "[{id: 3, px: 300}]")
    assert "R10" in ids(magic("aip_check", "i -q", "test: {instances: [{id: 3000000000, px: 300}]}"))
    row = {"id": 2147483647, "px": 255}
    assert magic("aip_local_predict", "--model-dir i -q", json.dumps([row]))["predictions"] == [row]


def test_report_4_booleans_are_numbers_for_a_booster(magic: Magic) -> None:
    data = numpy.random.RandomState(0).rand(50, 2)
    booster = xgboost.train({"nthread": 1}, xgboost.DMatrix(data, label=numpy.arange(50) % 2), 3)
    booster_file(booster, "b")
    body = "test: {instances: [[true, 0.5]]}"
    assert ids(magic("aip_check", "b -q", body)) == set()
    answer = magic("aip_local_predict", "--model-dir b -q", "[[true, 0.5]]")
    assert answer["predictions"] == pytest.approx(booster.predict(xgboost.DMatrix(numpy.array([[1, 0.5]]))).tolist())


@pytest.mark.parametrize(
    "pickled",
    [b"c_loss\n__pyx_unpickle_CyHalfSquaredError\n.", b"csklearn.ensemble._gb_losses\nLeastSquaresError\n."],
)
def test_report_5_an_older_library_is_named_with_the_way_out(magic: Magic, pickled: bytes) -> None:
    os.makedirs("o")
    Path("o/model.pkl").write_bytes(b"\x80\x04" + pickled)
    with pytest.raises(AipError) as caught:
        magic("aip_local_predict", "--model-dir o --trust -q", "[[1]]")
    assert "install the package" not in str(caught.value)
    assert "--env" in str(caught.value)


def test_report_6_known_libraries_need_no_trust(magic: Magic) -> None:
    frame, labels = pandas.DataFrame(numpy.random.RandomState(0).rand(40, 3)), numpy.arange(40) % 2
    columns = make_column_transformer((StandardScaler(), make_column_selector(dtype_include=numpy.number)))
    search = RandomizedSearchCV(LogisticRegression(), {"C": scipy.stats.loguniform(0.1, 1)}, n_iter=2, cv=2)
    boosting = HistGradientBoostingClassifier(max_iter=2, categorical_features=[0])
    for name, model, rows in (
        ("u1", make_pipeline(columns, LogisticRegression()), frame),
        ("u2", search, frame),
        ("u3", boosting, frame.to_numpy().round()),
    ):
        export(model.fit(rows, labels), name)
        assert "U01" not in ids(magic("aip_check", f"{name} -q")), name


def test_report_7_variables_without_values_are_found_before_the_upload(magic: Magic) -> None:
    tf = pytest.importorskip("tensorflow")
    model = tf.keras.Sequential([tf.keras.Input((3,)), tf.keras.layers.Dense(2)])
    tf.saved_model.save(model, "k")
    report = magic("aip_check", "k -q")
    assert ids(report)
    assert "export(" in fixes(report)
    model.export("fixed", verbose=False)
    assert ids(magic("aip_check", "fixed -q")) == set()
    answer = magic("aip_local_predict", "--model-dir fixed -q", "[[1, 2, 3]]")
    assert answer["predictions"][0]["output_0"] == pytest.approx(
        model(numpy.array([[1.0, 2.0, 3.0]])).numpy()[0].tolist()
    )


@pytest.mark.filterwarnings("ignore")  # XGBoost guesses the format of a .bst file, and says so
def test_report_9_early_stopping_is_told_with_the_line_that_saves_the_best(magic: Magic) -> None:
    random = numpy.random.RandomState(0)
    data = random.rand(80, 3)
    labels = (data[:, 0] + random.randn(80) * 0.5 > 0.5) * 1
    clf = xgboost.XGBClassifier(n_estimators=200, early_stopping_rounds=5, n_jobs=1)
    clf.fit(data[:40], labels[:40], eval_set=[(data[40:], labels[40:])], verbose=False)
    booster_file(clf, "e")
    (told,) = [one for one in magic("aip_check", "e -q").findings if one.id == "A33"]
    exec(told.fix.partition(": ")[2], {"pathlib": pathlib, "xgboost": xgboost})
    answer = magic("aip_local_predict", "--model-dir e -q", json.dumps(data[:1].tolist()))
    assert answer["predictions"] == pytest.approx(clf.predict_proba(data[:1])[:, 1].tolist())
    booster_file(clf.get_booster()[: clf.best_iteration + 1], "best")
    answer = magic("aip_local_predict", "--model-dir best -q", json.dumps(data[:1].tolist()))
    assert answer["predictions"] == pytest.approx(clf.predict_proba(data[:1])[:, 1].tolist())
    assert not [one for one in magic("aip_check", "best -q").findings if one.id == "A33"]


def test_report_10_what_is_no_model_is_named(magic: Magic) -> None:
    booster = xgboost.train({"nthread": 1}, xgboost.DMatrix(numpy.eye(4), label=[0, 1, 0, 1]), 1)
    os.makedirs("x")
    booster.dump_model("x/model.bst")
    os.makedirs("j")
    Path("j/model.pkl").write_text('{"coef": [1]}')
    report = magic("aip_check", "x -q")
    assert "save the booster, not its dump" in fixes(report)
    assert ids(report)
    report = magic("aip_check", "j -q")
    assert ids(report)
    assert "--trust" not in fixes(report)
    with pytest.raises(AipError) as caught:
        magic("aip_local_predict", "--model-dir x -q", "[[1, 2, 3, 4]]")
    assert "[bt]" not in str(caught.value)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Keras, which saves
def test_report_11_weights_alone_are_no_model(magic: Magic) -> None:
    tf = pytest.importorskip("tensorflow")
    os.makedirs("w")
    tf.keras.Sequential([tf.keras.Input((2,)), tf.keras.layers.Dense(1)]).save_weights("w/m.weights.h5")
    report = magic("aip_check", "w -q")
    assert "load_weights" in fixes(report)
    assert "load_model('" not in fixes(report)


def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "aip_magics", *words],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_report_12_checks_run_without_docstrings(magic: Magic) -> None:
    export(LogisticRegression().fit([[0], [1]], [0, 1]), "o")
    done = run("check", "o", PYTHONOPTIMIZE="2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == run("check", "o").stdout.splitlines()[-1]


def test_report_13_a_data_directory_that_cannot_be_made_is_an_error_of_a_few_lines(magic: Magic) -> None:
    Path("file").touch()
    done = run("list", AIP_MAGICS_HOME=str(Path("file/x").absolute()))
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "AIP_MAGICS_HOME" in done.stderr
    assert len(done.stderr.splitlines()) <= 3


def test_report_14_a_package_of_scripts_is_installed_as_the_service_did(magic: Magic) -> None:
    source = Path("t/my_code-0.1")
    source.mkdir(parents=True)
    (source / "predictor.py").write_text(
        "import preprocess\n\nclass P:\n    def predict(self, instances, **kwargs):\n        return instances\n\n"
        "    @classmethod\n    def from_path(cls, model_dir):\n        return cls()\n"
    )
    (source / "preprocess.py").write_text("x = 1\n")
    (source / "setup.py").write_text(
        "from setuptools import setup\n"
        "setup(name='my_code', version='0.1', scripts=['predictor.py', 'preprocess.py'])\n"
    )
    (source / "PKG-INFO").write_text("Metadata-Version: 1.0\nName: my_code\nVersion: 0.1\n")
    with tarfile.open("my_code-0.1.tar.gz", "w:gz") as archive:
        archive.add(source, "my_code-0.1")
    os.makedirs("m")
    Path("m/a.txt").touch()
    line = "v1 --model s --origin m --package-uris my_code-0.1.tar.gz --prediction-class predictor.P --trust -q"
    magic("aip_deploy", line, "test: {instances: [1]}")
    assert magic("aip_predict", "--model s -q", "[1]")["predictions"] == [1]


def test_report_15_a_lambda_is_named(magic: Magic) -> None:
    model = make_pipeline(FunctionTransformer(lambda x: x), LogisticRegression())
    with pytest.raises(AipError) as caught:
        magic("aip_deploy", "--model l --origin $lam -q", lam=model)
    assert "lambda" in str(caught.value)
    assert "joblib.dump(lam" not in str(caught.value)


def test_report_16_python_functions_in_a_graph_are_found(magic: Magic) -> None:
    tf = pytest.importorskip("tensorflow")

    class Double(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def call(self, x: Any) -> Any:
            return {"y": tf.numpy_function(lambda a: a * 2, [x], tf.float32)}

    module = Double()
    tf.saved_model.save(module, "p", signatures=module.call)
    errors = [one for one in magic("aip_check", "p -q").findings if one.severity == "error"]
    assert "PyFunc" in errors[0].message


def test_report_17_keys_are_left_out(magic: Magic) -> None:
    export(LogisticRegression().fit([[0], [1]], [0, 1]), "pr")
    key = {"type": "service_account", "private_key": "-----BEGIN PRIVATE KEY-----x"}
    Path("pr/GCP.key").write_text(json.dumps(key))
    report = magic("aip_check", "pr -q")
    assert any("GCP.key" in f"{one.subject} {one.message}" for one in report.findings)
    version = magic("aip_deploy", "v1 --model pr --origin pr -q")
    magic("aip_pull", f"{version.deploymentUri} pulled -q")
    assert [path.name for path in Path("pulled").rglob("*") if path.is_file()] == ["model.joblib"]


def test_report_18_dill_is_named(magic: Magic) -> None:
    os.makedirs("d")
    Path("d/model.pkl").write_bytes(b"\x80\x04c__builtin__\n__main__\n.")
    with pytest.raises(AipError) as caught:
        magic("aip_local_predict", "--model-dir d --trust -q", "[[1]]")
    assert "install the package of" not in str(caught.value)
