"""Values that JSON cannot represent: each fix is followed, and what it sends is what was meant."""

from __future__ import annotations

import base64
import datetime
import decimal
import json
from typing import Any

import numpy
import pandas
import pytest

from aip_magics.errors import InstancesError
from aip_magics.prediction.instances import request_body

DAYS = pandas.to_datetime(["2020-01-01", "2020-01-02"])


def refusal(instances: object) -> InstancesError:
    with pytest.raises(InstancesError) as caught:
        request_body(instances)
    assert caught.value.where.startswith("instances")
    return caught.value


def follow(fix: str, **names: Any) -> Any:
    """Run the code after the colon of a fix."""
    return eval(fix.partition(": ")[2], {"numpy": numpy, **names})


def sent(instances: object) -> Any:
    return json.loads(request_body(instances))["instances"]


@pytest.mark.parametrize(
    ("frame", "message", "rows"),
    [
        ({"a": [1, 2], "x": [0.5, numpy.nan]}, "JSON does not support NaN", [[1, 0.5], [2, None]]),
        ({"a": pandas.array([2**60, None], dtype="Int64")}, "NAType is not a JSON type", [[2**60], [None]]),
        ({"s": ["a", None], "b": [True, False]}, "JSON does not support NaN", [["a", True], [None, False]]),
        ({"a": [1, 2], "day": DAYS}, "Timestamp is not", [[1, "2020-01-01"], [2, "2020-01-02"]]),
        ({"a": [1], "date": [datetime.date(2020, 1, 1)]}, "date is not", [[1, "2020-01-01"]]),
        ({"a": [1], "long": pandas.to_timedelta(["1h"])}, "Timedelta is not", [[1, "0 days 01:00:00"]]),
        ({"year": pandas.period_range("2020", "2021", freq="Y")}, "Period is not", [["2020"], ["2021"]]),
        ({"n": ["x"], "price": [decimal.Decimal("1.5")]}, "Decimal is not", [["x", 1.5]]),
        ({"n": numpy.array([1.5], dtype=numpy.longdouble)}, "longdouble is not", [[1.5]]),
        ({"n": [1.0, numpy.inf, -numpy.inf]}, "JSON does not support NaN and Infinity", [[1.0], [None], [None]]),
    ],
)
def test_json_values_of_frames(frame: dict[str, Any], message: str, rows: list[Any]) -> None:
    df = pandas.DataFrame(frame)
    error = refusal(df)
    assert message in error.message
    assert sent(follow(error.fix, df=df)) == rows


def test_json_values_of_a_frame_with_several_kinds() -> None:
    df = pandas.DataFrame({"x": [numpy.inf, 0.5], "y": [1.5, numpy.nan], "day": DAYS, "n": [1, 2]})
    for _unused in range(3):
        df = follow(refusal(df).fix, df=df)
    assert sent(df) == [[None, 1.5, "2020-01-01", 1], [0.5, None, "2020-01-02", 2]]


@pytest.mark.parametrize(
    ("name", "value", "rows"),
    [
        ("a", numpy.array([[1.0, numpy.nan]]), [[1.0, None]]),
        ("a", numpy.array([[1.5]], dtype=numpy.longdouble), [[1.5]]),
        ("a", numpy.array(["2020-01-01"], dtype="M8[D]"), ["2020-01-01"]),
        ("a", numpy.array(["2020-01-01"], dtype="M8[ns]"), ["2020-01-01T00:00:00.000000000"]),
        ("s", pandas.Series([1.0, numpy.nan]), [1.0, None]),
        ("s", pandas.Series(DAYS), ["2020-01-01", "2020-01-02"]),
    ],
)
def test_json_values_of_arrays_and_series(name: str, value: Any, rows: list[Any]) -> None:
    assert sent(follow(refusal(value).fix, **{name: value})) == rows


@pytest.mark.parametrize(
    ("value", "json_value"),
    [
        (numpy.longdouble("1.5"), 1.5),
        (decimal.Decimal("0.25"), 0.25),
        (datetime.datetime(2020, 1, 1, 12), "2020-01-01 12:00:00"),
        (numpy.datetime64("2020-01-01", "ns"), "2020-01-01T00:00:00.000000000"),
        ({1}, [1]),
    ],
)
def test_json_values_in_lists(value: Any, json_value: Any) -> None:
    error = refusal([[1, 2], [3, value]])
    assert error.where == "instances[1]"
    assert sent([follow(error.fix, value=value)]) == [json_value]


def test_json_values_without_code_to_follow() -> None:
    assert refusal([[1, float("nan")]]).fix == "use null (None in Python) for a missing value"
    assert sent([[1, None]]) == [[1, None]]
    assert refusal([float("-inf")]).fix == "use a number, or None for null, in place of Infinity"
    assert "numbers, booleans" in refusal([1j]).fix
    assert refusal(numpy.array([1, numpy.nan], dtype=object)).fix == "use null (None in Python) for a missing value"


def test_json_values_of_bytes() -> None:
    fix = refusal([[b"\xff"]]).fix
    code = fix.removeprefix("use ").partition(" for bytes")[0]
    assert sent([eval(code, {"base64": base64, "value": b"\xff"})]) == [{"b64": "/w=="}]
    assert "value.decode() for text" in fix
    assert refusal(pandas.DataFrame({"x": [b"a"]})).fix == fix
