"""Run as a script, `graph_exports.py BASE MARKS`: write SavedModels that reach beyond their tensors, and ordinary ones.

A hostile one, BASE/hostile/NAME, writes a file below MARKS when it is loaded or asked, or reads MARKS/secret. What asks
an ordinary one, BASE/ordinary/NAME, is in BASE/ordinary.json: instances by name. A process of its own, so that no test
process has to import TensorFlow.
"""

from __future__ import annotations

import base64
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.framework import attr_value_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.python.ops import gen_debug_ops
from tensorflow.python.saved_model import loader_impl

tf1 = tf.compat.v1
BASE, MARKS = Path(sys.argv[1]), Path(sys.argv[2])
SECRET = str(MARKS / "secret")
X = tf.TensorSpec([None], tf.float32, name="x")
S = tf.TensorSpec([None], tf.string, name="s")


def mark(name: str) -> str:
    return str(MARKS / name)


def exported(kind: str, name: str, body: Callable[..., object], spec: tf.TensorSpec = X) -> None:
    module = tf.Module()
    module.f = tf.function(body, input_signature=[spec])
    tf.saved_model.save(module, str(BASE / kind / name), signatures=module.f)


def hostile(name: str, act: Callable[[tf.Tensor], object], spec: tf.TensorSpec = X) -> None:
    """A model that has a side effect and returns its input."""

    def body(x):
        done = act(x)
        with tf.control_dependencies([done] if done is not None else []):
            return {"y": tf.identity(x)}

    exported("hostile", name, body, spec)


def text(x: tf.Tensor) -> tf.Tensor:
    return tf.strings.reduce_join(tf.strings.as_string(x))


def written(name: str) -> tf.Operation:
    return tf.io.write_file(mark(name), "written")


def counted(dataset: tf.data.Dataset) -> tf.Tensor:
    return dataset.reduce(numpy.int64(0), lambda state, _one: state + 1)


def in_functions() -> None:
    """Exports of TensorFlow 2 that hide a side effect in different ways."""
    hostile("write", lambda x: written("write"))
    hostile("read", lambda x: tf.io.read_file(SECRET))
    hostile("read_computed", lambda x: tf.io.read_file(tf.strings.join([str(MARKS), "/secret", text(x[:0])])))
    hostile("matching", lambda x: tf.io.matching_files(mark("*")))
    hostile("python", lambda x: tf.py_function(lambda v: v, [x], tf.float32))
    hostile("numpy", lambda x: tf.numpy_function(lambda v: v, [x], tf.float32))
    hostile("print", lambda x: tf.print(x, output_stream=f"file://{mark('print')}"))
    debugged = {"tfdbg_context_id": "c", "op_name": "o", "output_slot": 0, "debug_urls": [f"file://{mark('debug')}"]}
    hostile("debug", lambda x: gen_debug_ops.debug_identity_v2(x, **debugged, tensor_debug_mode=1))
    hostile("save", lambda x: tf.raw_ops.SaveV2(
        prefix=mark("save"), tensor_names=["x"], shape_and_slices=[""], tensors=[x]
    ))  # fmt: skip
    hostile("restore", lambda x: tf.raw_ops.RestoreV2(
        prefix=mark("checkpoint"), tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.float32]
    )[0])  # fmt: skip
    hostile("lines", lambda x: counted(tf.data.TextLineDataset(SECRET)))
    hostile("cache", lambda x: counted(tf.data.Dataset.range(3).cache(mark("cache"))))
    hostile("while", lambda x: tf.while_loop(lambda i: i < 1, lambda i: (loop("while", i) + 1,), (tf.constant(0),))[0])
    hostile("cond", lambda x: tf.cond(tf.size(x) >= 0, lambda: loop("cond", x), lambda: x))
    hostile("map", lambda x: counted(tf.data.Dataset.range(2).map(lambda v: loop("map", v))))
    hostile("map_fn", lambda x: tf.map_fn(lambda v: loop("map_fn", v), x))
    hostile("immutable", lambda x: tf.raw_ops.ImmutableConst(
        dtype=tf.uint8, shape=[4], memory_region_name=SECRET
    ))  # fmt: skip
    hostile("table", table)
    hostile("summary", summary)
    hostile("proto", lambda x: tf.raw_ops.DecodeProtoV2(
        bytes=tf.constant([b""]), message_type="M", field_names=[], output_types=[], descriptor_source=SECRET
    ).sizes)  # fmt: skip
    hostile("dataset_from_graph", lambda x: tf.raw_ops.DatasetFromGraph(graph_def=text(x)))

    @tf.function
    def deep(x: tf.Tensor) -> tf.Tensor:
        return loop("nested", x)

    hostile("nested", lambda x: deep(x) + tf.function(lambda v: deep(v))(x))


def loop(name: str, value: tf.Tensor) -> tf.Tensor:
    with tf.control_dependencies([written(name)]):
        return tf.identity(value)


def table(x: tf.Tensor) -> tf.Operation:
    """A table that a signature fills from a file that is not an asset."""
    made = tf.raw_ops.AnonymousHashTable(key_dtype=tf.string, value_dtype=tf.int64)
    return tf.raw_ops.InitializeTableFromTextFileV2(
        table_handle=made, filename=SECRET, key_index=-2, value_index=-1, vocab_size=-1
    )


def summary(_x: tf.Tensor) -> tf.Operation:
    writer = tf.raw_ops.SummaryWriter()
    made = tf.raw_ops.CreateSummaryFileWriter(
        writer=writer, logdir=mark("summary"), max_queue=1, flush_millis=1, filename_suffix=""
    )
    with tf.control_dependencies([made]):
        return tf.raw_ops.FlushSummaryWriter(writer=writer)


def version_1(
    name: str, *, kind: str = "hostile", main: Callable[[], object] | None = None,
    tags: tuple[list[str], ...] = (["serve"],),
    tail: Callable[[tf.Tensor], tf.Tensor] = tf.identity, asset: str = "", beside: Callable[[], object] | None = None,
) -> None:  # fmt: skip
    """An export of TensorFlow 1 with a variable and a saver: `main` is run when it is loaded, `beside` never.

    Of several graphs, by their tags, all but the first one write a file.
    """
    builder = tf1.saved_model.Builder(str(BASE / kind / name))
    for number, tagged in enumerate(tags):
        with tf.Graph().as_default(), tf1.Session() as session:
            x = tf1.placeholder(tf.float32, [None], name="x")
            weight = tf1.get_variable("w", initializer=2.0)
            if asset:
                file = tf.constant(asset)
                tf1.add_to_collection(tf1.GraphKeys.ASSET_FILEPATHS, file)
                made = tf.lookup.StaticHashTable(tf.lookup.TextFileInitializer(
                    file, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE, tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER
                ), 0)  # fmt: skip
                x = x + tf.cast(made.lookup(tf.constant("b")), tf.float32)
            fed = session.graph.get_tensor_by_name("x:0")
            y = (loop(name, x) if number else tail(x)) * weight
            if beside:
                beside()
            session.run(tf1.global_variables_initializer())
            signature = tf1.saved_model.predict_signature_def({"x": fed}, {"y": y})
            arguments = {
                "signature_def_map": {"serving_default": signature},
                "main_op": tf.group(main()) if main else tf1.tables_initializer(),
                "assets_collection": tf1.get_collection(tf1.GraphKeys.ASSET_FILEPATHS),
            }
            if number:
                builder.add_meta_graph(tagged, **{**arguments, "assets_collection": None})
            else:
                builder.add_meta_graph_and_variables(session, tagged, **arguments)
    builder.save()


def changed(source: str, name: str, change: Callable[[object], None]) -> None:
    """A copy of an ordinary export with an edited meta graph."""
    folder = BASE / "hostile" / name
    shutil.copytree(BASE / "ordinary" / source, folder)
    message = loader_impl.parse_saved_model(str(folder))
    change(message.meta_graphs[0])
    (folder / "saved_model.pb").write_bytes(message.SerializeToString())


def as_text(kind: str, name: str) -> None:
    """The same model with the graph in text format."""
    folder = BASE / kind / f"{name}_text"
    shutil.copytree(BASE / kind / name, folder)
    (folder / "saved_model.pbtxt").write_text(text_format.MessageToString(loader_impl.parse_saved_model(str(folder))))
    (folder / "saved_model.pb").unlink()


def by_hand() -> None:
    def asset_outside(meta) -> None:
        for packed in meta.collection_def["saved_model_assets"].any_list.value:
            asset = meta_graph_pb2.AssetFileDef()
            packed.Unpack(asset)
            asset.filename = SECRET
            packed.Pack(asset)

    def restores_elsewhere(meta) -> None:
        """The saver restores from a constant instead of the fed path."""
        path = meta.graph_def.node.add(name="elsewhere", op="Const")
        path.attr["dtype"].type = tf.string.as_datatype_enum
        path.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(mark("checkpoint")))
        for node in meta.graph_def.node:
            if node.op == "RestoreV2":
                node.input[0] = "elsewhere"

    def unread_file(meta) -> None:
        """Unreachable, but TensorFlow evaluates constants while it imports the graph."""
        path = meta.graph_def.node.add(name="path", op="Const")
        path.attr["dtype"].type = tf.string.as_datatype_enum
        path.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(SECRET))
        meta.graph_def.node.add(name="aside", op="ReadFile", input=["path"])

    def unknown_operation(meta) -> None:
        meta.graph_def.node.add(name="custom", op="SimpleMLCreateModelResource")

    def function_only_named(meta) -> None:
        """A writing function is named by an attribute that is not a function call of TensorFlow."""
        with tf.Graph().as_default() as graph:
            tf.function(lambda: loop("named", tf.constant(1.0))).get_concrete_function().add_to_graph(graph)
        (function,) = graph.as_graph_def().library.function
        meta.graph_def.library.function.append(function)
        value = attr_value_pb2.AttrValue()
        value.list.func.add(name="unrelated").attr["g"].func.name = function.signature.name
        node = next(node for node in meta.graph_def.node if node.op in ("Mul", "Identity", "AddV2"))
        node.attr["_extra"].CopyFrom(value)

    changed("vocabulary_1", "asset_outside", asset_outside)
    changed("simple_1", "restores_elsewhere", restores_elsewhere)
    changed("simple_1", "unread_file", unread_file)
    changed("simple_1", "unknown_operation", unknown_operation)
    changed("simple_1", "named", function_only_named)
    for kind, name in (("hostile", "write"), ("hostile", "print"), ("hostile", "named"), ("ordinary", "table"),
                       ("ordinary", "vocabulary_1")):  # fmt: skip
        as_text(kind, name)
    changed("simple_1", "library", lambda meta: None)
    (BASE / "hostile" / "library" / "assets.extra").mkdir()
    (BASE / "hostile" / "library" / "assets.extra" / "ops.so").write_bytes(b"\x7fELF")


def ordinary(vocabulary: str) -> dict[str, object]:
    """Models that must load without a trust question, with instances for each."""
    exported("ordinary", "strings", lambda s: {"y": tf.strings.length(tf.strings.regex_replace(s, "a", "bc"))}, S)
    exported("ordinary", "prints", lambda x: {"y": print_and_go(x)})
    exported("ordinary", "loops", lambda x: {"y": tf.map_fn(lambda v: v * 2, x)})
    exported("ordinary", "ragged", lambda s: {"y": tf.strings.split(s).row_lengths()}, S)
    exported("ordinary", "sparse", lambda x: {
        "y": tf.sparse.to_dense(tf.sparse.from_dense(x)) + counted_range()
    })  # fmt: skip
    images = tf.TensorSpec([None], tf.string, name="image_bytes")
    exported("ordinary", "jpeg", lambda b: {"y": tf.map_fn(
        lambda one: tf.reduce_mean(tf.cast(tf.io.decode_jpeg(one), tf.float32)), b, fn_output_signature=tf.float32
    )}, images)  # fmt: skip
    features = {"a": tf.io.FixedLenFeature([], tf.float32, 1.5)}
    exported("ordinary", "examples", lambda s: {"y": tf.io.parse_example(s, features)["a"]}, S)

    class Table(tf.Module):
        def __init__(self) -> None:
            index = tf.lookup.TextFileIndex
            made = tf.lookup.TextFileInitializer(vocabulary, tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER)
            self.table = tf.lookup.StaticHashTable(made, -1)
            self.weight = tf.Variable(3.0)

        @tf.function(input_signature=[S])
        def f(self, s):
            return {"y": self.table.lookup(s)}

        @tf.function
        def train(self):
            """A function without a signature, which no prediction can reach."""
            with tf.control_dependencies([written("train")]):
                return tf.io.read_file(SECRET)

    module = Table()
    module.train.get_concrete_function()
    tf.saved_model.save(module, str(BASE / "ordinary" / "table"), signatures=module.f)
    words = tf.keras.layers.StringLookup(vocabulary=vocabulary)
    vector = tf.keras.layers.TextVectorization(output_sequence_length=2)
    vector.adapt(tf.constant(["a b", "b c"]))
    for name, layer in {"lookup": words, "vectorization": vector}.items():
        kept = tf.keras.Sequential([tf.keras.Input(shape=(1,), dtype="string"), layer])
        kept.export(str(BASE / "ordinary" / name), verbose=False)
    recurrent = tf.keras.Sequential([tf.keras.Input(shape=(2, 3)), tf.keras.layers.LSTM(2), tf.keras.layers.Dense(1)])
    recurrent.export(str(BASE / "ordinary" / "lstm"), verbose=False)
    version_1("simple_1", kind="ordinary")
    version_1("vocabulary_1", kind="ordinary", asset=vocabulary)
    version_1("other_graph_1", kind="ordinary", tags=(["serve"], ["serve", "gpu"]))
    version_1("training_1", kind="ordinary", beside=lambda: (
        tf1.data.make_one_shot_iterator(tf1.data.TextLineDataset(SECRET)).get_next()
    ))  # fmt: skip
    picture = tf.io.encode_jpeg(tf.zeros([2, 2, 3], tf.uint8)).numpy()
    return {
        "strings": ["aa", "b"], "prints": [1.0], "loops": [1.0, 2.0], "ragged": ["a b", "c"], "sparse": [0.0, 2.0],
        "jpeg": [{"b64": base64.b64encode(picture).decode()}], "examples": [{"b64": ""}], "table": ["a", "c", "?"],
        "lookup": [["a"], ["?"]], "vectorization": [["a b"]], "lstm": [[[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]],
        "simple_1": [1.0], "vocabulary_1": [1.0], "training_1": [1.0],
        "other_graph_1": [1.0], "table_text": ["a", "c", "?"], "vocabulary_1_text": [1.0],
    }  # fmt: skip


def print_and_go(x: tf.Tensor) -> tf.Tensor:
    with tf.control_dependencies([tf.print("seen", x)]):
        return tf.identity(x)


def counted_range() -> tf.Tensor:
    return tf.cast(counted(tf.data.Dataset.range(3)), tf.float32)


def main() -> None:
    MARKS.mkdir(parents=True, exist_ok=True)
    Path(SECRET).write_text("secret\nb\n")
    vocabulary = BASE / "vocabulary.txt"
    BASE.mkdir(parents=True, exist_ok=True)
    vocabulary.write_text("a\nb\nc\n")
    tf.raw_ops.SaveV2(prefix=mark("checkpoint"), tensor_names=["x", "w"], shape_and_slices=["", ""],
                      tensors=[tf.constant([1.0]), tf.constant(5.0)])  # fmt: skip
    instances = ordinary(str(vocabulary))
    in_functions()
    version_1("init", main=lambda: written("init"))
    version_1("init_reads", main=lambda: tf.io.read_file(SECRET))
    version_1("control", tail=lambda x: loop("control", x))
    version_1("two_graphs", tags=(["serve", "gpu"], ["serve"]))
    by_hand()
    (BASE / "ordinary.json").write_text(json.dumps(instances))
    (BASE / "marks.json").write_text(json.dumps(sorted(path.name for path in MARKS.iterdir())))


main()
