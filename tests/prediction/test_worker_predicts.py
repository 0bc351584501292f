"""The predictions and errors of a worker, compared value by value."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy
import pytest
import xgboost
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from aip_magics.errors import ModelDirError, PredictionError
from aip_magics.prediction import WorkerClient, WorkerSpec, start

Start = Callable[..., WorkerClient]


def asked(worker: WorkerClient, instances: Any, **extra: Any) -> Any:
    body = json.dumps({"instances": instances, **extra}).encode()
    answer = json.loads(worker.predict(body, 30.0))
    assert list(answer) == ["predictions"]
    return answer["predictions"]


@pytest.mark.parametrize("framework", [None, "SCIKIT_LEARN"])
def test_worker_serves_a_scikit_learn_pipeline(
    started: Start, sklearn_dir: Path, classifier: Any, rows: Any, framework: str | None
) -> None:
    worker = started(sklearn_dir, framework)
    loaded = worker.load()
    assert (loaded.framework, loaded.class_name) == ("SCIKIT_LEARN", "sklearn.pipeline.Pipeline")
    assert loaded.libraries["numpy"] == numpy.__version__
    assert {"scikit-learn", "python", "joblib"} <= set(loaded.libraries)
    assert loaded.load_seconds > 0
    assert asked(worker, rows) == classifier.predict(rows).tolist()
    assert asked(worker, rows[:1], signature_name="serving_default") == classifier.predict(rows[:1]).tolist()
    assert worker.stats["Prediction-Engine"] == "scikit_learn"
    assert worker.stats["Prediction-Engine-Run-Time"] > 0


def test_worker_serves_a_pickled_regressor_with_two_outputs(started: Start, iris: Any, tmp_path: Path) -> None:
    x, y = iris
    model = RandomForestRegressor(n_estimators=3, random_state=0).fit(x, numpy.stack([y, y * 0.1], axis=1))
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    worker = started(tmp_path)
    worker.load()
    assert asked(worker, x[:5].tolist()) == model.predict(x[:5]).tolist()


def test_worker_serves_texts_and_text_labels(started: Start, tmp_path: Path) -> None:
    texts, labels = ["좋은 영화", "나쁜 영화", "좋은 책", "나쁜 책"], ["긍정", "부정", "긍정", "부정"]
    model = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, labels)
    joblib.dump(model, tmp_path / "model.joblib", compress=3)
    worker = started(tmp_path)
    worker.load()
    assert asked(worker, texts) == labels


@pytest.mark.parametrize("framework", [None, "XGBOOST"])
@pytest.mark.parametrize("form", ["model.bst", "model.pkl", "model.joblib"])
def test_worker_serves_an_xgboost_booster(
    forked: Start, booster: Any, xgboost_dir: Path, rows: Any, tmp_path: Path, form: str, framework: str | None
) -> None:
    if form == "model.bst":
        shutil.copy(xgboost_dir / form, tmp_path)
    elif form == "model.pkl":
        (tmp_path / form).write_bytes(pickle.dumps(booster))
    else:
        joblib.dump(booster, tmp_path / form)
    worker = forked(tmp_path, framework)
    loaded = worker.load()
    assert (loaded.framework, loaded.class_name) == ("XGBOOST", "xgboost.core.Booster")
    assert loaded.libraries["xgboost"] == xgboost.__version__
    assert asked(worker, rows) == booster.predict(xgboost.DMatrix(numpy.array(rows))).tolist()


def test_worker_reads_nan_as_missing_and_keeps_binary_probabilities(forked: Start, iris: Any, tmp_path: Path) -> None:
    x, y = iris
    model = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(x, label=y > 0), num_boost_round=3)
    model.save_model(tmp_path / "model.ubj")
    (tmp_path / "model.ubj").rename(tmp_path / "model.bst")
    worker = forked(tmp_path)
    worker.load()
    row = [5.1, float("nan"), 1.4, 0.2]
    assert asked(worker, [row]) == model.predict(xgboost.DMatrix(numpy.array([row]))).tolist()


@pytest.mark.parametrize("framework", [None, "SCIKIT_LEARN"])
def test_worker_serves_an_xgboost_estimator_as_scikit_learn(
    forked: Start, iris: Any, tmp_path: Path, framework: str | None
) -> None:
    x, y = iris
    model = xgboost.XGBClassifier(n_estimators=3, n_jobs=1).fit(x, y)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    worker = forked(tmp_path, framework)
    assert worker.load().framework == "SCIKIT_LEARN"
    assert asked(worker, x[::20].tolist()) == model.predict(x[::20]).tolist()


def test_worker_prefers_joblib_to_pickle_when_the_framework_is_named(
    forked: Start, classifier: Any, rows: Any, tmp_path: Path
) -> None:
    joblib.dump(classifier, tmp_path / "model.joblib")
    (tmp_path / "model.pkl").write_bytes(b"not looked at")
    worker = forked(tmp_path, "SCIKIT_LEARN")
    worker.load()
    assert asked(worker, rows) == classifier.predict(rows).tolist()


BODIES = [
    (b"{", "INVALID_INPUTS", "the request is not JSON: Expecting property name"),
    (b'{"instances": [["\xe9"]]}', "INVALID_INPUTS", "the request is not JSON: 'utf-8' codec can't decode byte 0xe9"),
    (b"[1]", "INVALID_INPUTS", "Invalid request sent to prediction server: [1]"),
    (b'{"x": 1}', "INVALID_INPUTS", "Required field 'instances' missing in prediction server request: {'x': 1}"),
    (b'{"instances": 3}', "INVALID_INPUTS", "'instances' must be a list, not 3"),
    (b'{"instances": []}', "FAILED_TO_RUN_MODEL", "Exception during sklearn prediction: Expected 2D array"),
    (b'{"instances": [[1, 2]]}', "FAILED_TO_RUN_MODEL", "Exception during sklearn prediction: X has 2 features"),
    (b'{"instances": [["a", 1, 1, 1]]}', "FAILED_TO_RUN_MODEL", "Exception during sklearn prediction: could not"),
    (b'{"instances": [[1, 2, 3, 4]], "parameters": {}}', "FAILED_TO_RUN_MODEL", "unexpected keyword argument"),
    (b"[" * 100_000, "INVALID_INPUTS", "the request is not JSON: "),
]  # fmt: skip


def test_worker_names_bad_requests_and_goes_on(forked: Start, sklearn_dir: Path, rows: Any) -> None:
    worker = forked(sklearn_dir)
    worker.load()
    for body, kind, text in BODIES:
        with pytest.raises(PredictionError) as caught:
            worker.predict(body, 30.0)
        assert caught.value.kind == kind
        assert text in caught.value.detail
        assert ("Traceback" in caught.value.log) == (kind != "INVALID_INPUTS")
        assert caught.value.where == str(sklearn_dir)
    assert asked(worker, rows[:1]) == [0]


def test_worker_names_bad_xgboost_requests(forked: Start, xgboost_dir: Path) -> None:
    worker = forked(xgboost_dir)
    worker.load()
    for instances, kind, text in [
        ([[1, 2, 3, 4], [1, 2]], "INVALID_INPUTS", "instance 1 is a list of 2, but instance 0 is a list of 4"),
        ([[1, 2, 3, 4], 5], "INVALID_INPUTS", "instance 1 is one value, but instance 0 is a list of 4"),
        ([[1, 2, 3, [4]]], "INVALID_INPUTS", "instance 0 is a list whose items differ in length or depth"),
        ([["a", "b", "c", "d"]], "FAILED_TO_RUN_MODEL", "Could not initialize DMatrix from inputs: "),
        ([[1, 2, 3, 4, 5]], "FAILED_TO_RUN_MODEL", "Exception during xgboost prediction: "),
    ]:
        with pytest.raises(PredictionError) as caught:
            asked(worker, instances)
        assert caught.value.kind == kind
        assert text in caught.value.detail


OUTPUTS = [
    ("numpy.array([1.0, float('nan')])",
     "could not encode the prediction for instance 1 as JSON: JSON does not support NaN"),
    ("[1.0, [2.0, {'a': numpy.float64('inf')}]]",
     "could not encode the prediction for instance 1 as JSON: JSON does not support NaN"),
    ("numpy.array([b'a', b'b'])", "could not encode the prediction for instance 0 as JSON: Object of type bytes"),
    ("[1, {2}]", "could not encode the prediction for instance 1 as JSON: Object of type set is not"),
    ("(x for x in instances)", "a numpy ndarray or a list. It returned generator."),
    ("(1, 2)", "a numpy ndarray or a list. It returned tuple."),
    ("None", "a numpy ndarray or a list. It returned NoneType."),
    ("numpy.float64(3)", "a numpy ndarray or a list. It returned float64."),
    ("numpy.array(3)", "a numpy ndarray or a list. It returned ndarray."),
    ("[1, numpy.int64(3)]", "could not encode the prediction for instance 1 as JSON: Object of type int64 is not"),
    ("[numpy.zeros(2), 1]", "could not encode the prediction for instance 0 as JSON: Object of type ndarray is not"),
    ("[1]", "the model returned 1 predictions for 2 instances"),
    ("numpy.zeros(3)", "the model returned 3 predictions for 2 instances"),
]  # fmt: skip


def test_worker_names_the_instance_of_a_bad_output(forked: Start, built: Callable[..., Path]) -> None:
    worker = forked(
        built("""
            import numpy
            class Model:
                def predict(self, instances):
                    return eval(instances[0], {"numpy": numpy, "instances": instances})
        """)
    )
    worker.load()
    for output, text in OUTPUTS:
        with pytest.raises(PredictionError) as caught:
            asked(worker, [output, None])
        assert caught.value.kind == "INVALID_OUTPUTS"
        assert text in caught.value.detail
    good = "[numpy.float64(0.5), numpy.array([True, False]).tolist()]"
    assert asked(worker, [good, None]) == [0.5, [True, False]]


def test_worker_refuses_numpy_in_a_list_as_the_cloud_does_with_its_fix(
    forked: Start, built: Callable[..., Path]
) -> None:
    worker = forked(
        built("""
            import numpy
            class Model:
                def predict(self, instances):
                    return [{"labels": [1, (numpy.int32(2),)]} for _ in instances]
        """)
    )
    worker.load()
    with pytest.raises(PredictionError) as caught:
        asked(worker, [1])
    assert caught.value.fix == "return one NumPy array, or call .tolist() on the items of the list"


def directories(base: Path, classifier: Any) -> dict[str, tuple[str | None, str]]:
    """Bad model directories under `base`: name → the requested framework and the text of the error."""

    def put(name: str, **files: bytes) -> None:
        (base / name).mkdir()
        for file, content in files.items():
            (base / name / file.replace("_", ".", 1)).write_bytes(content)

    good = pickle.dumps(classifier)
    put("empty")
    put("both", model_joblib=good, model_pkl=good)
    put("broken", model_pkl=b"broken")
    put("text", model_joblib=b"<html>")
    put("number", model_pkl=pickle.dumps(7))
    put("nomodule", model_pkl=b"cno_such_module\nThing\n.")
    put("main", model_pkl=b"c__main__\nMyTransformer\n.")
    put("exits", model_pkl=b"cbuiltins\nSystemExit\n(I3\ntR.")
    put("protocol", model_pkl=b"\x80\x63.")
    put("bst", model_bst=b"nothing")
    return {
        "empty": (None, "Could not find any of saved_model.pb, saved_model.pbtxt, model.bst, model.joblib, model.pkl"),
        "both": (None, "Multiple model files are found in the model_path: "),
        "broken": (None, "model.pkl. "),
        "text": ("SCIKIT_LEARN", "Could not load the model: "),
        "number": (None, "Invalid model type detected: builtins.int. Please make sure the model file is"),
        "nomodule": (None, "model.pkl. No module named 'no_such_module'."),
        "main": (None, "Can't get attribute 'MyTransformer' on <module '__main__'"),
        "exits": (None, "Invalid model type detected: builtins.SystemExit"),
        "protocol": (None, "unsupported pickle protocol: 99. Please make sure the model was exported using python 3."),
        "bst": (None, "Could not load the model: "),
    }  # fmt: skip


def test_worker_refuses_bad_models_with_the_services_text(forked: Start, classifier: Any, tmp_path: Path) -> None:
    table = directories(tmp_path, classifier)
    for name, (framework, text) in table.items():
        worker = forked(tmp_path / name, framework)  # a confined worker cannot open another model
        with pytest.raises(PredictionError) as caught:
            worker.load()
        assert caught.value.kind == "FAILED_TO_LOAD_MODEL", name
        assert text in caught.value.detail, name
        assert str(caught.value).startswith("Failed to load model: ")
        assert not caught.value.detail.endswith((": ", ":"))
    for framework, text in [
        ("SCIKIT_LEARN", "Could not find either model.joblib or model.pkl in "),
        ("XGBOOST", "Could not find model.joblib, model.pkl, or model.bst in "),
        ("TENSORFLOW", "Cloud ML only supports TF 1.0 or above and models saved in SavedModel format."),
        ("PYTORCH", "Unknown framework PYTORCH."),
    ]:
        worker = forked(tmp_path / "empty", framework)
        with pytest.raises(PredictionError, match=text):
            worker.load()


def test_worker_hints_name_the_missing_package_and_the_notebook(forked: Start, classifier: Any, tmp_path: Path) -> None:
    directories(tmp_path, classifier)
    for name, fix in [
        ("nomodule", "install the package of no_such_module for "),
        ("main", "move MyTransformer from the notebook into a module"),
    ]:
        worker = forked(tmp_path / name)
        with pytest.raises(PredictionError) as caught:
            worker.load()
        assert fix in caught.value.fix
        assert "%aip_package" in caught.value.fix


def test_worker_refuses_to_predict_before_loading(spawned: Start, sklearn_dir: Path) -> None:
    with pytest.raises(PredictionError, match="no model is loaded"):
        asked(spawned(sklearn_dir), [[1, 2, 3, 4]])


def test_worker_tells_a_missing_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name, text in [("nowhere", "does not exist"), ("file", "is not a directory")]:
        with pytest.raises(ModelDirError, match=text):
            start(WorkerSpec(tmp_path / name, trusted=True), log_dir=tmp_path)


def test_worker_takes_large_requests_and_responses(started: Start, built: Callable[..., Path]) -> None:
    worker = started(
        built("""
            class Model:
                def predict(self, instances):
                    return [row[::-1] for row in instances]
        """)
    )
    worker.load()
    instances = [["한글" * 50, index] for index in range(20_000)]
    assert asked(worker, instances) == [row[::-1] for row in instances]
