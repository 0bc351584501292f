"""Counting the differences of predictions: numbers, labels, shapes; and asking two versions from several threads."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aip_magics.deploy import comparison, comparison_run
from aip_magics.deploy.comparison import (
    ComparisonCounter,
    ErrorCount,
    LabelChange,
    PredictionComparison,
    summarize_answers,
)
from aip_magics.deploy.comparison_run import ComparedRequest, compare_versions, divide
from aip_magics.deploy.prediction_diff import RELATIVE, is_equal
from aip_magics.errors import AipError, CredentialsError, NotFound, PredictionError, Unavailable

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=10,
)


def count(left: list[Any], right: list[Any], tolerance: float = RELATIVE) -> ComparisonCounter:
    counter = ComparisonCounter(tolerance)
    counter.add(0, left, left, right)
    return counter


def test_comparison_measures_numbers_absolutely_and_relatively() -> None:
    counter = count([1.0, 2.0, -4.0, 0.0], [1.0, 2.5, -2.0, 0.0])
    (output,) = counter.outputs()
    assert (counter.compared, counter.equal) == (4, 2)
    assert (output.name, output.values, output.differing, output.changes) == ("", 4, 2, ())
    assert output.max_absolute == 2.0
    assert output.mean_absolute == pytest.approx(2.5 / 4)
    assert output.max_relative == 0.5
    assert output.mean_relative == pytest.approx((0.2 + 0.5) / 4)
    assert [(one.index, one.left, one.right) for one in counter.examples()] == [(1, 2.0, 2.5), (2, -4.0, -2.0)]


def test_comparison_counts_which_label_became_which() -> None:
    for labels in ([0, 1, 2], ["setosa", "versicolor", "virginica"], [True, False, None]):
        a, b, c = labels
        (output,) = count([a, b, b, b, c], [a, c, c, a, c]).outputs()
        assert output.max_absolute is None
        assert output.changes == (LabelChange(b, c, 2), LabelChange(b, a, 1))


def test_comparison_takes_many_different_integers_for_numbers() -> None:
    (output,) = count(list(range(200)), list(range(1, 201))).outputs()
    assert (output.max_absolute, output.mean_absolute, output.changes) == (1.0, 1.0, ())


def test_comparison_tells_outputs_apart_and_names_the_place() -> None:
    left = [{"label": "a", "scores": [0.9, 0.1]}, {"label": "a", "scores": [0.6, 0.4]}]
    right = [{"label": "a", "scores": [0.9, 0.1]}, {"label": "b", "scores": [0.3, 0.7]}]
    counter = count(left, right)
    label, scores = counter.outputs()
    assert (label.name, label.differing, label.changes) == ("label", 1, (LabelChange("a", "b", 1),))
    assert (scores.name, scores.values, scores.differing) == ("scores[]", 4, 2)
    assert scores.max_absolute == pytest.approx(0.3)
    assert [one.where for one in counter.examples()] == ["label"]
    assert count([[1.5, 2.5]], [[1.5, 2.0]]).examples()[0].where == "[1]"


def test_comparison_shows_shapes_that_differ() -> None:
    counter = count([[0.1, 0.2], {"a": 1}, 5], [[0.1, 0.2, 0.3], {"b": 1}, [5]])
    (output,) = counter.outputs()
    changes = {(change.left, change.right) for change in output.changes}
    assert changes == {("list of 2", "list of 3"), ("object with a", "object with b"), (5, "list of 1")}


@pytest.mark.parametrize(
    ("left", "right", "tolerance", "equal"),
    [
        (1.0, 1.000001, RELATIVE, True),
        (1.0, 1.000001, 0.0, False),
        (1.0, 1.05, 0.1, True),
        (0.0, 1e-9, RELATIVE, True),
        (0.0, 1e-9, 0.0, False),
        (math.nan, math.nan, 0.0, True),
        (math.inf, math.inf, 0.0, True),
        (math.inf, -math.inf, 0.1, False),
        (10**400, 1.0, RELATIVE, False),
        (10**400, 10**400, RELATIVE, True),
        ("1", 1, RELATIVE, False),
        (True, 1, RELATIVE, False),
        (0.0, False, RELATIVE, False),
        (True, True, RELATIVE, True),
        (1, 1.0, 0.0, True),
        (1000000, 1000001.0, RELATIVE, True),
        (1000000, 1000001, RELATIVE, False),  # ids of two classes
        (2**53, 2**53 + 1, 0.0, False),  # the same as floats
        (0.0, -0.0, 0.0, True),
    ],
)
def test_comparison_has_one_meaning_of_equal(left: Any, right: Any, tolerance: float, equal: bool) -> None:
    assert is_equal(left, right, tolerance) is equal
    counter = count([left], [right], tolerance)
    assert counter.equal == equal
    counter.outputs()


@given(st.lists(JSON, max_size=6), st.lists(JSON, max_size=6))
@pytest.mark.slow
def test_comparison_of_any_predictions_adds_up(left: list[Any], right: list[Any]) -> None:
    same = count(left, json.loads(json.dumps(left)))
    assert (same.equal, same.examples()) == (len(left), ())
    assert all(output.differing == 0 for output in same.outputs())
    length = min(len(left), len(right))
    counter = count(left[:length], right[:length])
    outputs = counter.outputs()
    assert counter.compared == length
    assert counter.compared - counter.equal == len(counter.examples())
    assert (counter.equal == length) == all(output.differing == 0 for output in outputs)
    for output in outputs:
        assert sum(change.count for change in output.changes) <= output.differing <= output.values


def test_comparison_keeps_the_first_examples_and_a_bounded_number_of_everything() -> None:
    counter = ComparisonCounter()
    most = 3 * comparison.MAX_EXAMPLES
    for index in reversed(range(most)):
        counter.add(index, [index], [{f"key{index}": "a"}], [{f"key{index}": f"b{index}"}])
    assert [one.index for one in counter.examples()] == list(range(comparison.MAX_EXAMPLES))
    assert len(counter.outputs()) <= comparison.MAX_OUTPUTS + 1
    assert all(len(output.changes) <= comparison.MAX_CHANGES for output in counter.outputs())


ERRORS = [("a", range(20, 30)), ("b", range(50, 51)), ("a", range(10, 20))]  # as they arrive, in any order


def test_comparison_summarizes_latencies_and_errors() -> None:
    answers = summarize_answers("v1", 103, [number / 1000 for number in range(1, 101)], ERRORS)
    assert (answers.p50_ms, answers.p95_ms) == (50.0, 95.0)
    assert (answers.requests, answers.failed) == (103, 3)
    assert answers.errors == (ErrorCount("a", 2, 10, 19), ErrorCount("b", 1, 50, 50))
    assert summarize_answers("v1").p50_ms is None


@given(st.integers(1, 300), st.none() | st.integers(1, 400), st.integers(30, 2000))
def test_divide_keeps_every_instance_in_its_order(number: int, size: int | None, max_bytes: int) -> None:
    body = {"instances": [[index] for index in range(number)], "signature_name": "s"}
    requests = divide(body, body, size, max_bytes)
    assert [instance for request in requests for instance in request.instances] == body["instances"]
    for request in requests:
        assert json.loads(request.left) == {"instances": request.instances, "signature_name": "s"}
        assert len(request.left) <= max_bytes or len(request.instances) == 1
        assert len(request.instances) <= (size or 3)


EMPTY = PredictionComparison(
    "m", "instances", 0, 0, 0, RELATIVE, (), (), summarize_answers("v1"), summarize_answers("v2"), 4
)


def requests(number: int, each: int = 2) -> list[ComparedRequest]:
    body = {"instances": list(range(number * each))}
    return divide(body, body, each, 1 << 20)


def ask(version: str, body: bytes) -> Mapping[str, Any]:
    """v1 doubles, v2 doubles all but multiples of ten."""
    instances = json.loads(body)["instances"]
    return {"predictions": [2.5 * one if version == "v1" or one % 10 else 1.5 for one in instances]}


def test_compare_versions_asks_both_and_counts_in_order() -> None:
    progress: list[tuple[int, int]] = []
    result = compare_versions(ask, requests(50), EMPTY, lambda done, total: progress.append((done, total)))
    assert (result.instances, result.compared, result.equal, result.differing) == (100, 100, 90, 10)
    assert [one.index for one in result.examples] == list(range(0, 100, 10))
    assert [(side.requests, side.failed) for side in (result.left, result.right)] == [(50, 0)] * 2
    assert progress[0] == (0, 100)
    assert progress[-1] == (100, 100)
    assert not result.is_equal


def test_compare_versions_sends_a_bounded_number_of_requests_at_a_time() -> None:
    lock, running, most = threading.Lock(), [0], [0]
    enough = threading.Event()

    def slow(version: str, body: bytes) -> Mapping[str, Any]:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
            if running[0] == EMPTY.concurrency:
                enough.set()
        if json.loads(body)["instances"][0] > 0:  # the first request is sent alone
            enough.wait(10)
        with lock:
            running[0] -= 1
        return ask(version, body)

    compare_versions(slow, requests(20), EMPTY, lambda *_: None)
    assert most[0] == EMPTY.concurrency


def test_compare_versions_does_not_measure_the_start_of_the_first_node() -> None:
    now = [0.0]
    lock = threading.Lock()

    def start(version: str, body: bytes) -> Mapping[str, Any]:
        with lock:
            now[0] += 60.0 if 0 in json.loads(body)["instances"] else 0.0
        return ask(version, body)

    result = compare_versions(start, requests(20), EMPTY, lambda *_: None, clock=lambda: now[0])
    assert (result.left.requests, result.left.p95_ms, result.right.p95_ms) == (20, 0.0, 0.0)
    alone = compare_versions(start, requests(1), EMPTY, lambda *_: None, clock=lambda: now[0])
    assert alone.left.p50_ms == 60_000


def test_compare_versions_counts_the_errors_of_each_version() -> None:
    def fails(version: str, body: bytes) -> Mapping[str, Any]:
        if version == "v2" and 10 in json.loads(body)["instances"]:
            raise PredictionError("FAILED_TO_RUN_MODEL", "ten")
        if version == "v1" and 20 in json.loads(body)["instances"]:
            return {"predictions": [1]}
        return ask("v1", body)

    result = compare_versions(fails, requests(20), EMPTY, lambda *_: None)
    assert (result.instances, result.compared, result.equal) == (40, 36, 36)
    assert (result.left.failed, result.right.failed) == (1, 1)
    assert result.left.errors[0].message == "expected 2 predictions, got 1"
    assert "ten" in result.right.errors[0].message
    assert [(side.errors[0].first, side.errors[0].last) for side in (result.left, result.right)] == [(20, 21), (10, 11)]
    assert not result.is_equal


@pytest.mark.parametrize("error", [NotFound("gone"), CredentialsError("expired"), Unavailable("refused")])
def test_compare_versions_ends_where_no_further_request_can_succeed(error: AipError) -> None:
    asked: list[str] = []

    def fail(version: str, _body: bytes) -> Mapping[str, Any]:
        asked.append(version)
        raise error

    with pytest.raises(type(error)):
        compare_versions(fail, requests(500), EMPTY, lambda *_: None)
    assert len(asked) <= 2 * 2 * EMPTY.concurrency


def test_compare_versions_of_which_one_is_unavailable_goes_on() -> None:
    def fail(version: str, body: bytes) -> Mapping[str, Any]:
        if version == "v2":
            raise Unavailable("no response within 70 s")
        return ask(version, body)

    result = compare_versions(fail, requests(5), EMPTY, lambda *_: None)
    assert (result.left.failed, result.right.failed, result.compared) == (0, 5, 0)


def test_compare_versions_leaves_no_thread_behind_after_an_interrupt() -> None:
    release, called, asking = threading.Event(), threading.Event(), set[threading.Thread]()

    def wait(version: str, body: bytes) -> Mapping[str, Any]:
        asking.add(threading.current_thread())
        called.set()
        release.wait(60)
        return ask(version, body)

    def interrupt(_done: int, _total: int) -> None:
        if called.is_set():
            raise KeyboardInterrupt

    before = set(threading.enumerate())
    with pytest.raises(KeyboardInterrupt):
        compare_versions(wait, requests(50), EMPTY, interrupt)
    threads = set(threading.enumerate()) - before
    for thread in [*(threads - asking), *asking]:
        if thread in asking:  # the one whose request is under way; the others do not wait for it
            release.set()
        thread.join(10)
        assert not thread.is_alive()
    assert comparison_run.WAKE_SECONDS < 1  # an interrupt is noticed so soon
