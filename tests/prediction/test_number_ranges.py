"""Numbers at the ends of the types of a SavedModel's inputs: what is sent arrives, or is refused by name."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aip_magics.artifacts import inspect_model_dir
from aip_magics.checks import CheckContext
from aip_magics.checks.number_ranges import FLOATS, INTEGERS, RANGES
from aip_magics.checks.outcome import Finding, Skipped
from aip_magics.checks.rules.instances import wrong_input_values
from aip_magics.errors import PredictionError
from aip_magics.prediction import ForkServerPool, WorkerPool, WorkerSpec
from aip_magics.spec import Model, Version

NUMPY_NAMES = {"half": "float16"}
ZEROS = {f"in_{name}": 0 for name in (*INTEGERS, "half", "float32", "float64") if not name.endswith("t4")}
BEYOND_FLOAT32 = 3.4028235677973366e38  # halfway to the next power of two: rounds to infinity
Ask = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="module")
def pool(parents: ForkServerPool) -> Iterator[WorkerPool]:
    with WorkerPool(fork_servers=parents, limit=2) as made:
        yield made


@pytest.fixture
def ask(tensorflow_exports: Path, pool: WorkerPool) -> Ask:
    def asked(*instances: dict[str, Any], **keys: Any) -> list[dict[str, Any]]:
        body = json.dumps({"instances": instances, **keys}).encode()
        found: list[dict[str, Any]] = json.loads(pool.predict(WorkerSpec(tensorflow_exports / "typed"), body))[
            "predictions"
        ]
        return found

    return asked


def finding(directory: Path, *instances: dict[str, Any], **keys: Any) -> Finding | None:
    """What R10 finds in these instances."""
    body = json.dumps({"instances": instances, **keys}).encode()
    context = CheckContext(Model(), Version(framework="TENSORFLOW"), inspect_model_dir(directory), test_request=body)
    found = wrong_input_values(context)
    assert not isinstance(found, Skipped)
    return next(iter(found), None)


needs_tensorflow = pytest.mark.skipif(not importlib.util.find_spec("tensorflow"), reason="TensorFlow is not installed")


@needs_tensorflow
def test_number_ranges_let_the_ends_of_every_type_arrive(tensorflow_exports: Path, ask: Ask) -> None:
    for end in ("smallest", "largest"):
        sent = {alias: getattr(RANGES[alias.removeprefix("in_")], end) for alias in ZEROS}
        assert ask(ZEROS, sent) == [
            {alias.removeprefix("in_"): value for alias, value in row.items()} for row in (ZEROS, sent)
        ]
        assert finding(tensorflow_exports / "typed", ZEROS, sent) is None


@needs_tensorflow
@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, RANGES[name].smallest - 1) for name in INTEGERS if f"in_{name}" in ZEROS),
        *((name, RANGES[name].largest + 1) for name in INTEGERS if f"in_{name}" in ZEROS),
        ("int32", 3000000000),
        ("uint8", 300),
        ("uint64", 2**64),
        ("int64", 1e19),
        ("int16", -(10**30)),
        ("half", 65520),
        ("half", -1e5),
        ("float32", BEYOND_FLOAT32),
        ("float32", -(10**39)),
        ("float64", 10**400),
    ],
)
def test_number_ranges_refuse_what_would_become_another_number(
    tensorflow_exports: Path, ask: Ask, name: str, value: float
) -> None:
    sent = {**ZEROS, f"in_{name}": value}
    with pytest.raises(PredictionError) as caught:
        ask(ZEROS, sent)
    numpy_name = NUMPY_NAMES.get(name, name)
    assert caught.value.kind == "FAILED_TO_RUN_MODEL"
    assert f"is not a valid {numpy_name}: must be between" in caught.value.message
    assert f"(input in_{name})" in caught.value.message
    assert "instance 1: " in caught.value.message
    found = finding(tensorflow_exports / "typed", ZEROS, sent)
    assert found is not None
    assert f"is out of the range of {numpy_name} for input in_{name}" in found.message
    assert found.fix == f"use numbers between {RANGES[name].smallest} and {RANGES[name].largest}"


@needs_tensorflow
def test_number_ranges_refuse_fractions_of_integers_only(tensorflow_exports: Path, ask: Ask) -> None:
    with pytest.raises(PredictionError, match=r"1\.5 is not a valid int32: must be a whole number"):
        ask({**ZEROS, "in_int32": 1.5})
    found = finding(tensorflow_exports / "typed", {**ZEROS, "in_int32": 1.5})
    assert found is not None
    assert "expected int32 for input in_int32" in found.message
    assert ask({**ZEROS, "in_int32": 1e3})[0]["int32"] == 1000
    assert finding(tensorflow_exports / "typed", {**ZEROS, "in_int32": 1e3}) is None


@needs_tensorflow
def test_number_ranges_of_bfloat16_and_of_nested_lists(ask: Ask) -> None:
    largest = RANGES["bfloat16"].largest
    assert ask({"x": [1.5, largest]}, {"x": [0, -largest]}, signature_name="brain") == [
        {"y": [1.5, largest]},
        {"y": [0.0, -largest]},
    ]
    with pytest.raises(PredictionError, match=r"instance 1: .* is not a valid bfloat16"):
        ask({"x": [1.5, 2.0]}, {"x": [0, 3.4e38]}, signature_name="brain")


@given(st.sampled_from(FLOATS[:2] + FLOATS[3:]), st.floats(allow_nan=False, allow_infinity=False))
def test_number_ranges_of_floats_are_those_of_numpy(name: str, value: float) -> None:
    with numpy.errstate(over="ignore"):
        becomes_infinite = bool(numpy.isinf(numpy.float64(value).astype(NUMPY_NAMES.get(name, name))))
    assert (RANGES[name].fault(value) == "range") is becomes_infinite


@pytest.mark.parametrize("name", ["half", "float32"])
def test_number_ranges_of_floats_end_where_numpy_rounds_to_infinity(name: str) -> None:
    beyond = float(RANGES[name].beyond)
    assert RANGES[name].largest == float(numpy.finfo(NUMPY_NAMES.get(name, name)).max)
    for value in (beyond, -beyond):
        assert RANGES[name].fault(value) == "range"
        assert RANGES[name].fault(float(numpy.nextafter(value, 0))) is None


@given(st.sampled_from(sorted(INTEGERS)), st.integers())
def test_number_ranges_of_integers(name: str, value: int) -> None:
    smallest, largest = INTEGERS[name]
    assert (RANGES[name].fault(value) is None) is (smallest <= value <= largest)
