"""The body of a cell: YAML as the API wants it, `$name` for values of the notebook."""

from __future__ import annotations

from typing import Any

import numpy
import pandas
import pytest

from aip_magics.commands.common.cell_body import read_mapping, read_yaml, substitute
from aip_magics.commands.common.instances import from_value
from aip_magics.errors import CellError

FRAME = pandas.DataFrame({"a": [1, 2], "b": [3.5, 4.5]})


def read(text: str, **names: Any) -> Any:
    return substitute(read_yaml(text), names)


def test_cell_body_keeps_the_type_of_a_variable_that_is_a_whole_value() -> None:
    model = object()
    found = read(
        "deploymentUri: $model\nlabels: {team: $team}\nautoScaling:\n  minNodes: $n\n", model=model, team="x", n=2
    )
    assert found == {"deploymentUri": model, "labels": {"team": "x"}, "autoScaling": {"minNodes": 2}}


def test_cell_body_turns_numpy_numbers_into_python_numbers() -> None:
    found = read("[$a, $b, $c]", a=numpy.int64(2), b=numpy.float32(0.5), c=numpy.bool_(True))
    assert [type(item) for item in found] == [int, float, bool]


def test_cell_body_makes_no_number_of_a_time() -> None:
    time = numpy.datetime64("2020-01-01", "ns")
    assert read("[$t]", t=time) == [time]  # the encoder refuses it, and says how to convert it


@pytest.mark.parametrize("rows", [FRAME, FRAME.to_numpy(), FRAME.to_numpy().tolist()])
def test_cell_body_takes_frames_arrays_and_lists_as_instances(rows: Any) -> None:
    for body in ("$rows", "instances: $rows"):
        assert from_value(read(body, rows=rows), "cell") == {"instances": [[1.0, 3.5], [2.0, 4.5]]}


def test_cell_body_substitutes_whole_values_only_and_unescapes_two_signs() -> None:
    assert read("a: $$name\nb: x$name\nc: $1\nd: '{name}'", name=1) == {
        "a": "$name", "b": "x$name", "c": "$1", "d": "{name}",
    }  # fmt: skip


def test_cell_body_does_not_substitute_inside_a_value() -> None:
    assert read("$first", first="$second", second=2) == "$second"


@pytest.mark.parametrize(
    ("text", "message", "where"),
    [
        ("a: [$modle]", "variable 'modle' is not defined", "cell.a[0]"),
        ("a: [", "invalid YAML", "cell, line 1"),
        ("a:\n\tb: 1", "invalid YAML", "cell, line 2"),
    ],
)
def test_cell_body_tells_a_mistake_with_its_place(text: str, message: str, where: str) -> None:
    with pytest.raises(CellError) as caught:
        read(text, model=1, _modle=2)
    assert caught.value.message.startswith(message)
    assert caught.value.where.startswith(where)
    assert caught.value.fix or "[" in text


def test_cell_body_refuses_a_list_for_fields() -> None:
    with pytest.raises(CellError, match="the body must consist of `field: value` lines"):
        read_mapping("- 1")
    assert read_mapping("") == {}
