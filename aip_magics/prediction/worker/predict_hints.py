"""Fixes for the most common reasons why a loaded model does not predict."""

import re
from typing import Any

from .errors import Text, _
from .inputs import RAGGED, shape

# What scikit-learn and XGBoost say about the number of columns; the groups are what was given and what is expected.
COLUMN_COUNTS = (
    r"X has (?P<given>\d+) features?, but \w+ is expecting (?P<wanted>\d+) features?",
    r"Model n_features is (?P<wanted>\d+) and input n_features is (?P<given>\d+)",
    r"Feature shape mismatch, expected: (?P<wanted>\d+), got (?P<given>\d+)",
    r"X\.shape\[1\] = (?P<given>\d+) should be equal to (?P<wanted>\d+)",
)
COLUMN_NAMES = re.compile(r"[Ff]eature names|feature_names mismatch|columns are missing|not in index")
PYTHON_FUNCTIONS = re.compile(r"py trampoline|pyfunc_\d+|[Cc]allback pyfunc")
VARIABLES = re.compile(r"Could not find variable|[Uu]ninitialized value|is uninitialized")


def estimator_hint(error: BaseException, instances: "Any") -> "str | Text":
    """The fix for an error of `predict` of scikit-learn or XGBoost; empty if none is known."""
    text = str(error)
    unexpected = re.search(r"unexpected keyword argument '(\w+)'", text)
    if unexpected:
        return _("omit the key {name} of the request", name=unexpected.group(1))
    for pattern in COLUMN_COUNTS:
        match = re.search(pattern, text)
        if match:
            wanted = match.group("wanted")
            return _("provide {count} values per instance, in the order of the columns used for training", count=wanted)
    if COLUMN_NAMES.search(text):
        return _("provide instances with the columns used for training")
    if "Specifying the columns using strings" in text or "only supported for dataframes" in text:
        return _(
            "train with column numbers, ColumnTransformer([(name, transformer, [0, 1])]), because instances are lists,"
            " or make a pandas.DataFrame of them in a custom prediction routine"
        )
    if "Expected 2D array, got" in text or "Reshape your data" in text:
        return _("write each instance as a list of its values: [[1.0, 2.0], [3.0, 4.0]]")
    if re.search(r"could not convert string to float|arrays of bytes/strings|Unicode-\d", text):
        return _("provide numbers, or train a Pipeline that includes the encoder of the texts")
    if "contains NaN" in text or "'NoneType'" in text:
        return _("provide instances without null and NaN, or train a Pipeline with SimpleImputer")
    if "Found unknown categories" in text:
        return _("provide categories seen in training, or train with OneHotEncoder(handle_unknown='ignore')")
    if isinstance(instances, list) and (shape(instances) == RAGGED or "inhomogeneous" in text):
        return _("provide the same number of values in every instance")
    return ""


def graph_hint(error: BaseException, inputs: "dict[str, tuple[Any, Any]]") -> "str | Text":
    """The fix for an error of a TensorFlow graph; empty if none is known.

    `inputs` has for each input its values and its dimensions (None if their number is unknown).
    """
    text = str(error)
    if PYTHON_FUNCTIONS.search(text):
        return _(
            "use TensorFlow operations in place of tf.py_function and tf.numpy_function and export the model again, or"
            " call the Python code from a custom prediction routine"
        )
    if VARIABLES.search(text):
        return _("export the model with all of its variables; for a Keras model, use model.export(path)")
    for alias, (values, dims) in sorted(inputs.items()):
        if dims is None:
            continue
        if not dims:
            return _(
                "export the model with a batch dimension for the input {name}, tf.TensorSpec([None], ...): the service"
                " sends a list with one value per instance",
                name=alias,
            )
        size = shape(values)
        if size == RAGGED:
            return _("provide values of the same shape for the input {name} in every instance", name=alias)
        if dims[0] not in (None, len(values)):
            return _(
                "send exactly {count} instances per request: the input {name} has a fixed size",
                count=dims[0],
                name=alias,
            )
        if len(size) != len(dims) or any(want not in (None, have) for want, have in zip(dims, size)):  # noqa: B905
            wanted = "(" + ", ".join("..." if want is None else str(want) for want in dims[1:]) + ")"
            return _("provide one value of shape {wanted} per instance for the input {name}", wanted=wanted, name=alias)
    return ""


def output_hint(prediction: "Any", is_routine: bool) -> "str | Text":
    """The fix for a prediction that JSON cannot represent; empty if none is known."""
    values = [prediction]
    while values:
        value = values.pop()
        if isinstance(value, (bytes, bytearray)):
            if is_routine:
                return _("decode the bytes: return value.decode(), or base64.b64encode(value).decode() for binary data")
            return _(
                "decode the labels and save the model again: model.classes_ = numpy.char.decode(list(model.classes_));"
                " in a Pipeline, those of its last step, model[-1].classes_"
            )
        if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
            return _("return None instead of NaN and Infinity") if is_routine else ""
        # The service's library would not convert NumPy's numbers either.
        if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
            return _("return one NumPy array, or call .tolist() on the items of the list")
        if isinstance(value, dict):
            values.extend(value.values())
        elif isinstance(value, (list, tuple)):
            values.extend(value)
        elif not isinstance(value, (str, int, float, type(None))):
            if is_routine:
                return _("return only lists, objects, texts, numbers, booleans and None")
            return _("train with labels that are texts or numbers")
    return ""


def output_type_hint(output: "Any") -> Text:
    """The fix for a result of `predict` that is neither a list nor an array."""
    if isinstance(output, tuple):
        return _("omit the request keys that make predict return several arrays, such as return_std")
    if hasattr(output, "toarray"):
        return _("train with dense labels: model.fit(X, y.toarray())")
    return _("return a list or a NumPy array from predict")
