"""Requests batched into one and their answers split again."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aip_magics.prediction.batching import MAX_INSTANCES, merge_parts, number_kind, parse_part, split_answer


def body(*instances: object, **rest: object) -> bytes:
    return json.dumps({"instances": list(instances), **rest}).encode()


@pytest.mark.parametrize(
    "alone",
    [
        b"",
        b"{",
        b"\xff",
        b"[[1]]",
        b"{}",
        b'{"instances": 3}',
        b'{"instances": []}',
        body(*range(MAX_INSTANCES + 1)),
        b"[" * 100_000,
    ],
)
def test_batching_leaves_some_requests_alone(alone: bytes) -> None:
    assert parse_part(alone) is None


def test_batching_takes_only_what_is_equal_but_for_the_instances() -> None:
    one, same, other = (
        parse_part(body([1], a=1, b=2)),
        parse_part(b'{"b":2,"instances":[[2]],"a":1}'),
        parse_part(body([3], a=2)),
    )
    assert one
    assert same
    assert other
    assert one.rest == same.rest != other.rest
    assert json.loads(merge_parts([one, same])) == {"instances": [[1], [2]], "a": 1, "b": 2}


def test_batching_verifies_the_number_of_predictions() -> None:
    part = parse_part(body([1], [2]))
    assert part
    with pytest.raises(ValueError, match="number of predictions"):
        split_answer(b'{"predictions": [1]}', [part])


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.lists(values, min_size=1, max_size=4), min_size=1, max_size=5))
@pytest.mark.slow
def test_batching_gives_each_the_bytes_it_would_have_got_alone(requests: list[list[object]]) -> None:
    parts = [parse_part(body(*instances)) for instances in requests]
    known = [part for part in parts if part]
    assert len(known) == len(requests)
    # A model that gives its instances back, and writes as the worker does.
    echoed = json.dumps({"predictions": json.loads(merge_parts(known))["instances"]}, allow_nan=False).encode("ascii")
    alone = [json.dumps({"predictions": instances}, allow_nan=False).encode("ascii") for instances in requests]
    assert split_answer(echoed, known) == alone


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ([1, 2], [3, 4], True),
        ([1.5, 2], [3, 4.5], True),
        ([1, 2], [3.5, 4.5], False),  # whole numbers beside others are floats
        ([1, 2], ["a", "b"], False),  # numbers beside texts are texts
        ([1, 2], [3, 4, 5], False),
        (["a"], ["b"], True),
        ({"x": 1}, {"x": 2}, True),
    ],
)
def test_batching_needs_an_array_that_stays_the_same(one: object, other: object, together: bool) -> None:
    parts = [parse_part(body(each)) for each in (one, other)]
    assert parts[0]
    assert parts[1]
    assert (parts[0].kind == parts[1].kind) == together


@pytest.mark.parametrize(
    ("instances", "kind"),
    [
        ([[1, 2]], "int 2"),
        ([[1, 2.5], [3, 4]], "float 2"),
        ([[1, 2], [3]], ""),
        ([[1, "a"]], ""),
        ([[True, 1.0]], ""),
        ([[None, 1.0]], ""),
        ([[2**60, 1]], ""),
        ([[[1.0]]], ""),
        ([1.0], ""),
        ([[]], ""),
        ([{"x": 1}], ""),
    ],
)
def test_number_kind_tells_what_makes_the_same_array(instances: list[object], kind: str) -> None:
    assert number_kind(instances) == kind
