from __future__ import annotations

import datetime
import json
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aip_magics.errors import InstancesError
from aip_magics.prediction.instances import (
    encode,
    from_value,
    parse_json_instances,
    parse_json_request,
    parse_text_instances,
    request_body,
)

BOM = "\ufeff".encode()
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.lists(values, min_size=1, max_size=5), st.booleans(), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_instances_of_json_lines_are_those_that_were_written(items: list[Any], bom: bool, end: str, last: bool) -> None:
    text = end.join(json.dumps(item, ensure_ascii=False) for item in items) + (end if last else "")
    data = (BOM if bom else b"") + text.encode("utf-8", "surrogatepass")
    assert parse_json_instances(data) == items
    assert parse_json_instances(text) == items


def test_instances_with_a_bom_on_every_line_and_u2028_within_one() -> None:
    assert parse_json_instances(BOM + b"1\n" + BOM + '"a\u2028b"\n'.encode()) == [1, "a\u2028b"]


def test_instances_of_text_lines_stay_texts() -> None:
    assert parse_text_instances(BOM + "1,2,3\r\n 한글 \n".encode()) == ["1,2,3", " 한글 "]


def test_instances_of_a_request_keep_its_other_keys() -> None:
    request = {"instances": [1], "signature_name": "s", "params": {"a": None}}
    assert parse_json_request(BOM + json.dumps(request).encode()) == request


@pytest.mark.parametrize(
    ("parse", "data", "message", "where"),
    [
        (parse_json_instances, b"", "no instances found", "--json-instances"),
        (parse_json_instances, b"1\n\n2\n", "the line is empty", "--json-instances, line 2"),
        (parse_json_instances, b"1\n\n", "the line is empty", "--json-instances, line 2"),
        (parse_json_instances, b"[1]\n[1,]\n", "invalid JSON: ", "--json-instances, line 2"),
        (parse_json_instances, b"[1]\n5.1, 3.5\n", "invalid JSON: Extra data at column 4", "--json-instances, line 2"),
        (parse_json_instances, b"[NaN]\n", "invalid JSON: JSON does not support NaN", "--json-instances, line 1"),
        (parse_json_instances, b"1\n2\n\"\xe9\"\n", "byte 0xe9 is not valid UTF-8", "--json-instances, line 3"),
        (parse_json_instances, b"[" * 100_000, "nested too deeply", "--json-instances, line 1"),
        (parse_text_instances, b"a\n\nb", "the line is empty", "--text-instances, line 2"),
        (parse_text_instances, b"", "no instances found", "--text-instances"),
        (parse_text_instances, b"a\n\xff", "byte 0xff is not valid UTF-8", "--text-instances, line 2"),
        (parse_json_request, b'{"instances":\n [1,]}', "line 2, column", "--json-request"),
        (parse_json_request, b"[1]", "expected a JSON object, got a list", "--json-request"),
        (parse_json_request, b"null", "expected a JSON object, got null", "--json-request"),
        (parse_json_request, b"7", "expected a JSON object, got the number 7", "--json-request"),
        (parse_json_request, b'{"instance": []}', '"instances" is required', "--json-request"),
        (parse_json_request, b'{"instances": {}}', '"instances" must be a list, got an object', "--json-request"),
        (parse_json_request, b'{"instances": []}', '"instances" is empty', "--json-request"),
    ],
)  # fmt: skip
def test_instances_of_bad_text_tell_the_place(parse: Any, data: bytes, message: str, where: str) -> None:
    with pytest.raises(InstancesError) as caught:
        parse(data)
    assert message in caught.value.message
    assert caught.value.where == where
    assert caught.value.fix


class DataFrame:
    """The attributes of a pandas DataFrame that the code under test reads."""

    columns = ("a", "b")
    values = numpy.array([[1, 2.5], [3, 4.5]])


def test_instances_of_python_values() -> None:
    rows = [[1.0, 2.5], [3.0, 4.5]]
    assert from_value(rows) is rows
    assert from_value(tuple(rows)) == rows
    assert from_value(DataFrame.values) == rows
    assert from_value(DataFrame()) == rows
    assert json.loads(request_body([numpy.float32(0.5), numpy.array([1, 2]), (3,)])) == {
        "instances": [0.5, [1, 2], [3]]
    }
    assert json.loads(request_body(DataFrame(), "s", {"params": 1})) == {
        "instances": rows,
        "signature_name": "s",
        "params": 1,
    }


class Sparse:
    def toarray(self) -> None: ...


class Table:
    columns = ("a",)

    def to_pandas(self) -> None: ...


@pytest.mark.parametrize(
    ("value", "message", "fix"),
    [
        ([], "no instances found", "at least one instance"),
        (None, "got null", "a list"),
        ("text", "got the string 'text'", "a list"),
        (b"x", "got bytes", "a list"),
        ({"instances": [1]}, "got an object", 'pass the value of the key "instances"'),
        ({"a": 1}, "got an object", "a list"),
        (numpy.float64(3), "got the number 3.0", "a list"),
        (Sparse(), "got Sparse", "pass .toarray()"),
        (Table(), "got Table", "pass .to_pandas()"),
        ((x for x in [1]), "got generator", "a list"),
    ],
)
def test_instances_refuse_other_python_values(value: object, message: str, fix: str) -> None:
    with pytest.raises(InstancesError) as caught:
        from_value(value)
    assert message in caught.value.message
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    ("instances", "message"),
    [
        ([[1.0], [float("nan")]], "could not encode instances[1] as JSON: JSON does not support NaN and Infinity"),
        (numpy.array([1, numpy.inf]), "could not encode instances[1] as JSON: JSON does not support NaN and Infinity"),
        ([1, datetime.date(2020, 1, 1)], "could not encode instances[1] as JSON: date is not a JSON type"),
        ([b"x"], "could not encode instances[0] as JSON: bytes is not a JSON type"),
    ],
)
def test_instances_name_what_json_cannot_hold(instances: object, message: str) -> None:
    with pytest.raises(InstancesError) as caught:
        request_body(instances)
    assert message in caught.value.message


def test_instances_with_further_keys() -> None:
    with pytest.raises(InstancesError, match="given twice"):
        request_body([1], extra={"instances": [2]})
    with pytest.raises(InstancesError, match="could not encode params as JSON"):
        encode({"instances": [1], "params": {1, 2}})


@pytest.mark.parametrize(
    ("parse", "data", "where"),
    [
        (parse_json_instances, '{"a": 1}\n{"a": 1, "b": 2, "a": 3}', "--json-instances, line 2"),
        (parse_json_request, '{"instances": [1], "instances": [2]}', "--json-request"),
        (parse_json_request, '{"instances": [{"x": {"a": 1, "a": 1}}]}', "--json-request"),
    ],
)
def test_instances_refuse_a_key_that_occurs_twice(parse: Any, data: str, where: str) -> None:
    with pytest.raises(InstancesError, match="occurs twice") as caught:
        parse(data)
    assert caught.value.where == where
