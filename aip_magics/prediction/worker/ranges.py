"""Convert the values of an input to its type; refuse numbers that the type cannot hold, as tf.constant does.

NumPy's conversion within a session wraps integers around, cuts off fractions, and makes large floats infinite.
"""

# ruff: noqa: UP032

from typing import Any

from .errors import shortened

EXACT = 2.0**53  # below it a float64 holds every integer


def converted(column: "list[Any]", dtype: "Any") -> "Any":
    """The column as an array of a TensorFlow dtype, or as it is if that is left to the session.

    ValueError for a number out of range; the text names the instance.
    """
    if dtype.is_quantized or not (dtype.is_integer or dtype.is_floating):
        return column
    import numpy

    try:
        array = numpy.asarray(column)
    except Exception:  # noqa: BLE001 (lists of different lengths: the session's error says so)
        return column
    numpy_type = dtype.as_numpy_dtype
    if array.dtype.kind in "iuf":
        with numpy.errstate(all="ignore"):
            if dtype.is_integer and fits_integer(array, dtype):
                return array.astype(numpy_type)
            if dtype.is_floating:
                cast = array.astype(numpy_type)
                if numpy.isfinite(cast.astype(numpy.float64)).all():
                    return cast
    for index, instance in enumerate(column):
        for value in leaves(instance):
            fault = find_number_fault(value, dtype)
            if fault:
                text = "instance {}: {} is not a valid {}: {}"
                raise ValueError(text.format(index, shortened(value), dtype.name, fault))
    if not dtype.is_integer:
        return column
    try:
        return numpy.asarray(column, numpy_type)  # one by one; the session makes floats of 0 and 2 ** 64 - 1 first
    except Exception:  # noqa: BLE001 (null, an object: the session's error says so)
        return column


def fits_integer(array: "Any", dtype: "Any") -> bool:
    """Whether all numbers of the array are certainly integers in the range of the dtype."""
    if not array.size:
        return True
    low, high = array.min(), array.max()
    # Larger ones may be integers that NumPy has rounded, beside a float in the same list.
    if array.dtype.kind == "f" and (not -EXACT < low <= high < EXACT or (array % 1).any()):
        return False
    return bool(dtype.min <= int(low) and int(high) <= dtype.max)


def leaves(value: "Any") -> "Any":
    if isinstance(value, list):
        for item in value:
            yield from leaves(item)
    else:
        yield value


def find_number_fault(value: "Any", dtype: "Any") -> str:
    """Describe why the dtype cannot hold a number; empty if it can, and for what is no number."""
    if isinstance(value, str):
        value = number_in(value)  # NumPy converts texts, too
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return ""
    if dtype.is_integer:
        if isinstance(value, float) and not value.is_integer():
            return "must be a whole number"
        return "" if dtype.min <= value <= dtype.max else describe_range(dtype)
    import numpy

    try:
        wide = numpy.asarray(float(value), numpy.float64)
    except OverflowError:
        return describe_range(dtype)
    with numpy.errstate(all="ignore"):
        cast = wide.astype(dtype.as_numpy_dtype).astype(numpy.float64)
    return describe_range(dtype) if numpy.isfinite(wide) and not numpy.isfinite(cast) else ""


def number_in(text: str) -> "Any":
    for parse in (int, float):
        try:
            return parse(text)
        except ValueError:
            pass
    return None


def describe_range(dtype: "Any") -> str:
    low, high = (dtype.min, dtype.max) if dtype.is_integer else (float(dtype.min), float(dtype.max))
    return "must be between {} and {}".format(low, high)
