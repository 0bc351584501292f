"""DataFrames and structured arrays as instances: rows of values, in the model's order of columns.

pandas and NumPy are recognized by their attributes, so that neither library is imported.
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Sequence
from typing import Any

from aip_magics.artifacts.facts import ModelInputs, Signature, Tensor
from aip_magics.errors import InstancesError
from aip_magics.i18n import gettext as _

_MAX_NAMES = 10  # in an error; a frame may have thousands of columns


def is_frame(value: object) -> bool:
    return hasattr(value, "columns") and hasattr(value, "values")


def column_names(value: object) -> tuple[str, ...]:
    """The names of the columns of a DataFrame or of the fields of a structured array.

    Empty for other values, and for columns that are numbered or have several levels.
    """
    names: Any = value.columns if is_frame(value) else getattr(getattr(value, "dtype", None), "names", None)  # type: ignore[attr-defined]
    found = list(names) if names is not None else []
    return tuple(map(str, found)) if all(isinstance(name, str) for name in found) else ()


def to_rows(value: Any) -> list[Any]:
    """The rows of a DataFrame as lists, each column with its own type.

    The array of all values has one type: an integer beside a column of floats would become a float.
    """
    try:
        columns = [column.tolist() for _name, column in value.items()]
    except (AttributeError, TypeError):
        rows: list[Any] = value.values.tolist()
        return rows
    return list(map(list, zip(*columns, strict=True)))


def arrange(rows: list[Any], names: Sequence[str], inputs: ModelInputs, signature_name: object = None) -> list[Any]:
    """Arrange rows with column names as the model expects them.

    For a model that was fitted with names the values are put into the order of the fit. For a signature with several
    inputs each row becomes an object. Otherwise the rows are returned as they are.

    Args:
        rows: One list per instance, with a value for each column.
        names: The names of the columns.
        inputs: The names of the model's inputs.
        signature_name: The signature of a SavedModel, as in the request.

    Raises:
        InstancesError: Columns are missing, unexpected or ambiguous; the error names them.
    """
    signature = inputs.signature(signature_name if isinstance(signature_name, str) else None)
    if signature is not None:
        return _to_objects(rows, names, signature)
    if not inputs.features or tuple(names) == inputs.features:
        return rows
    _refuse_mismatch(names, inputs.features)
    return list(map(list, map(operator.itemgetter(*map(list(names).index, inputs.features)), rows)))


def _to_objects(rows: list[Any], names: Sequence[str], signature: Signature) -> list[Any]:
    tensors = {tensor.name: tensor for tensor in signature.inputs}
    if len(tensors) == 1:
        tensor = signature.inputs[0]
        # The columns are the elements of the one input, unless its only column has the input's name and shape.
        whole = list(names) == [tensor.name] and tensor.shape is not None and rows
        if whole and len(tensor.shape or ()) == 1 + _rank(rows[0][0]):
            return [{tensor.name: row[0]} for row in rows]
        return rows
    if set(names) - set(tensors) or len(set(names)) < len(names):
        _refuse_mismatch(names, tuple(tensors))
    # An input that is missing may have a default value in the graph: if it has none, the model says so.
    columns = [tensors[name] for name in names]
    return [{one.name: _to_shape(value, one) for one, value in zip(columns, row, strict=True)} for row in rows]


def _to_shape(value: Any, tensor: Tensor) -> Any:
    """A single value for an input of one value per instance, as Keras declares it: shape (None, 1)."""
    single = tensor.shape is not None and len(tensor.shape) == 2 and tensor.shape[1] in (1, None)
    return [value] if single and _rank(value) == 0 else value


def _rank(value: Any) -> int:
    rank = 0
    while isinstance(value, (list, tuple)) and value:
        value, rank = value[0], rank + 1
    return rank + len(getattr(value, "shape", ()))


def _refuse_mismatch(names: Sequence[str], expected: Sequence[str]) -> None:
    """Raise InstancesError unless `names` has each of the expected names exactly once, in any order."""
    missing = list((Counter(expected) - Counter(names)).elements())
    unexpected = list((Counter(names) - Counter(expected)).elements())
    twice = [name for name, count in Counter(names).items() if count > 1]
    if missing and unexpected:
        text = _(
            "the DataFrame has unexpected columns: {unexpected}; missing columns: {missing}",
            unexpected=_listed(unexpected),
            missing=_listed(missing),
        )
        fix = _("rename the columns as in the model: {names}", names=_listed(expected))
        if len(missing) != len(unexpected):
            fix = _("use the columns of the model: {names}", names=_listed(expected))
    elif missing:
        text = _("the DataFrame has missing columns: {missing}", missing=_listed(missing))
        fix = _("add the columns to the DataFrame: {missing}", missing=_listed(missing))
    elif twice:
        text = _("the DataFrame has several columns of the same name: {names}", names=_listed(twice))
        fix = _("remove or rename the columns; the model has {names}", names=_listed(expected))
    elif unexpected:
        text = _("the DataFrame has unexpected columns: {unexpected}", unexpected=_listed(unexpected))
        if len(expected) <= _MAX_NAMES:
            fix = _("select the columns of the model: {code}", code=f"df[{list(expected)!r}]")
        elif len(unexpected) <= _MAX_NAMES:
            fix = _("remove the other columns: {code}", code=f"df.drop(columns={unexpected!r})")
        else:
            fix = _("use the columns of the model: {names}", names=_listed(expected))
    else:
        return
    raise InstancesError(text, where="instances", fix=fix)


def _listed(names: Sequence[str]) -> str:
    return ", ".join([*names[:_MAX_NAMES], *(["…"] if len(names) > _MAX_NAMES else [])])
