"""Run as a script: write models that cannot be served as they are, and follow the fix of each finding literally.

The lines of a fix are run in this process, as in the notebook that has the model. Written are `answers.json` (what the
model answers by itself) and `fixes.json` (case → what the rules say, and the directory that the fix made).
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from aip_magics import artifacts, checks
from aip_magics.spec import Model, Version

tf1 = tf.compat.v1
BASE = Path(sys.argv[1])
X = [[0.5, -1.0, 2.0], [1.0, 1.0, 1.0]]


class Wrapped(tf.Module):
    """A Keras 3 model inside of a module: its variables are not saved either."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
    def f(self, x):
        return {"y": self.inner(x)}


class Plain(tf.Module):
    """A module without a signature."""

    def f(self, x):
        return {"y": tf.reduce_sum(x, axis=1)}


class Scaled(tf.Module):
    """The second input is a single value for all instances."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x"), tf.TensorSpec([], tf.int32, name="k")])
    def f(self, x, k):
        return {"y": x * tf.cast(k, tf.float32)}


class Ragged(tf.Module):
    @tf.function(input_signature=[tf.RaggedTensorSpec([None, None], tf.float32)])
    def f(self, x):
        return {"y": tf.reduce_sum(x, axis=1)}


class Called(tf.Module):
    """Calls Python, which the file does not contain."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def f(self, x):
        return {"y": tf.numpy_function(lambda values: values * 2, [x], tf.float32)}


def built() -> keras.Model:
    return keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(2)])


def found(folder: Path) -> list[checks.Finding]:
    inspected = artifacts.inspect_model_dir(folder)
    version = Version(name="v1", framework="TENSORFLOW" if inspected.framework == "TENSORFLOW" else None)
    errors = checks.run(checks.CheckContext(Model(name="m"), version, inspected)).errors
    return [finding for finding in errors if finding.id != "U02"]


def write_files(model: keras.Model) -> None:
    """A directory for each case, named by it."""
    for name in ("keras", "legacy", "misnamed", "weights", "legacy_weights", "checkpoint", "graph", "frozen", "pb"):
        (BASE / name).mkdir()
    model.save(BASE / "keras" / "m.keras")
    model.save(BASE / "legacy" / "m.h5")
    shutil.copy(BASE / "legacy" / "m.h5", BASE / "misnamed" / "m.keras")
    model.save_weights(BASE / "weights" / "m.weights.h5")
    # What Keras 2 wrote with save_weights: a group of a whole model's file, which has no description of the model.
    import h5py

    with h5py.File(BASE / "legacy" / "m.h5") as whole, h5py.File(BASE / "legacy_weights" / "w.h5", "w") as weights:
        for name, group in whole["model_weights"].items():
            whole.copy(group, weights, name)
        weights.attrs.update(whole["model_weights"].attrs)
    tf.train.Checkpoint(model=model).save(str(BASE / "checkpoint" / "ckpt"))
    tf.saved_model.save(model, str(BASE / "saved"))
    wrapped = Wrapped(model)
    tf.saved_model.save(wrapped, str(BASE / "wrapped"), signatures=wrapped.f)
    tf.saved_model.save(Plain(), str(BASE / "unsigned"))
    for module in (Scaled(), Ragged(), Called()):
        tf.saved_model.save(module, str(BASE / type(module).__name__.lower()), signatures=module.f)
    model.export(str(BASE / "export"), verbose=False)
    shutil.make_archive(str(BASE / "packed" / "hub"), "gztar", BASE / "export")


def write_graphs(weights: np.ndarray) -> list[list[float]]:
    """A checkpoint and frozen graphs of TensorFlow 1; what they answer."""
    with tf1.Session(graph=tf1.Graph()) as session:
        x = tf1.placeholder(tf.float32, [None, 3], name="INPUT")
        kept = tf1.get_variable("w", initializer=weights)
        y = tf.sigmoid(tf.matmul(x, kept), name="OUTPUT")
        session.run(tf1.global_variables_initializer())
        tf1.train.Saver().save(session, str(BASE / "graph" / "model.ckpt"))
        frozen = tf1.graph_util.convert_variables_to_constants(session, session.graph.as_graph_def(), ["OUTPUT"])
        for path in (BASE / "frozen" / "frozen_inference_graph.pb", BASE / "pb" / "saved_model.pb"):
            path.write_bytes(frozen.SerializeToString())
        return session.run(y, {x: X}).tolist()


def follow(fix: str, model: keras.Model) -> str:
    """Run the line of a fix; the directory to deploy then."""
    if unpack := re.fullmatch(r"unpack it: (.+)", fix):
        subprocess.run(unpack[1], shell=True, check=True)
        return re.search(r"-C (\S+)", fix)[1]
    renamed = re.search(r"rename the file to (\S+), run", fix)
    if renamed:
        path = Path(renamed[1])
        path.with_suffix(".keras").rename(path)
    line = re.search(r"(?:^|, )run (.+?)(?: with the names of|,? (?:and|then) deploy)", fix)[1]
    fresh = built()
    if "load_weights" not in line and "restore(" not in line:
        fresh.set_weights(model.get_weights())
    exec(line, {"keras": keras, "tf": tf, "model": fresh})
    return re.search(r"deploy (\S+)", fix)[1]


def main() -> None:
    keras.utils.set_random_seed(3)
    model = built()
    write_files(model)
    weights = np.array([[0.5], [1.0], [-0.25]], np.float32)
    answers = {"model": model(np.array(X, np.float32)).numpy().tolist(), "graph": write_graphs(weights)}
    fixes = {}
    for folder in sorted(path for path in BASE.iterdir() if path.is_dir()):
        findings = found(folder)
        made = ""
        if findings and folder.name not in ("wrapped", "unsigned", "scaled", "ragged"):
            made = follow(findings[0].fix, model)
        fixes[folder.name] = {"findings": [[one.id, one.message, one.fix] for one in findings], "made": made}
    line = re.search(r"tf\.saved_model\.save\(module.*?\)\)\)", fixes["unsigned"]["findings"][0][2])[0]
    exec(line.replace("[None, 4]", "[None, 3]"), {"tf": tf, "module": Plain()})
    fixes["unsigned"]["made"] = str(BASE / "unsigned" / "export")
    archive = keras.export.ExportArchive()  # as the fix for `wrapped` says
    archive.track(model)
    archive.add_endpoint("serving_default", lambda x: {"y": model(x)}, [tf.TensorSpec([None, 3], tf.float32, name="x")])
    fixes["wrapped"]["made"] = str(BASE / "wrapped" / "export")
    archive.write_out(fixes["wrapped"]["made"], verbose=False)
    (BASE / "answers.json").write_text(json.dumps(answers))
    (BASE / "fixes.json").write_text(json.dumps(fixes))


main()
