"""TensorFlow models that cannot be served as they are: each is named for what it is, and its fix works."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aip_magics import artifacts, checks
from aip_magics.errors import PredictionError
from aip_magics.prediction import WorkerSpec, start
from aip_magics.spec import Model, Version
from aip_magics.trust import Trust, digest

pytestmark = [
    pytest.mark.skipif(not importlib.util.find_spec("tensorflow"), reason="TensorFlow is not installed"),
    pytest.mark.slow,
]

X = [[0.5, -1.0, 2.0], [1.0, 1.0, 1.0]]
# Case → rule, words of its message, words of its fix; whose answers the directory has that the fix makes.
CASES = {
    "saved": ("D11", "variables that were not saved", "model.export(", "model"),
    "wrapped": ("D11", "variables that were not saved", "keras.export.ExportArchive", "model"),
    "unsigned": ("D06", "no signature", "tf.saved_model.save(module", "sum"),
    "keras": ("A19", "is a Keras file", "keras.models.load_model(", "model"),
    "legacy": ("A19", "is a Keras file", "keras.models.load_model(", "model"),
    "misnamed": ("A19", "in HDF5 format", "rename the file to", "model"),
    "weights": ("A19", "without the model", "model.load_weights(", "model"),
    "legacy_weights": ("A19", "without the model", "model.load_weights(", "model"),
    "checkpoint": ("A19", "is a checkpoint", "tf.train.Checkpoint(model=model)", "model"),
    "graph": ("A19", "is a checkpoint", "import_meta_graph", "graph"),
    "frozen": ("A19", "GraphDef", "import_graph_def", "graph"),
    "pb": ("D07", "GraphDef", "import_graph_def", "graph"),
    "packed": ("S03", "is an archive", "tar -xf", "model"),
}


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("faults")
    script = Path(__file__).with_name("tensorflow_faults.py")
    subprocess.run([sys.executable, script, base], check=True, timeout=300, capture_output=True)
    return base


def read(faults: Path, name: str) -> Any:
    return json.loads((faults / f"{name}.json").read_text())


def predictions(folder: str, instances: object) -> list[Any]:
    with start(WorkerSpec(Path(folder)), log_dir=Path(folder).parent / "logs") as worker:
        worker.load()
        answer: list[Any] = json.loads(worker.predict(json.dumps({"instances": instances}).encode()))["predictions"]
    return [next(iter(one.values())) if isinstance(one, dict) else one for one in answer]


@pytest.mark.parametrize("name", CASES)
def test_export_fixes_work_when_followed(faults: Path, name: str) -> None:
    id, message, fix, whose = CASES[name]
    case = read(faults, "fixes")[name]
    [(found_id, found_message, found_fix)] = case["findings"]
    assert found_id == id
    assert message in found_message
    assert fix in found_fix
    expected = [1.5, 3.0] if whose == "sum" else read(faults, "answers")[whose]
    for got, want in zip(predictions(case["made"], X), expected, strict=True):
        assert got == pytest.approx(want, abs=1e-5)


def test_export_fixes_are_not_given_for_an_ordinary_export(faults: Path) -> None:
    assert read(faults, "fixes")["export"]["findings"] == []
    assert predictions(str(faults / "export"), X)


@pytest.mark.parametrize(
    ("name", "id", "words", "fix"),
    [
        ("scaled", "R22", "input k takes a single value", "tf.TensorSpec([None], tf.int32) for the input k"),
        ("ragged", "R23", "takes a RaggedTensor", "tf.RaggedTensor.from_tensor(x, padding=0)"),
    ],
)
def test_inputs_without_a_value_per_instance_are_found(faults: Path, name: str, id: str, words: str, fix: str) -> None:
    [(found_id, message, found_fix)] = read(faults, "fixes")[name]["findings"]
    assert (found_id, words in message, fix in found_fix) == (id, True, True)


@pytest.mark.parametrize(
    ("name", "instances", "fix"),
    [
        ("saved", X, "for a Keras model, use model.export(path)"),
        ("scaled", [{"x": 1.0, "k": 2}], "a batch dimension for the input k"),
        ("called", [1.0], "in place of tf.py_function and tf.numpy_function"),
        ("export", [[1.0, 2.0]], "provide one value of shape (3) per instance for the input keras_tensor"),
        ("export", [[1.0, 2.0, 3.0], [1.0]], "provide values of the same shape"),
        ("export", [["a", "b", "c"]], "use values of type float32"),
    ],
)
def test_failed_predictions_of_a_graph_have_a_fix_that_fits(
    faults: Path, name: str, instances: object, fix: str
) -> None:
    with start(WorkerSpec(faults / name, trusted=True), log_dir=faults / "logs") as worker:
        worker.load()
        with pytest.raises(PredictionError) as caught:
            worker.predict(json.dumps({"instances": instances}).encode())
    assert caught.value.kind == "FAILED_TO_RUN_MODEL"
    assert fix in caught.value.fix
    assert "columns" not in caught.value.fix


def test_a_graph_that_calls_python_is_an_error_also_when_it_is_trusted(faults: Path) -> None:
    folder = artifacts.inspect_model_dir(faults / "called")
    trust = Trust(files={digest(file.path): file.size for file in folder.files})
    for given, id in ((None, "U02"), (trust, "D12")):
        subject = checks.CheckContext(Model(name="m"), Version(name="v1"), folder, trust=given)
        [finding] = checks.run(subject).errors
        assert finding.id == id
        assert "PyFunc" in finding.message
        assert "TensorFlow operations in place of tf.py_function" in finding.fix


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("m.tflite", b"\x1c\x00\x00\x00TFL3", "tflite"),
        ("m.onnx", b"\x08\x07", "onnx"),
        ("model.json", b'{"format": "layers-model", "modelTopology": {}}', "tfjs"),
        ("data.json", b'{"a": 1}', None),
        ("hub.tgz", b"", "archive"),
        ("frozen.pb", b"\x0a\x05\x0a\x01x\x12\x01y", "graph"),
        ("export.pb", b"\x08\x01\x12\x00", None),
        ("labels.pb", b"\x0a\x05\x08\x01x\x12\x01y", None),
    ],
)
def test_other_formats_are_told_by_name_and_bytes(tmp_path: Path, name: str, data: bytes, kind: str | None) -> None:
    (tmp_path / name).write_bytes(data)
    near = artifacts.inspect_model_dir(tmp_path).near_misses
    assert [one.kind for one in near if one.kind] == ([kind] if kind else [])


@pytest.mark.parametrize(
    ("data", "id"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 132735\n", "D01"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "D02"),
        (b"", "D03"),
    ],
)
def test_a_file_in_place_of_a_saved_model_is_reported_once(tmp_path: Path, data: bytes, id: str) -> None:
    (tmp_path / "saved_model.pb").write_bytes(data)
    subject = checks.CheckContext(Model(name="m"), Version(name="v1"), artifacts.inspect_model_dir(tmp_path))
    assert [finding.id for finding in checks.run(subject).findings] == [id]
