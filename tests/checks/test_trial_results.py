"""What the rules make of a try: every rule has a case that it tells and its neighbour that it does not."""

from __future__ import annotations

from typing import Any

import pytest

from aip_magics import checks
from aip_magics.checks.context import TrialResult
from aip_magics.checks.rules.trial_results import shape
from aip_magics.errors import PredictionError, WorkerError
from aip_magics.spec import Model, Version

TRIAL_RULES = [id for id in checks.RULES if id.startswith("T")]
GOOD = TrialResult(
    predictions=[[0.1, 0.9], [0.2, 0.8]], load_seconds=0.1, predict_seconds=0.1, memory_bytes=300 * 10**6
)


def outcome(id: str, tried: Any, **version: Any) -> checks.Outcome:
    subject = checks.CheckContext(Model(name="m"), Version.from_json(version), trial=tried)
    return checks.RULES[id].apply(subject)


def findings(id: str, tried: TrialResult, **version: Any) -> list[checks.Finding]:
    found = outcome(id, tried, **version)
    return list(found.findings) if isinstance(found, checks.Failed) else []


@pytest.mark.parametrize("id", TRIAL_RULES)
def test_trial_results_pass_a_good_trial_and_skip_without_one(id: str) -> None:
    assert outcome(id, GOOD) == checks.Passed()
    assert isinstance(outcome(id, None), checks.Skipped)
    assert outcome(id, checks.Skipped("too large")) == checks.Skipped("too large")


@pytest.mark.parametrize(
    ("id", "error"),
    [
        ("T01", PredictionError("FAILED_TO_LOAD_MODEL", "no module named x")),
        ("T02", PredictionError("INVALID_INPUTS", "Unexpected tensor name: x")),
        ("T03", PredictionError("FAILED_TO_RUN_MODEL", "Exception during sklearn prediction: x")),
        ("T03", WorkerError("the worker process was ended by signal 9", fix="fewer instances")),
        ("T04", PredictionError("INVALID_OUTPUTS", "NaN")),
        ("T05", PredictionError("INVALID_USER_CODE", "m.C cannot be found")),
    ],
)
def test_trial_results_tell_a_refusal_by_one_rule_in_its_own_words(id: str, error: PredictionError) -> None:
    tried = TrialResult(error=error)
    told = [finding for rule in TRIAL_RULES for finding in findings(rule, tried)]
    assert [(one.id, one.severity, one.message) for one in told] == [(id, "error", error.message)]
    # Why a model does not predict is known to the worker alone: a rule has no fix that fits every reason.
    assert told[0].fix == error.fix or (not error.fix and id in ("T01", "T02", "T05"))
    assert told[0].fix or id in ("T03", "T04")
    assert isinstance(outcome("T08", tried), checks.Skipped)


def test_trial_results_of_a_slow_model() -> None:
    slow = TrialResult(predictions=[1], load_seconds=20.0, predict_seconds=11.0, memory_bytes=1)
    [finding] = findings("T06", slow)
    assert finding.severity == "warning"
    assert "31 s" in finding.message
    assert findings("T06", TrialResult(predictions=[1], load_seconds=20.0, predict_seconds=9.0)) == []


def test_trial_results_of_a_model_too_large_for_the_machine() -> None:
    large = TrialResult(predictions=[1], memory_bytes=3 * 10**9)
    [finding] = findings("T07", large, machineType="mls1-c1-m2")
    assert (finding.severity, finding.fix) == ("warning", "--machine-type mls1-c4-m4")
    assert findings("T07", large, machineType="n1-standard-2") == []
    [finding] = findings("T07", large)  # of a machine type that nobody requested: the embedded server has no such limit
    assert (finding.severity, finding.fix) == ("advice", "--machine-type mls1-c4-m4")
    assert isinstance(outcome("T07", large, machineType="n1-unknown-1"), checks.Skipped)
    [finding] = findings("T07", TrialResult(predictions=[1], memory_bytes=10**13), machineType="mls1-c1-m2")
    assert "no machine" in finding.fix


def test_trial_results_of_ragged_predictions() -> None:
    [finding] = findings("T08", TrialResult(predictions=[[1.0, 2.0], [1.0]]))
    assert finding.message == "prediction 1 is number[1], but prediction 0 is number[2]"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (1, "number"),
        ("a", "text"),
        (None, "null"),
        (True, "boolean"),
        ([1, 2.5], "number[2]"),
        ([[1, 2], [3, 4], [5, 6]], "number[3][2]"),
        ([{"a": [1, 2]}], "{a: number[2]}[1]"),
        ([[1], [2, 3]], "[2]"),
        ([1, "a"], "[2]"),
        ([], "[0]"),
        ({"label": "a", "scores": [1, 2]}, "{label: text, scores: number[2]}"),
    ],
)
def test_trial_results_of_shapes(value: Any, told: str) -> None:
    assert shape(value) == told
