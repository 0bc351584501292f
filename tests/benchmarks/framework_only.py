"""Run as a script: predict with the framework alone, nothing around it. What any tool can reach at best.

`framework_only.py hold KIND DIR` has the model loaded and answers each line of stdin, the file of a request, with
`{"seconds": s, "predictions": [...]}`: reading the JSON, predicting, writing the JSON.
`framework_only.py fork KIND DIR` has the framework imported only, and forks a process for each line, which loads
the model.
`framework_only.py export DIR` writes the models that are measured: see MODELS.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

MODELS = {"linear": "scikit-learn", "forest": "scikit-learn", "booster": "xgboost", "saved": "tensorflow"}
COLUMNS = 10
IMPORTS = {
    "scikit-learn": ("joblib", "sklearn.linear_model", "sklearn.ensemble"),
    "xgboost": ("xgboost", "numpy"),
    "tensorflow": ("tensorflow",),
}
# The whole program that somebody without a tool would write; `{dir}` is the model's directory.
ONCE = {
    "scikit-learn": "import joblib; print(joblib.load(r'{dir}/model.joblib').predict({rows}).tolist())",
    "xgboost": (
        "import numpy, xgboost; booster = xgboost.Booster(model_file=r'{dir}/model.bst');"
        " print(booster.predict(xgboost.DMatrix(numpy.array({rows}))).tolist())"
    ),
    "tensorflow": (
        "import tensorflow; model = tensorflow.saved_model.load(r'{dir}');"
        " print(model.signatures['serving_default'](x=tensorflow.constant({rows}))['y'].numpy().tolist())"
    ),
}
Predict = Callable[[list[Any]], list[Any]]


def load(kind: str, directory: str) -> Predict:
    if kind == "scikit-learn":
        import joblib

        model = joblib.load(f"{directory}/model.joblib")
        return lambda rows: model.predict(rows).tolist()  # type: ignore[no-any-return]
    if kind == "xgboost":
        import numpy
        import xgboost

        booster = xgboost.Booster(model_file=f"{directory}/model.bst")
        return lambda rows: booster.predict(xgboost.DMatrix(numpy.array(rows))).tolist()  # type: ignore[no-any-return]
    import tensorflow as tf

    loaded = tf.saved_model.load(directory)  # a signature does not keep its model alive
    signature = loaded.signatures["serving_default"]
    return lambda rows: [{"y": y} for y in signature(x=tf.constant(rows))["y"].numpy().tolist()] if loaded else []


def answered(predict: Predict, body: bytes) -> str:
    return json.dumps({"predictions": predict(json.loads(body)["instances"])})


def answer_line(taken: float, answer: str | bytes) -> None:
    sys.stdout.write(json.dumps({"seconds": taken, **json.loads(answer)}) + "\n")
    sys.stdout.flush()


def hold(kind: str, directory: str) -> None:
    predict = load(kind, directory)
    for line in sys.stdin:
        body = Path(line.strip()).read_bytes()
        start = time.perf_counter()
        answer = answered(predict, body)
        taken = time.perf_counter() - start
        answer_line(taken, answer)


def fork(kind: str, directory: str) -> None:
    for name in IMPORTS[kind]:
        importlib.import_module(name)
    for line in sys.stdin:
        body = Path(line.strip()).read_bytes()
        reading, writing = os.pipe()
        start = time.perf_counter()
        if os.fork() == 0:
            os.write(writing, answered(load(kind, directory), body).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            answer = pipe.read()
        taken = time.perf_counter() - start
        os.wait()
        answer_line(taken, answer)


def export(base: Path) -> None:
    import joblib
    import xgboost
    from sklearn.datasets import make_classification
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    x, y = make_classification(2000, COLUMNS, n_informative=6, n_classes=3, random_state=0)
    for name in MODELS:
        (base / name).mkdir()
    joblib.dump(LogisticRegression().fit(x, y), base / "linear" / "model.joblib")
    forest = RandomForestClassifier(100, max_depth=8, random_state=0).fit(x, y)
    joblib.dump(forest, base / "forest" / "model.joblib")
    booster = xgboost.train({"objective": "multi:softprob", "num_class": 3}, xgboost.DMatrix(x, label=y), 50)
    booster.save_model(base / "booster" / "model.ubj")  # the format follows the name, the service wants another one
    (base / "booster" / "model.ubj").rename(base / "booster" / "model.bst")
    if importlib.util.find_spec("tensorflow"):
        export_saved_model(base / "saved")


def export_saved_model(directory: Path) -> None:
    import tensorflow as tf

    class Layers(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            initial = tf.random.Generator.from_seed(7)
            self.first = tf.Variable(initial.normal([COLUMNS, 32]))
            self.second = tf.Variable(initial.normal([32, 3]))

        @tf.function(input_signature=[tf.TensorSpec([None, COLUMNS], tf.float32, name="x")])  # type: ignore[misc]
        def score(self, x):  # type: ignore[no-untyped-def]
            return {"y": tf.nn.softmax(tf.nn.relu(x @ self.first) @ self.second)}

    layers = Layers()
    tf.saved_model.save(layers, str(directory), signatures={"serving_default": layers.score})


if __name__ == "__main__":
    if sys.argv[1] == "export":
        export(Path(sys.argv[2]))
    else:
        {"hold": hold, "fork": fork}[sys.argv[1]](*sys.argv[2:])
