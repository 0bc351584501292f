"""SavedModels of TensorFlow 2, Keras and TensorFlow 1: value for value, and error for error."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aip_magics.errors import PredictionError, WorkerError
from aip_magics.prediction import ForkServerPool, WorkerClient, WorkerPool, WorkerSpec, local_predict, start
from aip_magics.prediction.worker_process import FOLDER

pytestmark = pytest.mark.skipif(not importlib.util.find_spec("tensorflow"), reason="TensorFlow is not installed")
Start = Callable[..., WorkerClient]
X = [[0.5, -1.5], [2.25, 3.0]]


@pytest.fixture(scope="module")
def exports(tensorflow_exports: Path) -> Path:
    return tensorflow_exports


@pytest.fixture(scope="module")
def answers(exports: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((exports / "answers.json").read_text())
    return loaded


@pytest.fixture(scope="module")
def pool(parents: ForkServerPool) -> Iterator[WorkerPool]:
    with WorkerPool(fork_servers=parents, limit=3) as made:
        yield made


@pytest.fixture
def ask(exports: Path, pool: WorkerPool) -> Callable[..., Any]:
    def asked(name: str, instances: Any, framework: str | None = None, **extra: Any) -> Any:
        body = json.dumps({"instances": instances, **extra}).encode()
        return json.loads(pool.predict(WorkerSpec(exports / name, framework), body))["predictions"]

    return asked


def refused(ask: Callable[..., Any], *arguments: Any, **extra: Any) -> PredictionError:
    with pytest.raises(PredictionError) as caught:
        ask(*arguments, **extra)
    assert not isinstance(caught.value, WorkerError)
    return caught.value


def rows(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


@pytest.mark.parametrize("framework", [None, "TENSORFLOW"])
def test_tensorflow_worker_answers_as_tensorflow_itself(
    ask: Callable[..., Any], answers: dict[str, Any], framework: str | None
) -> None:
    wanted = rows(answers["score"])
    assert ask("numbers", X, framework) == wanted
    assert ask("numbers", [{"x": row} for row in X], framework, signature_name="serving_default") == wanted
    assert ask("numbers", [X[0], {"x": X[1]}], framework) == wanted


def test_tensorflow_worker_is_forked_and_spawned(
    exports: Path, tmp_path: Path, answers: dict[str, Any], parents: ForkServerPool
) -> None:
    for way in (parents, None):
        spec = WorkerSpec(exports / "numbers", threads=2 if way is None else 1)
        with start(spec, log_dir=tmp_path, fork_servers=way) as worker:
            loaded = worker.load()
            assert worker.forked == (way is not None)
            assert (loaded.framework, loaded.class_name) == ("TENSORFLOW", "tensorflow.SavedModel")
            assert loaded.libraries["tensorflow"]
            body = json.dumps({"instances": X}).encode()
            assert json.loads(worker.predict(body)) == {"predictions": rows(answers["score"])}
            assert worker.stats["Prediction-Engine"] == "SessionRun"
            assert worker.stats["Framework"] == "tensorflow"


def test_tensorflow_worker_serves_keras(ask: Callable[..., Any], answers: dict[str, Any]) -> None:
    got = ask("keras", [[0.1, 0.2, 0.3], [1.0, -1.0, 0.5]])
    assert [list(prediction) for prediction in got] == [["output_0"], ["output_0"]]
    for prediction, wanted in zip(got, answers["keras"], strict=True):
        assert prediction["output_0"] == pytest.approx(wanted, rel=1e-6)


def test_tensorflow_worker_serves_tensorflow_1_with_a_default_input(
    ask: Callable[..., Any], answers: dict[str, Any]
) -> None:
    instances = [{"x": [1.0, 2.0]}, {"x": [3.0, 4.0]}]
    assert ask("simple", instances) == [{"y": value} for value in answers["simple"]]
    given = [{"x": [1.0, 2.0], "bias": [0.0]}, {"x": [3.0, 4.0], "bias": [1.0]}]
    assert ask("simple", given) == [{"y": [6.5]}, {"y": [15.5]}]


def test_tensorflow_worker_reads_text_format_and_its_only_valid_signature(
    ask: Callable[..., Any], answers: dict[str, Any]
) -> None:
    assert ask("text", [[1.0, 2.0], [3.0, 4.0]]) == [{"y": value} for value in answers["simple"]]
    for dropped in ("lost", "wrong"):
        error = refused(ask, "text", [[1.0, 2.0]], signature_name=dropped)
        assert (error.kind, error.detail) == ("INVALID_INPUTS", f"No signature found for signature key {dropped}.")
        assert error.fix == "use one of the signatures of the model: only"


def test_tensorflow_worker_takes_several_inputs_and_outputs_text_and_bytes(ask: Callable[..., Any]) -> None:
    instances = [{"word": "한글", "times": 2}, {"word": {"b64": "//4="}, "times": 3}]
    encoded = [base64.b64encode(word + b"!").decode() for word in ("한글".encode(), b"\xff\xfe")]
    assert ask("numbers", instances, signature_name="mixed") == [
        {"raw_bytes": {"b64": encoded[0]}, "text": "2", "double": 4},
        {"raw_bytes": {"b64": encoded[1]}, "text": "3", "double": 6},
    ]


def test_tensorflow_worker_decodes_base64_for_text_inputs(ask: Callable[..., Any]) -> None:
    assert ask("words", [{"b64": "YWI="}, {"s": {"b64": "Y2Q="}}, "ef", "b64"]) == [
        {"twice": text} for text in ("abab", "cdcd", "efef", "b64b64")
    ]
    pairs = ask("pairs", [["a", {"b64": "/w=="}]])
    assert pairs == [{"pairs_bytes": [{"b64": "YWE="}, {"b64": base64.b64encode(b"\xff\xff").decode()}]}]


def test_tensorflow_worker_takes_one_value_for_one_instance(ask: Callable[..., Any]) -> None:
    assert ask("words", "ab") == [{"twice": "abab"}]
    assert refused(ask, "simple", "ab").detail == "'instances' must be a list, not 'ab'"


INPUTS = [
    ("numbers", [[1, 2]], {"signature_name": "other"}, "INVALID_INPUTS", "No signature found for signature key other."),
    ("numbers", [[1, 2]], {"signature_name": ["x"]}, "INVALID_INPUTS", "No signature found for signature key ['x']."),
    ("silent", [1.0], {}, "INVALID_INPUTS", "No signature found for signature key None."),
    ("numbers", [], {}, "INVALID_INPUTS", "'instances' is empty"),
    ("numbers", [[1, 2], {"y": 1}], {}, "INVALID_INPUTS",
     "Expected tensor name: x, got tensor name: ['y']. (instance 1)"),
    ("numbers", [[1, 2], {"x": [1, 2], "y": 1}], {}, "INVALID_INPUTS",
     "Expected tensor name: x, got tensor name: ['x', 'y']. (instance 1)"),
    ("numbers", [["a", 1]], {"signature_name": "mixed"}, "INVALID_INPUTS",
     "instance 0 is not an object, but the signature has several inputs: times, word"),
    ("numbers", [{"word": "a", "times": 1}, {"word": "b", "time": 1}], {"signature_name": "mixed"}, "INVALID_INPUTS",
     "Unexpected tensor name: time (instance 1)"),
    ("numbers", [{"word": "a", "times": 1}, {"word": "b"}], {"signature_name": "mixed"}, "INVALID_INPUTS",
     "Input times was missing in at least one input instance. (instance 1)"),
    ("numbers", [{"word": "a"}, {"word": "b"}], {"signature_name": "mixed"}, "INVALID_INPUTS",
     "Input times was missing in at least one input instance. (instance 0)"),
    ("simple", [{"bias": [1.0]}], {}, "INVALID_INPUTS",
     "Input x was missing in at least one input instance. (instance 0)"),
    ("simple", [{"x": [1, 2], "bias": 1}, {"x": [1, 2]}], {}, "INVALID_INPUTS",
     "Input bias was missing in at least one input instance. (instance 1)"),
    ("words", ["a", {"b64": "YWI"}], {}, "INVALID_INPUTS",
     'instance 1: the value of "b64" is not base64: Incorrect padding'),
    ("words", ["a", "b", {"s": {"b64": 7}}], {}, "INVALID_INPUTS", 'instance 2: the value of "b64" is not base64: '),
    ("numbers", [[1, 2], [3]], {}, "FAILED_TO_RUN_MODEL",
     "Exception during running the graph: instance 1 is a list of 1, but instance 0 is a list of 2 (input x)"),
    ("numbers", [[1, 2], [3, [4]]], {}, "FAILED_TO_RUN_MODEL",
     "Exception during running the graph: instance 1 is a list whose items differ in length or depth (input x)"),
    ("numbers", [[1, 2], [3, "a"]], {}, "FAILED_TO_RUN_MODEL",
     "Exception during running the graph: instance 1: [3, 'a'] is not a valid float32: "
     "could not convert string to float"),
    ("numbers", [[1, 2], [3, {}]], {}, "FAILED_TO_RUN_MODEL",
     "Exception during running the graph: instance 1: [3, {}] is not a valid float32: "),
    ("words", ["a", 3], {}, "FAILED_TO_RUN_MODEL",
     "Exception during running the graph: instance 1: 3 is not a string (input s)"),
    ("words", ["a", None], {}, "FAILED_TO_RUN_MODEL",
     "Exception during running the graph: instance 1: None is not a string (input s)"),
    ("pairs", [["a", "b"], ["c"]], {}, "FAILED_TO_RUN_MODEL",
     "Exception during running the graph: instance 1 is a list of 1, but instance 0 is a list of 2 (input s)"),
    ("numbers", [{"word": "a", "times": 2**70}], {"signature_name": "mixed"}, "FAILED_TO_RUN_MODEL",
     "Exception during running the graph: instance 0: 1180591620717411303424 is not a valid int64: "),
    ("numbers", [[1, 2, 3]], {}, "FAILED_TO_RUN_MODEL",
     "Exception during running the graph: Cannot feed value of shape (1, 3) for Tensor serving_default_x:0"),
    ("numbers", X, {"signature_name": "total"}, "INVALID_OUTPUTS", "the model returned 1 predictions for 2 instances"),
    ("numbers", X, {"signature_name": "sizes"}, "INVALID_OUTPUTS",
     "outputs had differing sizes in the batch (outer) dimension. See the outputs and their size: {"),
    ("numbers", [[1, 1], [1, -1]], {"signature_name": "logarithm"}, "INVALID_OUTPUTS",
     "could not encode the prediction for instance 1 as JSON: JSON does not support NaN and Infinity"),
    ("words", ["a", {"b64": "/w=="}], {}, "INVALID_OUTPUTS",
     "Prediction failed during encoding instances: 'utf-8' codec can't decode byte 0xff in position 0"),
]  # fmt: skip


def test_tensorflow_worker_names_the_bad_instance_and_goes_on(ask: Callable[..., Any], pool: WorkerPool) -> None:
    for name, instances, extra, kind, text in INPUTS:
        error = refused(ask, name, instances, **extra)
        assert error.kind == kind, (text, error)
        assert text in error.detail
    before = [worker.pid for worker in pool.workers()]
    assert ask("words", ["a"]) == [{"twice": "aa"}]
    assert sorted(worker.pid for worker in pool.workers()) == sorted(before)


def test_tensorflow_worker_takes_a_scalar_output_for_one_instance(ask: Callable[..., Any]) -> None:
    assert ask("numbers", [[1, 2]], signature_name="total") == [{"total": 3.0}]


def test_tensorflow_worker_refuses_bad_exports(exports: Path, tmp_path: Path, parents: ForkServerPool) -> None:
    def put(name: str, source: str = "simple") -> Path:
        return Path(shutil.copytree(exports / source, tmp_path / name))

    (put("broken") / "saved_model.pb").write_bytes(b"\xff" * 30)
    shutil.rmtree(put("novariables") / "variables")
    put("both", "text")
    shutil.copy(exports / "simple" / "saved_model.pb", tmp_path / "both")
    put("train", "training")
    (tmp_path / "empty").mkdir()
    put("base/1587877383942")
    deeper = f"use the directory {tmp_path / 'base' / '1587877383942'}, which contains the SavedModel"
    higher = f"use the directory {exports / 'simple'}, which contains the SavedModel"
    bad = "Failed to load the model due to bad model data. tags: ['serve']\n"
    none = "Cloud ML only supports TF 1.0 or above and models saved in SavedModel format."
    for path, framework, text, fix in [
        (tmp_path / "broken", None, bad, ""),
        (tmp_path / "novariables", None, bad, "copy the directory variables/ of the export too"),
        (tmp_path / "both", None, "Multiple model files are found in the model_path: ", "keep one of "),
        (tmp_path / "train", None, bad, "export the model for serving: the graph needs the tag 'serve'"),
        (tmp_path / "empty", "TENSORFLOW", none, "export the model into the model directory: model.export(path)"),
        (tmp_path / "base", "TENSORFLOW", none, deeper),
        (exports / "simple" / "variables", "TENSORFLOW", none, higher),
    ]:
        with (
            start(WorkerSpec(path, framework), log_dir=tmp_path / "logs", fork_servers=parents) as worker,
            pytest.raises(PredictionError) as caught,
        ):
            worker.load()
        assert caught.value.kind == "FAILED_TO_LOAD_MODEL"
        assert caught.value.detail.startswith(text)
        assert caught.value.fix.startswith(fix)
    named = WorkerSpec(tmp_path / "both", "TENSORFLOW")  # accepted: the binary file is read
    with start(named, log_dir=tmp_path / "logs", fork_servers=parents) as worker:
        worker.load()


def test_tensorflow_worker_logs_custom_operations_that_do_not_load(exports: Path, tmp_path: Path, parents: Any) -> None:
    directory = Path(shutil.copytree(exports / "words", tmp_path / "words"))
    (directory / "assets.extra").mkdir()
    (directory / "assets.extra" / "ops.so").write_bytes(b"no library")
    with start(WorkerSpec(directory, trusted=True), log_dir=tmp_path / "logs", fork_servers=parents) as worker:
        worker.load()
        assert f"could not load the custom operations of {directory / 'assets.extra' / 'ops.so'}" in worker.log_tail()
        assert json.loads(worker.predict(b'{"instances": ["a"]}')) == {"predictions": [{"twice": "aa"}]}


def test_tensorflow_worker_hang_and_kill_are_told_and_the_next_call_works(
    ask: Callable[..., Any], exports: Path, pool: WorkerPool, gone: Callable[..., bool]
) -> None:
    spec = WorkerSpec(exports / "endless")
    assert ask("endless", [-1.0]) == [{"y": -1.0}]
    with pytest.raises(WorkerError, match=r"timed out after 0.5 s while predicting"):
        pool.predict(spec, b'{"instances": [1.0]}', 0.5)
    assert ask("endless", [-1.0]) == [{"y": -1.0}]
    pid = pool.workers()[-1].pid
    timer = threading.Timer(0.3, os.kill, [pid, signal.SIGKILL])
    timer.start()
    with pytest.raises(WorkerError, match="SIGKILL"):
        pool.predict(spec, b'{"instances": [1.0]}', 60.0)
    timer.join()
    assert gone(pid)
    assert ask("endless", [-2.0]) == [{"y": -2.0}]


def test_tensorflow_fork_server_makes_many_workers(exports: Path, tmp_path: Path, parents: ForkServerPool) -> None:
    """The fork server only imports: a fork of a process that had run a session would hang."""
    for _ in range(6):
        with start(WorkerSpec(exports / "words"), log_dir=tmp_path, fork_servers=parents) as worker:
            began = time.monotonic()
            worker.load(30.0)
            assert json.loads(worker.predict(b'{"instances": ["a"]}', 30.0)) == {"predictions": [{"twice": "aa"}]}
            assert worker.forked
            assert time.monotonic() - began < 30


def test_local_predict_takes_the_newest_complete_export(exports: Path, tmp_path: Path, pool: WorkerPool) -> None:
    base = tmp_path / "base"
    shutil.copytree(exports / "text", base / "1487877383942")
    shutil.copytree(exports / "simple", base / "1587877383942")
    (shutil.copytree(exports / "text", base / "1687877383942") / "variables" / "variables.index").unlink()
    assert local_predict(base, [{"x": [1.0, 2.0], "bias": [0.0]}], pool=pool) == {"predictions": [{"y": [6.5]}]}


IN_A_WORKER = """
import json, runpy, sys
load = runpy.run_path(sys.argv[1])["import_submodule"]
minimal, errors = load("tensorflow_minimal"), load("errors")
body = b'{"instances": [[1.0, 2.0], [3.0, 4.0]]}'
known, unknown = [{"model_dir": path, "framework": "TENSORFLOW"} for path in sys.argv[2:]]

def seen():
    opened = load("load").open_model(known)
    answer = json.loads(load("predict").predict(opened, body, load("stats").Stats()))
    return answer, isinstance(sys.modules["tensorflow"], minimal.MinimalTensorFlow), "keras" in sys.modules

first = seen()
try:
    load("load").open_model(unknown)
except errors.ModelError as error:
    print(json.dumps([first, [error.detail, error.fix], seen(), sys.modules["tensorflow"].__version__]))
"""


def test_minimal_tensorflow_is_used_until_it_lacks_something(
    exports: Path, tmp_path: Path, answers: dict[str, Any]
) -> None:
    unknown = tmp_path / "unknown"
    shutil.copytree(exports / "text", unknown)
    graph = (unknown / "saved_model.pbtxt").read_text()
    (unknown / "saved_model.pbtxt").write_text(graph.replace('op: "MatMul"', 'op: "MatrixMagic"'))
    worker = str(FOLDER / "__main__.py")
    words = [sys.executable, "-c", IN_A_WORKER, worker, str(exports / "text"), str(unknown)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    minimal, (detail, fix), full, version = json.loads(done.stdout)
    expected = {"predictions": [{"y": y} for y in answers["simple"]]}
    assert minimal[1:3] == [True, False]
    assert full[1:3] == [False, True]
    assert minimal[0] == full[0] == expected
    assert "MatrixMagic" in detail
    assert fix.startswith("put the library of the operation into assets.extra/")
    assert fix.endswith(f"with TensorFlow {version}")
