"""The lines that make a SavedModel of what TensorFlow, Keras or a converter wrote."""

from __future__ import annotations

from pathlib import Path

from aip_magics.artifacts import ModelDir, NearMiss, tensorflow_files
from aip_magics.i18n import gettext as _


def export_fix(directory: ModelDir, near: NearMiss) -> str:
    """Return how to export this file as a SavedModel, or what to deploy in its place."""
    path, target = directory.path / near.name, str(directory.path / "export")
    if near.kind == "keras-weights":
        line = f"model.load_weights({str(path)!r}); model.export({target!r})"
        return _("build the model as for training, run {line}, then deploy {target}", line=line, target=target)
    if near.kind == "keras-hdf5":
        named = path.with_suffix(".h5")
        line = _keras_line(named, target)
        return _("rename the file to {name}, run {line}, then deploy {target}", name=named, line=line, target=target)
    if near.kind == "graph":
        return graph_fix(path, target)
    if near.kind in ("keras-checkpoint", "object-checkpoint", "graph-checkpoint", "checkpoint"):
        return _checkpoint_fix(near.kind, str(tensorflow_files.checkpoint_prefix(path)), target)
    if near.kind == "onnx":
        line = f"onnx2tf -i {path} -o {target} -osd"
        return _("deploy the model that it was converted from, or convert it to a SavedModel: {line}", line=line)
    if near.kind in ("tflite", "tfjs"):
        return _("deploy the model that it was converted from: it cannot be converted back")
    return _("run {line}, then deploy {target}", line=_keras_line(path, target), target=target)


def graph_fix(path: Path, target: str) -> str:
    """Return how to export a graph (GraphDef) as a SavedModel."""
    graph = tensorflow_files.frozen_graph(path)
    if graph is None or not graph.inputs or not graph.outputs:
        return _("export the model as a SavedModel")
    if graph.has_variables:
        return _("export the model with its variables, which this file does not contain: model.export(path)")
    inputs = [f"{name}:0" for name in graph.inputs]
    outputs = {name.replace("/", "_"): f"{name}:0" for name in graph.outputs}
    line = (
        f"import tensorflow as tf; graph = tf.compat.v1.GraphDef.FromString(open({str(path)!r}, 'rb').read());"
        " function = tf.compat.v1.wrap_function(lambda: tf.compat.v1.import_graph_def(graph, name=''), [])"
        f".prune({inputs!r}, {outputs!r}); tf.saved_model.save(tf.Module(), {target!r}, signatures=function)"
    )
    return _("run {line}, then deploy {target}", line=line, target=target)


def unpack_fix(directory: ModelDir, near: NearMiss) -> str:
    """Return how to unpack an archive."""
    path = directory.path / near.name
    target = str(path.with_name(path.name.partition(".")[0]))
    line = f"import shutil; shutil.unpack_archive({str(path)!r}, {target!r})"
    return _("run {line}, then deploy {target}", line=line, target=target)


def _keras_line(path: Path, target: str) -> str:
    # Without compiling: older files name losses and metrics that newer versions of Keras do not find.
    return f"keras.models.load_model({str(path)!r}, compile=False).export({target!r})"


def _checkpoint_fix(kind: str, prefix: str, target: str) -> str:
    if kind == "graph-checkpoint":
        tensor = "session.graph.get_tensor_by_name"
        line = (
            "with tf.Graph().as_default(), tf.compat.v1.Session() as session:"
            f" tf.compat.v1.train.import_meta_graph({prefix + '.meta'!r}).restore(session, {prefix!r});"
            f" tf.compat.v1.saved_model.simple_save(session, {target!r},"
            f" {{'x': {tensor}('INPUT:0')}}, {{'y': {tensor}('OUTPUT:0')}})"
        )
        return _(
            "run {line} with the names of the model's input and output, then deploy {target}", line=line, target=target
        )
    if kind == "keras-checkpoint":
        line = f"model.load_weights({prefix!r}); model.save({target!r})"
        return _(
            "build the model as for training with TensorFlow 2.15 or older (Keras 2), run {line}, then deploy {target}",
            line=line,
            target=target,
        )
    line = f"tf.train.Checkpoint(model=model).restore({prefix!r}).expect_partial(); model.export({target!r})"
    return _("build the model as for training, run {line}, then deploy {target}", line=line, target=target)
