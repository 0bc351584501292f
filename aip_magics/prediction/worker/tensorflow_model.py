"""A TensorFlow SavedModel, loaded with the tag `serve` into a session; predicts with one of its signatures."""

# ruff: noqa: UP032, B905, ARG002

import base64
import glob
import logging
import os
import sys
import traceback
from typing import Any

from . import tensorflow_trust
from .errors import ModelError, NotTrusted, _, error_text, shortened
from .graph_walk import Judgements
from .inputs import as_list, columns, decoded, find_shape_error, unwrapped
from .predict_hints import graph_hint
from .ranges import converted
from .tensorflow_minimal import forget, import_minimal, is_missing_module_error

DEFAULT = "serving_default"
INIT_OP = "__saved_model_init_op"  # in every export of TensorFlow 2; without a tensor, so no signature to predict with
NOT_A_SAVED_MODEL = "Cloud ML only supports TF 1.0 or above and models saved in SavedModel format."
BAD_DATA = "Failed to load the model due to bad model data. tags: ['serve']\n"
RUNNING = "Exception during running the graph: "
SIZES = (
    "Bad output from running tensorflow session: outputs had differing sizes in the batch (outer) dimension."
    " See the outputs and their size: {}. Check your model for bugs that effect the size of the outputs."
)


class Tensor:
    """An input or output of a signature. An `optional` input has a default value."""

    def __init__(self, info: "Any", graph: "Any", text: int) -> None:
        tensor = graph.get_tensor_by_name(info.name)
        dtype = tensor.dtype.as_datatype_enum
        if info.dtype and info.dtype != dtype:
            raise ValueError("{} has type {} in the graph".format(info.name, tensor.dtype.name))
        self.name = info.name
        self.dtype = tensor.dtype
        self.is_string = dtype == text
        self.optional = tensor.op.type != "Placeholder"
        self.dims = None if tensor.shape.dims is None else tensor.shape.as_list()


class Signature:
    """Named inputs and outputs. Raises ValueError or KeyError if the graph lacks one or has it with another type."""

    def __init__(self, definition: "Any", graph: "Any", text: int) -> None:
        self.inputs = {alias: Tensor(info, graph, text) for alias, info in definition.inputs.items()}
        self.outputs = {alias: Tensor(info, graph, text) for alias, info in definition.outputs.items()}
        self.takes_strings = any(tensor.is_string for tensor in self.inputs.values())


def open_saved_model(model_dir: str, threads: int, graph_ops: "str | None" = None) -> "TensorflowModel":
    """Load the SavedModel of a directory into a session with this number of threads.

    `graph_ops` is the file of judgements of operations, given if the model is not trusted; then NotTrusted is raised
    for a model that may do what is not harmless.
    """
    if not any(os.path.exists(os.path.join(model_dir, name)) for name in ("saved_model.pb", "saved_model.pbtxt")):
        raise ModelError("FAILED_TO_LOAD_MODEL", NOT_A_SAVED_MODEL, location_hint(model_dir))
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # TensorFlow warns that its API is deprecated
    tf = import_minimal() or import_tensorflow()
    judgements = Judgements(graph_ops) if graph_ops else None
    load_custom_ops(tf, model_dir, judgements is not None)
    session, meta_graph = load(tf, model_dir, threads, judgements)
    if not meta_graph.signature_def:
        text = "MetaGraph must have at least one signature_def."
        raise ModelError("FAILED_TO_LOAD_MODEL", text, "export the model with signatures=...")
    signatures = {}
    for name, definition in meta_graph.signature_def.items():
        try:
            signatures[name] = Signature(definition, session.graph, tf.string.as_datatype_enum)
        except (ValueError, KeyError, TypeError) as error:
            if name != INIT_OP:
                sys.stderr.write("skipped the signature {}: {}\n".format(name, error_text(error)))
    return TensorflowModel(session, signatures)


def load(tf: "Any", model_dir: str, threads: int, judgements: "Judgements | None") -> "tuple[Any, Any]":
    """Create a session with the SavedModel; return it with the loaded meta graph."""
    config = tf.ConfigProto(intra_op_parallelism_threads=threads, inter_op_parallelism_threads=threads)
    config.gpu_options.allow_growth = True  # leave memory for other workers
    try:
        session = tf.Session(graph=tf.Graph(), config=config)
        if judgements is not None:
            return session, tensorflow_trust.load(session, model_dir, judgements)
        return session, tf.saved_model.loader.load(session, ["serve"], model_dir)
    except ModelError:
        raise
    except Exception as error:
        if is_missing_module_error(tf, error):
            forget()
            return load(import_tensorflow(), model_dir, threads, judgements)
        raise ModelError("FAILED_TO_LOAD_MODEL", BAD_DATA + error_text(error), load_hint(error, tf)) from error


def import_tensorflow() -> "Any":
    """Import TensorFlow with its version 1 API: the service runs every model in a session of a graph."""
    try:
        import tensorflow
    except ImportError as error:
        fix = _("install {library} for {python}", library="tensorflow", python=sys.executable)
        raise ModelError("FAILED_TO_LOAD_MODEL", "Could not import tensorflow: " + error_text(error), fix) from error
    if tensorflow.__version__.startswith("1."):
        try:
            import tensorflow.contrib

            dir(tensorflow.contrib)  # contrib is lazy; this imports it, which registers its operations
        except ImportError:
            pass
    return tensorflow.compat.v1


def load_custom_ops(tf: "Any", model_dir: str, only_listed: bool) -> None:
    for path in sorted(glob.glob(os.path.join(glob.escape(model_dir), "assets.extra", "*.so"))):
        if only_listed:
            raise NotTrusted("the library assets.extra/{}".format(os.path.basename(path)))
        try:
            tf.load_op_library(path)
        except Exception:  # noqa: BLE001 (as on the service: loading the model reports what is missing)
            sys.stderr.write("could not load the custom operations of {}\n".format(path))
            traceback.print_exc()


def location_hint(model_dir: str) -> str:
    """The fix for a directory without a SavedModel, which may be a level above or below."""
    below = glob.glob(os.path.join(glob.escape(model_dir), "*", "saved_model.pb*"))
    # A confined worker cannot list the parent directory, but can see whether a file exists.
    names = [os.path.join(os.path.dirname(model_dir), name) for name in ("saved_model.pb", "saved_model.pbtxt")]
    above = [name for name in names if os.path.exists(name)]
    for found in sorted(below)[-1:] + above[:1]:
        return _("use the directory {path}, which contains the SavedModel", path=os.path.dirname(found))
    return _(
        "export the model into the model directory: model.export(path) for a Keras model,"
        " tf.saved_model.save(module, path, signatures=...) for a tf.Module"
    )


def load_hint(error: BaseException, tf: "Any") -> str:
    """The fix for an error of loading a SavedModel; empty if none is known."""
    text = str(error)
    if "not registered" in text:
        return _(
            "put the library of the operation into assets.extra/, or export the model with TensorFlow {version}",
            version=tf.__version__,
        )
    if "valid checkpoint" in text or ("variables" in text and "not found" in text.lower()):
        return _("copy the directory variables/ of the export too")
    if "could not be found in SavedModel" in text:
        return _("export the model for serving: the graph needs the tag 'serve'")
    return ""


class TensorflowModel:
    """A loaded SavedModel: a session and its signatures."""

    framework = "TENSORFLOW"
    label = "tensorflow"
    engine = "SessionRun"
    class_name = "tensorflow.SavedModel"

    def __init__(self, session: "Any", signatures: "dict[str, Signature]") -> None:
        self.session = session
        self.signatures = signatures

    def signature(self, name: "Any") -> Signature:
        """The requested signature, or else the only one, or else `serving_default`."""
        if not name and len(self.signatures) == 1:
            return next(iter(self.signatures.values()))
        chosen = name or DEFAULT
        if isinstance(chosen, str) and chosen in self.signatures:
            return self.signatures[chosen]
        known = ", ".join(sorted(self.signatures))
        fix = _("use one of the signatures of the model: {names}", names=known)
        if not known:
            fix = _("add signatures when you export the model")
        raise ModelError("INVALID_INPUTS", "No signature found for signature key {}.".format(name), fix)

    def preprocess(self, instances: "Any", options: "dict[str, Any]") -> "tuple[Signature, dict[str, list[Any]]]":
        signature = self.signature(options.get("signature_name"))
        aliases = list(signature.inputs)
        if len(aliases) == 1 and not isinstance(instances, list):
            instances = [instances]
        rows = as_list(instances)
        if not rows:
            raise ModelError("INVALID_INPUTS", "'instances' is empty", "send at least one instance")
        if signature.takes_strings:
            rows = decoded(rows)
        if len(aliases) == 1:
            return signature, {aliases[0]: unwrapped(rows, aliases[0])}
        optional = {alias for alias, tensor in signature.inputs.items() if tensor.optional}
        return signature, columns(rows, aliases, optional)

    def run(self, inputs: "tuple[Signature, dict[str, list[Any]]]", options: "dict[str, Any]") -> "Any":
        signature, values = inputs
        fetches = {alias: tensor.name for alias, tensor in signature.outputs.items()}
        feed = {signature.inputs[alias].name: in_range(alias, column, signature) for alias, column in values.items()}
        try:
            return signature, self.session.run(fetches, feed)
        except Exception as error:
            for alias, column in values.items():
                fault, fix = find_fault(column, signature.inputs[alias], alias)
                if fault:
                    text = "{}{} (input {})".format(RUNNING, fault, alias)
                    raise ModelError("FAILED_TO_RUN_MODEL", text, fix) from error
            # The log has the stack trace of the graph.
            text = error_text(error).partition("\n\nOriginal stack trace")[0]
            fed = {alias: (column, signature.inputs[alias].dims) for alias, column in values.items()}
            raise ModelError("FAILED_TO_RUN_MODEL", RUNNING + text, graph_hint(error, fed)) from error

    def postprocess(self, output: "Any") -> "list[Any]":
        signature, arrays = output
        import numpy

        arrays = {alias: numpy.asarray(value) for alias, value in arrays.items()}
        arrays = {alias: value if value.shape else value[None] for alias, value in arrays.items()}
        sizes = {alias: len(value) for alias, value in arrays.items()}
        if len(set(sizes.values())) != 1:
            fix = _("give every output one row per instance: shape (None, …)")
            raise ModelError("INVALID_OUTPUTS", SIZES.format(sizes), fix)
        rows = []
        for alias, value in arrays.items():
            column = value.tolist()
            rows.append(encoded(column, alias) if signature.outputs[alias].is_string else column)
        return [dict(zip(arrays, row)) for row in zip(*rows)]


def in_range(alias: str, column: "list[Any]", signature: Signature) -> "Any":
    """The column in the type of its input. Raises ModelError for a number that the type cannot hold."""
    try:
        return converted(column, signature.inputs[alias].dtype)
    except ValueError as error:
        text = "{}{} (input {})".format(RUNNING, error_text(error), alias)
        fix = _("send a number that the type of the input can hold, or export the model with a larger type")
        raise ModelError("FAILED_TO_RUN_MODEL", text, fix) from error


def find_fault(column: "list[Any]", tensor: Tensor, alias: str) -> "tuple[str, str]":
    """Describe the first instance whose value does not fit the input, with a fix; empty texts if all fit."""
    shape_error = find_shape_error(column)
    if shape_error:
        return shape_error, _("provide values of the same shape for the input {name} in every instance", name=alias)
    wrong_type = _("use values of type {dtype} for the input {name}", dtype=tensor.dtype.name, name=alias)
    import numpy

    for index, value in enumerate(column):
        try:
            array = numpy.asarray(value, dtype=tensor.dtype.as_numpy_dtype)
        except Exception as error:  # noqa: BLE001 (NumPy raises what it likes)
            text = "instance {}: {} is not a valid {}: {}"
            return text.format(index, shortened(value), tensor.dtype.name, error_text(error)), wrong_type
        if tensor.is_string and not all(isinstance(item, (str, bytes)) for item in array.ravel().tolist()):
            return "instance {}: {} is not a string".format(index, shortened(value)), wrong_type
    return "", ""


def encoded(column: "list[Any]", alias: str) -> "list[Any]":
    """Encode string outputs: base64 if the alias ends in _bytes, UTF-8 otherwise."""
    encode = in_base64 if alias.endswith("_bytes") else in_utf8
    results = []
    for index, value in enumerate(column):
        try:
            results.append(nested(value, encode))
        except ValueError as error:
            text = "Prediction failed during encoding instances: {} (instance {}, output {})"
            fix = _("rename the output to {name}_bytes to return it as base64", name=alias)
            raise ModelError("INVALID_OUTPUTS", text.format(error_text(error), index, alias), fix) from error
    return results


def nested(value: "Any", encode: "Any") -> "Any":
    return [nested(item, encode) for item in value] if isinstance(value, list) else encode(value)


def in_base64(data: bytes) -> "dict[str, str]":
    return {"b64": base64.b64encode(data).decode("ascii")}


def in_utf8(data: bytes) -> str:
    return data.decode("utf-8")
