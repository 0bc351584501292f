"""`parameters` of a request become keys beside `instances`; any other body stays as it is, to the byte."""

from __future__ import annotations

import json

import pytest

from aip_magics.errors import PredictionError
from aip_magics.prediction.parameters import spread_parameters


@pytest.mark.parametrize(
    "body",
    [
        b'{"instances": [1.0,  2]}',
        b"no JSON parameters",
        b'["parameters"]',
        b'{"instances": ["parameters"]}',
        b"\xff parameters",
    ],
)
def test_parameters_leave_other_bodies_alone(body: bytes) -> None:
    assert spread_parameters(body) is body


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"instances": [1], "parameters": {"a": 1, "b": [2]}}, {"instances": [1], "a": 1, "b": [2]}),
        ({"instances": [1], "parameters": None, "c": 3}, {"instances": [1], "c": 3}),
        ({"instances": [1], "parameters": {"parameters": 1}}, {"instances": [1], "parameters": 1}),
        ({"parameters": {}}, {}),
    ],
)
def test_parameters_are_spread(given: object, expected: object) -> None:
    assert json.loads(spread_parameters(json.dumps(given).encode())) == expected


@pytest.mark.parametrize("parameters", [1, "x", [], {"instances": []}])
def test_parameters_that_are_none_are_invalid_inputs(parameters: object) -> None:
    with pytest.raises(PredictionError) as caught:
        spread_parameters(json.dumps({"instances": [1], "parameters": parameters}).encode())
    assert caught.value.kind == "INVALID_INPUTS"
