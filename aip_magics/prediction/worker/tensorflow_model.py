"""A TensorFlow SavedModel: loaded with the tag `serve` into a session, asked through one of its signatures."""

# ruff: noqa: UP032, B905, ARG002

import base64
import glob
import logging
import os
import sys
import traceback
from typing import Any

from . import tensorflow_trust
from .errors import ModelError, NotTrusted, error_text, shortened
from .graph_walk import Judged
from .inputs import as_list, columns, decoded, uneven, unwrapped
from .tensorflow_minimal import forget, lacking, parts

DEFAULT = "serving_default"
INIT_OP = "__saved_model_init_op"  # in every export of TensorFlow 2: no tensor, so no signature to predict by
NOT_A_SAVED_MODEL = "Cloud ML only supports TF 1.0 or above and models saved in SavedModel format."
BAD_DATA = "Failed to load the model due to bad model data. tags: ['serve']\n"
RUNNING = "Exception during running the graph: "
SIZES = (
    "Bad output from running tensorflow session: outputs had differing sizes in the batch (outer) dimension."
    " See the outputs and their size: {}. Check your model for bugs that effect the size of the outputs."
)


class Tensor:
    """An input or output of a signature. `optional`: it has a value of its own when it is not fed."""

    def __init__(self, info: "Any", graph: "Any", text: int) -> None:
        tensor = graph.get_tensor_by_name(info.name)
        dtype = tensor.dtype.as_datatype_enum
        if info.dtype and info.dtype != dtype:
            raise ValueError("{} is {} in the graph".format(info.name, tensor.dtype.name))
        self.name = info.name
        self.dtype = tensor.dtype
        self.is_text = dtype == text
        self.optional = tensor.op.type != "Placeholder"


class Signature:
    """Named inputs and outputs; ValueError or KeyError if the graph does not have one of them as it says."""

    def __init__(self, definition: "Any", graph: "Any", text: int) -> None:
        self.inputs = {alias: Tensor(info, graph, text) for alias, info in definition.inputs.items()}
        self.outputs = {alias: Tensor(info, graph, text) for alias, info in definition.outputs.items()}
        self.takes_text = any(tensor.is_text for tensor in self.inputs.values())


def open_saved_model(model_dir: str, threads: int, graph_ops: "str | None" = None) -> "TensorflowModel":
    """The SavedModel of a directory, in a session with so many threads.

    `graph_ops` is the file that says what operations do; with it, the model is not trusted. NotTrusted.
    """
    if not any(os.path.exists(os.path.join(model_dir, name)) for name in ("saved_model.pb", "saved_model.pbtxt")):
        raise ModelError("FAILED_TO_LOAD_MODEL", NOT_A_SAVED_MODEL, elsewhere(model_dir))
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of its own age
    tf = parts() or import_tensorflow()
    judged = Judged(graph_ops) if graph_ops else None
    load_custom_ops(tf, model_dir, judged is not None)
    session, meta_graph = load(tf, model_dir, threads, judged)
    if not meta_graph.signature_def:
        text = "MetaGraph must have at least one signature_def."
        raise ModelError("FAILED_TO_LOAD_MODEL", text, "export the model with signatures=...")
    signatures = {}
    for name, definition in meta_graph.signature_def.items():
        try:
            signatures[name] = Signature(definition, session.graph, tf.string.as_datatype_enum)
        except (ValueError, KeyError, TypeError) as error:
            if name != INIT_OP:
                sys.stderr.write("signature {} is left out: {}\n".format(name, error_text(error)))
    return TensorflowModel(session, signatures)


def load(tf: "Any", model_dir: str, threads: int, judged: "Judged | None") -> "tuple[Any, Any]":
    """A session with the SavedModel, and the meta graph that was loaded."""
    config = tf.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads)
    config.gpu_options.allow_growth = True  # other workers want some of it, too
    try:
        session = tf.Session(graph=tf.Graph(), config=config)
        if judged is not None:
            return session, tensorflow_trust.load(session, model_dir, judged)
        return session, tf.saved_model.loader.load(session, ["serve"], model_dir)
    except ModelError:
        raise
    except Exception as error:
        if lacking(tf, error):
            forget()
            return load(import_tensorflow(), model_dir, threads, judged)
        raise ModelError("FAILED_TO_LOAD_MODEL", BAD_DATA + error_text(error), advice(error, tf)) from error


def import_tensorflow() -> "Any":
    """TensorFlow as version 1 has it: the service runs every model in a session of a graph."""
    try:
        import tensorflow
    except ImportError as error:
        fix = "install tensorflow for " + sys.executable
        raise ModelError("FAILED_TO_LOAD_MODEL", "Could not import tensorflow: " + error_text(error), fix) from error
    if tensorflow.__version__.startswith("1."):
        try:
            import tensorflow.contrib

            dir(tensorflow.contrib)  # it is lazy; its operations are known once it is really imported
        except ImportError:
            pass
    return tensorflow.compat.v1


def load_custom_ops(tf: "Any", model_dir: str, only_listed: bool) -> None:
    for path in sorted(glob.glob(os.path.join(glob.escape(model_dir), "assets.extra", "*.so"))):
        if only_listed:
            raise NotTrusted("the library assets.extra/{}".format(os.path.basename(path)))
        try:
            tf.load_op_library(path)
        except Exception:  # noqa: BLE001 (as the service: what is missing shows when the model is loaded)
            sys.stderr.write("the custom operations of {} were not loaded\n".format(path))
            traceback.print_exc()


def elsewhere(model_dir: str) -> str:
    """Where the SavedModel lies, if it is a level above or below."""
    below = glob.glob(os.path.join(glob.escape(model_dir), "*", "saved_model.pb*"))
    # Confined, we cannot list what lies around the model, but see whether a file is there.
    names = [os.path.join(os.path.dirname(model_dir), name) for name in ("saved_model.pb", "saved_model.pbtxt")]
    above = [name for name in names if os.path.exists(name)]
    for found in sorted(below)[-1:] + above[:1]:
        return "the SavedModel lies in {}: name that directory".format(os.path.dirname(found))
    return "export the model with tf.saved_model.save; saved_model.pb must lie directly in the directory"


def advice(error: BaseException, tf: "Any") -> str:
    text = str(error)
    if "not registered" in text:
        known = "TensorFlow {} does not know this operation".format(tf.__version__)
        return known + ": put its library into assets.extra/, or export the model with that version"
    if "valid checkpoint" in text or ("variables" in text and "not found" in text.lower()):
        return "copy the folder variables/ of the export, too"
    if "could not be found in SavedModel" in text:
        return "export the model for serving: its graph needs the tag 'serve'"
    return ""


class TensorflowModel:
    """Signatures of one session."""

    framework = "TENSORFLOW"
    label = "tensorflow"
    engine = "SessionRun"
    class_name = "tensorflow.SavedModel"

    def __init__(self, session: "Any", signatures: "dict[str, Signature]") -> None:
        self.session = session
        self.signatures = signatures

    def signature(self, name: "Any") -> Signature:
        """The one asked for; else the only one; else `serving_default`."""
        if not name and len(self.signatures) == 1:
            return next(iter(self.signatures.values()))
        wanted = name or DEFAULT
        if isinstance(wanted, str) and wanted in self.signatures:
            return self.signatures[wanted]
        known = ", ".join(sorted(self.signatures))
        fix = "the model's signatures are " + known if known else "export the model with signatures=..."
        raise ModelError("INVALID_INPUTS", "No signature found for signature key {}.".format(name), fix)

    def preprocess(self, instances: "Any", options: "dict[str, Any]") -> "tuple[Signature, dict[str, list[Any]]]":
        signature = self.signature(options.get("signature_name"))
        aliases = list(signature.inputs)
        if len(aliases) == 1 and not isinstance(instances, list):
            instances = [instances]
        rows = as_list(instances)
        if not rows:
            raise ModelError("INVALID_INPUTS", "'instances' is empty", "send one item per prediction that is wanted")
        if signature.takes_text:
            rows = decoded(rows)
        if len(aliases) == 1:
            return signature, {aliases[0]: unwrapped(rows, aliases[0])}
        optional = {alias for alias, tensor in signature.inputs.items() if tensor.optional}
        return signature, columns(rows, aliases, optional)

    def run(self, inputs: "tuple[Signature, dict[str, list[Any]]]", options: "dict[str, Any]") -> "Any":
        signature, values = inputs
        fetches = {alias: tensor.name for alias, tensor in signature.outputs.items()}
        feed = {signature.inputs[alias].name: column for alias, column in values.items()}
        try:
            return signature, self.session.run(fetches, feed)
        except Exception as error:
            for alias, column in values.items():
                fault = faulty(column, signature.inputs[alias])
                if fault:
                    text = "{}{} (input {})".format(RUNNING, fault, alias)
                    raise ModelError("FAILED_TO_RUN_MODEL", text) from error
            text = error_text(error).partition("\n\nOriginal stack trace")[0]  # of the graph; the log has it
            raise ModelError("FAILED_TO_RUN_MODEL", RUNNING + text) from error

    def postprocess(self, output: "Any") -> "list[Any]":
        signature, arrays = output
        import numpy

        arrays = {alias: numpy.asarray(value) for alias, value in arrays.items()}
        arrays = {alias: value if value.shape else value[None] for alias, value in arrays.items()}
        sizes = {alias: len(value) for alias, value in arrays.items()}
        if len(set(sizes.values())) != 1:
            raise ModelError("INVALID_OUTPUTS", SIZES.format(sizes))
        rows = []
        for alias, value in arrays.items():
            column = value.tolist()
            rows.append(encoded(column, alias) if signature.outputs[alias].is_text else column)
        return [dict(zip(arrays, row)) for row in zip(*rows)]


def faulty(column: "list[Any]", tensor: Tensor) -> str:
    """Which instance's value cannot be what the input takes; empty if each can."""
    fault = uneven(column)
    if fault:
        return fault
    import numpy

    for index, value in enumerate(column):
        try:
            array = numpy.asarray(value, dtype=tensor.dtype.as_numpy_dtype)
        except Exception as error:  # noqa: BLE001 (NumPy raises what it likes)
            return "instance {}: {} is no {}: {}".format(index, shortened(value), tensor.dtype.name, error_text(error))
        if tensor.is_text and not all(isinstance(item, (str, bytes)) for item in array.ravel().tolist()):
            return "instance {}: {} is no text".format(index, shortened(value))
    return ""


def encoded(column: "list[Any]", alias: str) -> "list[Any]":
    """Text outputs: base64 where the alias says bytes, UTF-8 otherwise."""
    put = in_base64 if alias.endswith("_bytes") else in_utf8
    done = []
    for index, value in enumerate(column):
        try:
            done.append(nested(value, put))
        except ValueError as error:
            text = "Prediction failed during encoding instances: {} (instance {}, output {})"
            fix = "name the output {}_bytes to get it in base64".format(alias)
            raise ModelError("INVALID_OUTPUTS", text.format(error_text(error), index, alias), fix) from error
    return done


def nested(value: "Any", put: "Any") -> "Any":
    return [nested(item, put) for item in value] if isinstance(value, list) else put(value)


def in_base64(data: bytes) -> "dict[str, str]":
    return {"b64": base64.b64encode(data).decode("ascii")}


def in_utf8(data: bytes) -> str:
    return data.decode("utf-8")
