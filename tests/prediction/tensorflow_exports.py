"""Run as a script: write real SavedModels of every kind below a directory, and what TensorFlow itself answers for them.

A process of its own, so that no test process has to import TensorFlow.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import tensorflow as tf

tf1 = tf.compat.v1


class Numbers(tf.Module):
    def __init__(self) -> None:
        self.weights = tf.Variable([[0.1], [0.2]])

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def score(self, x):
        return {"score": tf.matmul(x, self.weights), "half": x / 2}

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.string, name="word"), tf.TensorSpec([None], tf.int64, name="times")]
    )
    def mixed(self, word, times):
        return {"raw_bytes": tf.strings.join([word, "!"]), "text": tf.strings.as_string(times), "double": times * 2}

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def total(self, x):
        return {"total": tf.reduce_sum(x)}

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def sizes(self, x):
        return {"all": x, "first": x[:1]}

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def logarithm(self, x):
        return {"y": tf.math.log(x)}


class Typed(tf.Module):
    """One input of each type of numbers, each returned as it arrived."""

    TYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "half", "float32", "float64")

    @tf.function(input_signature=[tf.TensorSpec([None], getattr(tf, name), name=f"in_{name}") for name in TYPES])
    def same(self, *inputs):
        return dict(zip(self.TYPES, inputs, strict=True))

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.bfloat16, name="x")])
    def brain(self, x):
        return {"y": tf.cast(x, tf.float32)}


class Words(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="s")])
    def twice(self, s):
        return {"twice": tf.strings.join([s, s])}

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.string, name="s")])
    def pairs(self, s):
        return {"pairs_bytes": tf.strings.join([s, s])}


class Endless(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def loop(self, x):
        return {"y": tf.while_loop(lambda v: tf.reduce_sum(v) > 0, lambda v: (v,), (x,))[0]}


class Silent(tf.Module):  # nothing in it that would be exported as a signature by itself
    def __init__(self) -> None:
        self.value = tf.Variable(1.0)


def listed(tensors: dict[str, tf.Tensor]) -> dict[str, object]:
    return {name: tensor.numpy().tolist() for name, tensor in tensors.items()}


def second(base: Path) -> dict[str, object]:
    """TensorFlow 2: functions of a module, and a Keras model."""
    numbers, words = Numbers(), Words()
    signatures = {
        "serving_default": numbers.score, "mixed": numbers.mixed, "total": numbers.total, "sizes": numbers.sizes,
        "logarithm": numbers.logarithm,
    }  # fmt: skip
    tf.saved_model.save(numbers, str(base / "numbers"), signatures=signatures)
    typed = Typed()
    tf.saved_model.save(typed, str(base / "typed"), signatures={"serving_default": typed.same, "brain": typed.brain})
    tf.saved_model.save(words, str(base / "words"), signatures={"twice": words.twice})
    tf.saved_model.save(words, str(base / "pairs"), signatures={"serving_default": words.pairs})
    tf.saved_model.save(Endless(), str(base / "endless"), signatures={"serving_default": Endless().loop})
    tf.saved_model.save(Silent(), str(base / "silent"))
    tf.keras.utils.set_random_seed(7)
    model = tf.keras.Sequential(
        [tf.keras.layers.Input([3]), tf.keras.layers.Dense(4, "relu"), tf.keras.layers.Dense(2)]
    )
    model.export(str(base / "keras"), verbose=False)
    x = [[0.5, -1.5], [2.25, 3.0]]
    loaded = tf.saved_model.load(str(base / "numbers")).signatures
    return {
        "score": listed(loaded["serving_default"](x=tf.constant(x))),
        "keras": model(tf.constant([[0.1, 0.2, 0.3], [1.0, -1.0, 0.5]])).numpy().tolist(),
    }


def first(base: Path) -> dict[str, object]:
    """TensorFlow 1: a graph and a session; binary by simple_save, as text by the builder."""
    with tf1.Session(graph=tf1.Graph()) as session:
        x = tf1.placeholder(tf.float32, [None, 2], name="x")
        bias = tf1.placeholder_with_default(tf.constant([[10.0]]), [None, 1], name="bias")
        weights = tf1.get_variable("w", initializer=[[1.5], [2.5]])
        y = tf.matmul(x, weights) + bias
        session.run(tf1.global_variables_initializer())
        tf1.saved_model.simple_save(session, str(base / "simple"), {"x": x, "bias": bias}, {"y": y})
        answer = session.run(y, {x: [[1.0, 2.0], [3.0, 4.0]]}).tolist()
        info = tf1.saved_model.utils.build_tensor_info
        define = tf1.saved_model.signature_def_utils.build_signature_def
        lost, wrong = info(x), info(x)
        lost.name, wrong.dtype = "nowhere:0", tf.int64.as_datatype_enum
        builder = tf1.saved_model.Builder(str(base / "text"))
        signatures = {
            "only": define({"x": info(x)}, {"y": info(y)}, "anything"),
            "lost": define({"x": lost}, {"y": info(y)}, "anything"),
            "wrong": define({"x": wrong}, {"y": info(y)}, "anything"),
        }
        builder.add_meta_graph_and_variables(session, ["serve"], signature_def_map=signatures)
        builder.save(as_text=True)
        builder = tf1.saved_model.Builder(str(base / "training"))
        builder.add_meta_graph_and_variables(session, ["train"], signature_def_map=signatures)
        builder.save()
    return {"simple": answer}


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    (directory / "answers.json").write_text(json.dumps({**second(directory), **first(directory)}))
