"""Values that JSON cannot represent: what they are, and how to convert them."""

from __future__ import annotations

import datetime
import math
import numbers
from collections.abc import Iterator, Mapping
from typing import Any

from aip_magics.i18n import gettext as _
from aip_magics.prediction.frames import is_frame
from aip_magics.value_kind import value_kind

_MISSING = frozenset({"NAType", "NaTType"})  # of pandas
_TIMES = frozenset({"Period", "Interval"})  # of pandas
_MAX_DEPTH = 100


def to_builtin(value: Any) -> Any:
    """Convert a NumPy scalar or array to Python's values. TypeError for what is no value of JSON."""
    if is_time_array(value) or not hasattr(value, "tolist"):
        raise TypeError(_("{kind} is not a JSON type", kind=value_kind(value)))
    converted = value.tolist()
    if type(converted) is type(value):  # numpy.longdouble: no type of Python has its precision
        raise TypeError(_("{kind} is not a JSON type", kind=value_kind(value)))
    return converted


def is_time_array(value: object) -> bool:
    """Whether this is an array or scalar of NumPy's times: `tolist` would make numbers of some."""
    return getattr(getattr(value, "dtype", None), "kind", "") in ("m", "M") and type(value).__module__ == "numpy"


def encoding_fix(value: object, source: object = None) -> str:
    """Say how to convert the first part of `value` that JSON cannot represent; empty if that is not known.

    Args:
        value: What could not be encoded.
        source: The DataFrame, Series, array or list that the user passed; the fix is in its terms.
    """
    wrong = next(_unrepresentable(value), None)
    if wrong is None:
        return ""
    if _is_missing(wrong):
        return _missing_fix(source)
    if isinstance(wrong, float):
        if is_frame(source):
            code = "df.replace([float('inf'), float('-inf')], None)"
            return _("replace infinite values by None, which becomes null: {code}", code=code)
        return _("use a number, or None for null, in place of Infinity")
    if isinstance(wrong, (bytes, bytearray)):
        code = '{"b64": base64.b64encode(value).decode()}'
        return _("use {code} for bytes, or value.decode() for text", code=code)
    is_time = isinstance(wrong, (datetime.date, datetime.time, datetime.timedelta)) or is_time_array(wrong)
    if is_time or type(wrong).__name__ in _TIMES:
        return _("convert to text: {code}", code=_conversion(source, wrong, "str"))
    if isinstance(wrong, numbers.Number) and not isinstance(wrong, complex):
        return _("convert to numbers: {code}", code=_conversion(source, wrong, "float"))
    if isinstance(wrong, (set, frozenset)):
        return _("convert to a list: {code}", code="list(value)")
    return _("use strings, numbers, booleans, None, lists and dictionaries")


def _unrepresentable(value: Any, depth: int = 0) -> Iterator[Any]:
    if value is None or isinstance(value, (str, bool, int)) or depth > _MAX_DEPTH:
        return
    if isinstance(value, float):
        yield from [] if math.isfinite(value) else [float(value)]
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _unrepresentable(item, depth + 1)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _unrepresentable(item, depth + 1)
    else:
        try:
            value = to_builtin(value)
        except TypeError:
            yield value
        else:
            yield from _unrepresentable(value, depth + 1)


def _is_missing(value: object) -> bool:
    return type(value).__name__ in _MISSING or (isinstance(value, float) and math.isnan(value))


def _missing_fix(source: object) -> str:
    if is_frame(source):
        code = "df.astype(object).where(df.notna(), None)"
    elif hasattr(source, "notna"):
        code = "s.astype(object).where(s.notna(), None)"
    elif getattr(getattr(source, "dtype", None), "kind", "") == "f":
        code = "numpy.where(numpy.isnan(a), None, a)"
    else:
        return _("use null (None in Python) for a missing value")
    return _("replace missing values by None, which becomes null: {code}", code=code)


def _conversion(source: Any, wrong: object, to: str) -> str:
    """The code that converts what the user passed."""
    if is_frame(source):
        columns = [name for name, column in source.items() if type(wrong) in map(type, column.tolist())]
        return f"df.astype({{{', '.join(f'{name!r}: {to}' for name in columns)}}})"
    if hasattr(source, "notna"):
        return f"s.astype({to})"
    return f"a.astype({to})" if hasattr(source, "tolist") else f"{to}(value)"
