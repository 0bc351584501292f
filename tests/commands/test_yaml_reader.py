"""What is written in a cell is what arrives: the core schema of YAML 1.2, of which JSON is a part."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aip_magics.commands.common.cell_body import read_yaml
from aip_magics.commands.common.yaml_reader import load
from aip_magics.commands.common.yaml_writer import dump
from aip_magics.errors import CellError, FieldError
from aip_magics.spec import Version

# Strings that some reader of YAML takes for something else, and characters that YAML gives a meaning.
WORDS = "NO on y null ~ true 1e3 012 0x1F 0o17 0b11 1_000 12:30 1:30:00 2024-01-01 .nan NaN Infinity << = --- ... 1e-05"
TEXTS = (
    st.text(max_size=12)
    | st.sampled_from(WORDS.split())
    | st.text(alphabet="019eE.+-_:xobnNyY~ \t\n#'\"\\%@!&*[]{},|>?=<\x85\u2028\x00\x7f\ufeff", max_size=12)
)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("on", "on"),
        ("y", "y"),
        ("12:30", "12:30"),
        ("1:30:00", "1:30:00"),
        ("2024-01-01", "2024-01-01"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("=", "="),
        ("1e3", 1000.0),
        ("1e-05", 0.00001),
        ("1E5", 100000.0),
        (".5", 0.5),
        ("-0", 0),
        ("0x1F", 31),
        ("0o17", 15),
        ("TRUE", True),
        ("~", None),
        ("!!str 012", "012"),
        ("'012'", "012"),
        ('"\\ud83d\\ude00"', "😀"),
        ("{no: 1, 1: 2, 1.0: 3, null: 4}", {"no": 1, "1": 2, "1.0": 3, "null": 4}),
    ],
)
def test_yaml_scalar_has_the_type_of_the_core_schema(text: str, value: Any) -> None:
    found = read_yaml(f"x: {text}")["x"]
    assert found == value
    assert isinstance(found, type(value))


@pytest.mark.parametrize("text", [".nan", "NaN", "Infinity", "-Infinity", "-.inf"])
def test_yaml_numbers_that_json_does_not_have_are_numbers(text: str) -> None:
    """As Python's json writes them: the request says that JSON does not support them, instead of sending a string."""
    assert not math.isfinite(read_yaml(f"[{text}]")[0])
    assert not math.isfinite(read_yaml(f"x: [{text}]")["x"][0])


@pytest.mark.parametrize(
    ("text", "message", "where", "fix"),
    [
        ("a:\n  zip: 01234", "01234 has a leading zero", "cell, line 2, column 8", '"01234"'),
        ("- 08.5", "08.5 has a leading zero", "cell, line 1, column 3", '"08.5"'),
        ("name: v1\nname: v2", "key 'name' occurs twice", "cell, line 2, column 1", "omit one of the two"),
        ('{"a": 1, "a": 2}', "key 'a' occurs twice", "cell, line 1, column 10", "omit one of the two"),
        ("x: !!binary aGk=", "tag !!binary cannot be used here", "cell, line 1, column 4", "omit !!binary"),
        ("<<: 1", "expected a mapping after `<<`", "cell, line 1, column 5", "<<: *NAME"),
        ("x: a\u2028b", "YAML does not allow the character U+2028", "cell", '"\\u2028"'),
        ("x: a\x7f", "YAML does not allow the character U+007F", "cell", '"\\u007f"'),
    ],
)
def test_yaml_with_two_readings_is_refused(text: str, message: str, where: str, fix: str) -> None:
    with pytest.raises(CellError) as caught:
        read_yaml(text)
    assert (caught.value.message, caught.value.where) == (message, where)
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    ("text", "fixed", "value"),
    [
        ("x: 01234", 'x: "01234"', "01234"),
        ("x: 01234", "x: 1234", 1234),
        ("x: a\x7f", 'x: "a\\u007f"', "a\x7f"),
        ("x: !!binary aGk=", "x: aGk=", "aGk="),
    ],
)
def test_yaml_that_was_refused_is_read_after_its_fix(text: str, fixed: str, value: Any) -> None:
    with pytest.raises(CellError):
        read_yaml(text)
    assert read_yaml(fixed) == {"x": value}


@pytest.mark.parametrize(
    ("text", "description"),
    [("no", "no"), ("12:30", "12:30"), ("yes", "yes"), ("2.10", "2.10"), ("0x1F", "0x1F"), ("1e3", "1e3"), ("7", "7")],
)
def test_yaml_text_is_what_a_string_field_gets(text: str, description: str) -> None:
    assert Version.from_json(read_yaml(f"description: {text}")).description == description


def test_yaml_boolean_for_a_string_field_is_refused_and_its_fix_works() -> None:
    with pytest.raises(FieldError) as caught:
        Version.from_json(read_yaml("description: True"))
    assert caught.value.fix == "put the value in quotes"
    assert Version.from_json(read_yaml('description: "True"')).description == "True"


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_yaml_reads_json_as_json(value: Any, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert load(text) == json.loads(text)
    try:
        found = read_yaml("instances: " + text.replace("\n", "\n  "))
    except CellError as error:  # some characters are allowed in JSON only
        assert "YAML does not allow the character U+" in str(error)  # noqa: PT017
    else:
        assert found == {"instances": json.loads(text)}


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
@pytest.mark.slow
def test_yaml_that_was_written_is_read_back(value: Any) -> None:
    assert load(dump(value, 110)) == value


def test_yaml_is_written_in_the_order_of_its_keys_and_without_aliases() -> None:
    shared = [1, 2]
    assert dump({"b": shared, "a": shared, "no": "NO"}, 110) == "b:\n- 1\n- 2\na:\n- 1\n- 2\nno: NO\n"
