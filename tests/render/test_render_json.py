from __future__ import annotations

import enum
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from render_samples import MAKERS, events, finding, operation, version

from aip_magics.errors import ApiError, ChecksFailed, NotFound, OperationFailed
from aip_magics.events import Failed, StepFinished, StepStarted
from aip_magics.render import json as render


class Colour(enum.Enum):
    RED = "red"


@pytest.mark.parametrize("kind", MAKERS)
def test_json_of_every_value_is_strict(kind):
    assert json.loads(json.dumps(render.of(MAKERS[kind]("iris", 2)), allow_nan=False)) is not None


def test_json_of_every_event_is_an_object_with_its_kind_and_step():
    written = [render.event_json(event) for event in events("iris")]
    assert json.loads(json.dumps(written)) == written
    kinds = {"stepStarted", "note", "progress", "stepFinished", "stepSkipped", "heartbeat", "failed"}
    assert {event["event"] for event in written} == kinds
    assert all(event["step"] for event in written)


def test_json_of_an_event_has_its_fields():
    assert render.event_json(StepStarted("up", "Upload")) == {"event": "stepStarted", "step": "up", "title": "Upload"}
    written = render.event_json(StepFinished("version", "made", version("v1")))
    assert written["value"]["runtimeVersion"] == "2.11"
    error = render.event_json(Failed("up", NotFound("gone", code=404, status="NOT_FOUND")))["error"]
    assert (error["type"], error["message"], error["code"], error["status"]) == ("NotFound", "gone", 404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (math.nan, "NaN"),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (np.float32(0.5), 0.5),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
        (np.array([np.nan]), ["NaN"]),
        (b"\x00\xff", "AP8="),
        (Path("a/b"), "a/b"),
        (Colour.RED, "red"),
        ({1: (2, 3)}, {"1": [2, 3]}),
        ({"x"}, ["x"]),
        (object(), "<object>"),
        (int, "<type>"),
    ],
)
def test_json_of_values(value, written):
    assert render.of(value) == written


def test_json_of_errors_has_what_they_know():
    assert render.of(ChecksFailed("x", findings=[finding("y")]))["findings"][0]["subject"] == "version.y"
    assert render.of(OperationFailed("x", operation=operation("y")))["operation"]["error"]["code"] == 9
    assert render.of(ApiError("x", details=[{"a": math.nan}]))["details"] == [{"a": "NaN"}]


@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
@pytest.mark.slow
def test_json_pretty_is_the_same_json(value):
    assert json.loads(render.pretty(value)) == value


def test_json_pretty_breaks_only_what_is_long():
    rows = [[5.1, 3.5, 1.4, 0.2]] * 4
    assert render.pretty({"name": "iris", "instances": rows}).splitlines() == [
        "{",
        '  "name": "iris",',
        '  "instances": [',
        *["    [5.1, 3.5, 1.4, 0.2],"] * 3,
        "    [5.1, 3.5, 1.4, 0.2]",
        "  ]",
        "}",
    ]
