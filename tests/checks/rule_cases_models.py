"""Cases of rules about what a model file says about itself and about the test instances held against it."""

import gzip
import io
import json
import pickle
import sys
import types

import joblib
import numpy as np
import xgboost
from sklearn.linear_model import LinearRegression

REGIONAL = {"region": "us-central1"}
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 132735\n"
PAGE = b"<!DOCTYPE html><html><body>Sign in</body></html>"


# pickles
def of_module(name):
    """A pickle whose class is `Doubler` of the module of this name, which exists only while it is pickled."""
    there = sys.modules.get(name)
    module = there or types.ModuleType(name)
    sys.modules[name] = module
    made = type("Doubler", (), {"__module__": name})
    module.Doubler = made
    try:
        return pickle.dumps(made(), protocol=4)
    finally:
        del module.Doubler
        if there is None:
            del sys.modules[name]


def pickled(d, name, **fields):
    return d.cloud(d.folder(model_pkl=of_module(name)), **fields)


def dumped():
    """An estimator as joblib writes it, with the bytes of its arrays between the instructions."""
    file = io.BytesIO()
    joblib.dump(LinearRegression().fit(np.eye(20), np.arange(20)), file)
    return file.getvalue()


# boosters
def booster(d, names=None, format="ubj"):
    matrix = xgboost.DMatrix(np.array([[0.0, 1.0], [1.0, 0.0]] * 9), [0, 1] * 9, feature_names=names)
    return bytes(xgboost.train({"nthread": 1}, matrix, 1).save_raw(format))


def old(d, format):
    """A booster that does not say which XGBoost wrote it: the format alone decides."""
    binary = format == "binary"  # XGBoost cannot write it any more: its first bytes have to do
    return d.folder(model_bst=b"binf" + bytes(200) if binary else without_version(booster(d, format=format), format))


def without_version(data, format):
    if format == "json":
        learner = json.loads(data)["learner"]
        return json.dumps({"learner": learner}).encode()
    head, _, _ = data.rpartition(b"L" + (7).to_bytes(8, "big") + b"version")
    return head + b"}"


def boosted(d, names=None, **fields):
    return d(d.folder(model_bst=booster(d, names)), **fields)


def asked(*instances, **keys):
    return json.dumps({"instances": list(instances), **keys}).encode()


# SavedModels, in the form of text
def tensor(key, dtype="DT_FLOAT", shape=(-1, 2)):
    dims = "".join(f"dim {{ size: {size} }} " for size in shape)
    return f'{{ key: "{key}" value {{ name: "{key}:0" dtype: {dtype} tensor_shape {{ {dims}}} }} }}'


X, Y = tensor("x"), tensor("y")


def signature(name="serving_default", inputs=(X,), outputs=(Y,)):
    parts = [f"inputs {one}" for one in inputs] + [f"outputs {one}" for one in outputs]
    return f'signature_def {{ key: "{name}" value {{ {" ".join(parts)} method_name: "m" }} }}'


def saved(d, *signatures, version="2.11.0", ops=("Placeholder", "MatMul"), tag="serve", assets=()):
    nodes = "".join(f'node {{ name: "n{index}" op: "{op}" }} ' for index, op in enumerate(ops))
    files = "".join(f'asset_file_def {{ filename: "{name}" }} ' for name in assets)
    text = (
        "saved_model_schema_version: 1 meta_graphs {"
        f' meta_info_def {{ tags: "{tag}" tensorflow_version: "{version}" }}'
        f" graph_def {{ {nodes}}} {' '.join(signatures or (signature(),))} {files} }}"
    )
    return d.folder(saved_model_pbtxt=text.encode())


def with_assets(d):
    folder = saved(d, assets=("words.txt",))
    (folder / "assets").mkdir()
    (folder / "assets" / "words.txt").write_text("a")
    return folder


def with_file(d, name, data):
    folder = saved(d)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(data)
    return folder


def two_inputs():
    return signature(inputs=(tensor("a", shape=(-1,)), tensor("b", shape=(-1,))))


def of_memory(d, megabytes):
    folder = d.folder()
    with (folder / "weights").open("wb") as file:
        file.truncate(megabytes * 1024**2)  # sparse: takes no room on the disk
    return folder


def routine(d, name):
    folder = d.folder()
    (folder / name).write_bytes(b"x")
    return d.cloud(folder, predictionClass="m.C", packageUris=["gs://b/p.tar.gz"])


OLD = {"runtimeVersion": "2.1", "pythonVersion": "3.7"}
CASES = [
    # id, severity, text of the fix, what triggers it, its innocent neighbour
    ("X01", "error", "%aip_package", lambda d: pickled(d, "__main__"), lambda d: pickled(d, "my_steps")),
    (
        "X01",
        "error",
        "Doubler",
        lambda d: d(d.folder(model_joblib=gzip.compress(of_module("__main__")))),
        lambda d: d(d.folder(model_joblib=gzip.compress(of_module("main")))),
    ),
    (
        "X01",
        "warning",
        "my_module.py",
        lambda d: pickled(d, "__main__", predictionClass="m.C", packageUris=["gs://b/p.tar.gz"]),
        lambda d: d(),
    ),
    ("V10", "warning", "--package-uris", lambda d: pickled(d, "lightgbm_like"), lambda d: pickled(d, "sklearn.mine")),
    ("V10", "warning", "--package-uris", lambda d: pickled(d, "my_steps"), lambda d: d.cloud()),
    (
        "V10",
        "warning",
        "--package-uris",
        lambda d: d(d.folder(model_pkl=of_module("my_steps"))),
        lambda d: d(d.folder(model_pkl=of_module("scipy.stats"))),
    ),
    (
        "A03",
        "warning",
        "scikit-learn 1.0.2",
        lambda d: pickled(d, "sklearn.linear_model.logistic"),
        lambda d: d.cloud(),
    ),
    (
        "A03",
        "error",
        "numpy 1.21.6",
        lambda d: pickled(d, "numpy._core.multiarray"),
        lambda d: pickled(d, "numpy.core.multiarray"),
    ),
    (
        "D08",
        "error",
        "model.joblib",
        lambda d: d(d.folder(model_pkl=dumped())),
        lambda d: d(d.folder(model_joblib=dumped())),
    ),
    (
        "D08",
        "error",
        "model.joblib",
        lambda d: d(d.folder(model_pkl=gzip.compress(d.models.sklearn))),
        lambda d: d(d.folder(model_pkl=d.models.sklearn)),
    ),
    (
        "B01",
        "warning",
        "runtimeVersion: '1.15'",
        lambda d: d.cloud(d.folder(model_pkl=d.models.sklearn_of("0.20.2"))),
        lambda d: d.cloud(
            d.folder(model_pkl=d.models.sklearn_of("0.20.2")), runtimeVersion="1.13", pythonVersion="3.5"
        ),
    ),
    ("A08", "warning", "XGBoost 0.90", lambda d: d.cloud(old(d, "json"), **OLD), lambda d: d.cloud(old(d, "json"))),
    (
        "A08",
        "error",
        "XGBoost",
        lambda d: d.cloud(old(d, "ubj"), runtimeVersion="1.14", pythonVersion="3.5"),
        lambda d: d.cloud(old(d, "ubj")),
    ),
    (
        "A08",
        "advice",
        "add --env model",
        lambda d: d(old(d, "binary"), installed={}),
        lambda d: d.cloud(old(d, "binary")),
    ),
    ("R06", "error", "feature_names = None", lambda d: boosted(d, ["a", "b"]), boosted),
    ("R03", "error", "2 columns", lambda d: boosted(d, test=asked([1])), lambda d: boosted(d, test=asked([1, 2.5]))),
    ("R03", "error", "instances:", lambda d: boosted(d, test=asked({"a": 1})), lambda d: boosted(d)),
    (
        "R03",
        "error",
        "instances:",
        lambda d: boosted(d, test=asked([1, "x"])),
        lambda d: boosted(d, test=asked([1, 2], [True, False], [None, 0.5])),
    ),
    (
        "R04",
        "warning",
        "omit parameters",
        lambda d: d(test=asked([1, 2], parameters={})),
        lambda d: d(test=asked([1, 2], signature_name="x")),
    ),
    (
        "R04",
        "error",
        "omit verbose",
        lambda d: boosted(d, test=asked([1, 2], verbose=1)),
        lambda d: boosted(d, test=asked([1, 2], output_margin=True)),
    ),
    (
        "D05",
        "error",
        "complete export directory",
        lambda d: d(saved(d, assets=("words.txt",))),
        lambda d: d(with_assets(d)),
    ),
    ("D06", "error", "model.save(", lambda d: d(saved(d, tag="train")), lambda d: d(saved(d))),
    ("D06", "error", "signatures=", lambda d: d(saved(d, " ")), lambda d: d(saved(d, signature("one")))),
    ("D07", "warning", "export", lambda d: d(d.folder(saved_model_pb=b"\xff" * 50)), lambda d: d(saved(d))),
    ("D07", "error", "/model.pkl", lambda d: d(d.folder(model_bst=d.models.sklearn)), boosted),
    ("D07", "error", "zipfile -e", lambda d: d(d.folder(model_pkl=b"PK\x03\x04" + bytes(60))), lambda d: d()),
    ("D07", "error", "dumps(model)", lambda d: d(d.folder(model_pkl=b"weights, as text")), lambda d: d()),
    ("D07", "warning", "again", lambda d: d(d.folder(model_pkl=b"\xff\xfe\xfd" * 9)), lambda d: d()),
    (
        "D01",
        "error",
        "git lfs pull",
        lambda d: d(with_file(d, "variables/variables.index", LFS)),
        lambda d: d(with_file(d, "variables/variables.index", LFS.replace(b"version ", b"versions "))),
    ),
    ("D01", "warning", "git lfs", lambda d: d(with_file(d, "notes", LFS)), lambda d: d(with_file(d, "notes", b"x"))),
    ("D02", "warning", "download", lambda d: d(with_file(d, "a.txt", PAGE)), lambda d: d(with_file(d, "a.html", PAGE))),
    (
        "A18",
        "error",
        "runtimeVersion: '2.",
        lambda d: d.cloud(saved(d, ops=("Placeholder", "AnonymousHashTable")), runtimeVersion="1.15"),
        lambda d: d.cloud(saved(d, version="1.15.0"), runtimeVersion="1.15"),
    ),
    ("A18", "error", "own", lambda d: d.cloud(saved(d, ops=("MyOwnOp",))), lambda d: d.cloud(saved(d))),
    ("A18", "warning", "--env runtime", lambda d: d.cloud(saved(d, version="2.21.0")), lambda d: d.cloud(saved(d))),
    (
        "R08",
        "error",
        '"x"',
        lambda d: d(saved(d), test=asked({"z": [1.0, 2.0]})),
        lambda d: d(saved(d), test=asked({"x": [1.0, 2.0]}, [1, 2])),
    ),
    (
        "R08",
        "error",
        "a, b",
        lambda d: d(saved(d, two_inputs()), test=asked({"a": 1.0, "b": 1.0, "c": 1.0})),
        lambda d: d(saved(d, two_inputs()), test=asked({"a": 1.0, "b": 1.0})),
    ),
    ("R08", "error", "a, b", lambda d: d(saved(d, two_inputs()), test=asked([1.0, 1.0])), lambda d: d(saved(d))),
    (
        "R08",
        "error",
        "add b",
        lambda d: d(saved(d, two_inputs()), test=asked({"a": 1.0, "b": 1.0}, {"a": 1.0})),
        lambda d: d(saved(d, two_inputs()), test=asked({"a": 1.0, "b": 1.0}, {"b": 1.0, "a": 1})),
    ),
    (
        "R08",
        "warning",
        "add b",
        lambda d: d(saved(d, two_inputs()), test=asked({"a": 1.0})),
        lambda d: d(saved(d, two_inputs())),
    ),
    (
        "R09",
        "error",
        "signature_name: one",
        lambda d: d(saved(d, signature("one"), signature("two")), test=asked([1.0, 2.0])),
        lambda d: d(saved(d, signature("one")), test=asked([1.0, 2.0])),
    ),
    (
        "R09",
        "error",
        "serving_default",
        lambda d: d(saved(d), test=asked([1.0, 2.0], signature_name="predict")),
        lambda d: d(saved(d), test=asked([1.0, 2.0], signature_name="serving_default")),
    ),
    (
        "R10",
        "error",
        "float32",
        lambda d: d(saved(d), test=asked(["1.0", "2.0"])),
        lambda d: d(saved(d), test=asked([1, 2.0])),
    ),
    (
        "R10",
        "error",
        "int64",
        lambda d: d(saved(d, signature(inputs=(tensor("x", "DT_INT64"),))), test=asked([1.5, 2.0])),
        lambda d: d(saved(d, signature(inputs=(tensor("x", "DT_INT64"),))), test=asked([1, 2])),
    ),
    (
        "R10",
        "error",
        "use numbers between -2147483648 and 2147483647",
        lambda d: d(saved(d, signature(inputs=(tensor("x", "DT_INT32"),))), test=asked([1, 2], [3, 3000000000])),
        lambda d: d(saved(d, signature(inputs=(tensor("x", "DT_INT32"),))), test=asked([1e3, -2147483648])),
    ),
    (
        "R10",
        "error",
        "use numbers between -3.40",
        lambda d: d(saved(d), test=asked([1, -1e39])),
        lambda d: d(saved(d), test=asked([1, 3.4e38])),
    ),
    (
        "R10",
        "error",
        "string",
        lambda d: d(saved(d, signature(inputs=(tensor("x", "DT_STRING", (-1,)),))), test=asked(1)),
        lambda d: d(saved(d, signature(inputs=(tensor("x", "DT_STRING", (-1,)),))), test=asked("a", {"b64": "YQ=="})),
    ),
    (
        "R10",
        "error",
        "(2)",
        lambda d: d(saved(d), test=asked([1.0, 2.0, 3.0])),
        lambda d: d(saved(d, signature(inputs=(tensor("x", shape=(-1, -1)),))), test=asked([1.0, 2.0, 3.0])),
    ),
    (
        "R15",
        "advice",
        "--format=json",
        lambda d: d(saved(d, signature(outputs=(tensor("dense/Softmax:0"),)))),
        lambda d: d(saved(d, signature(outputs=(tensor("dense_softmax"),)))),
    ),
    (
        "R18",
        "error",
        "(None, …)",
        lambda d: d(saved(d, signature(outputs=(tensor("y", shape=()),)))),
        lambda d: d(saved(d, signature(outputs=(tensor("y", shape=(-1,)),)))),
    ),
    (
        "R18",
        "warning",
        "(None, …)",
        lambda d: d(saved(d, signature(outputs=(tensor("y", shape=(1, 3)),)))),
        lambda d: d(saved(d)),
    ),
    (
        "R21",
        "advice",
        "image_bytes",
        lambda d: d(saved(d, signature(outputs=(tensor("image", "DT_STRING"),)))),
        lambda d: d(saved(d, signature(outputs=(tensor("image_bytes", "DT_STRING"),)))),
    ),
    (
        "A11",
        "warning",
        "n1-standard-4",
        lambda d: d.cloud(of_memory(d, 4000), **REGIONAL),
        lambda d: d.cloud(of_memory(d, 3000), **REGIONAL),
    ),
    ("A14", "warning", "another format", lambda d: routine(d, "weights.h5"), lambda d: routine(d, "weights.npz")),
]
