"""What a deploy gives the model it makes, and leaves as it is; request logging, which counts in an update only."""

from __future__ import annotations

from pathlib import Path

import pytest
from resource_lines import Lines

from aip_magics.events import Note

LOGGING = "--bigquery-table-name p.d.t --sampling-percentage 0.5"
CONFIG = {"bigqueryTableName": "p.d.t", "samplingPercentage": 0.5}


@pytest.fixture
def aip(embedded: Path) -> Lines:
    return Lines(embedded)


def notes(aip: Lines) -> str:
    """The notes since this was asked last."""
    found = [event.text for event in aip.face.events if isinstance(event, Note)]
    aip.face.events.clear()
    return "\n".join(found)


def test_deploy_command_creates_a_model_as_requested_and_then_leaves_it(aip: Lines, iris_export: Path) -> None:
    line = f"deploy v1 --model iris --origin {iris_export}"
    body = "model: {description: flowers, labels: {team: a}, onlinePredictionConsoleLogging: true}"
    version = aip(line, body)
    made = aip("describe --model iris")
    assert (made.description, made.labels, made.onlinePredictionConsoleLogging) == ("flowers", {"team": "a"}, True)
    assert (version.description, version.labels) == (None, None)
    notes(aip)
    aip(line, body)
    assert "M01" not in notes(aip)
    for other in (line, line.replace("v1", "v2")):  # one is there already, one is made
        aip(f"{other} --model-description other --model-labels team=b --enable-logging")
        told = notes(aip)
        assert "description flowers, which a deploy does not change" in told
        assert "labels team=a, which a deploy does not change" in told
        assert "onlinePredictionLogging not set, which cannot be changed" in told
    assert aip("describe --model iris").to_json().keys() == made.to_json().keys()
    assert aip("describe --model iris").description == "flowers"


def test_deploy_command_sets_request_logging_when_the_version_is_ready(aip: Lines, iris_export: Path) -> None:
    line = f"deploy v1 --model iris --origin {iris_export}"
    assert aip(f"{line} {LOGGING}").to_json()["requestLoggingConfig"] == CONFIG
    assert "set by an update: requestLoggingConfig" in notes(aip)
    assert aip(f"{line} {LOGGING}").to_json()["requestLoggingConfig"] == CONFIG
    assert "set by an update" not in notes(aip)  # it is as it was asked for
    # Not asked for means left as it is; asked for otherwise means changed, and no version is made anew for it.
    assert aip(line).to_json()["requestLoggingConfig"] == CONFIG
    changed = aip(line, "requestLoggingConfig: {bigqueryTableName: p.d.t, samplingPercentage: 1}")
    assert changed.requestLoggingConfig.samplingPercentage == 1


def test_deploy_command_updates_in_place_a_version_that_is_kept(aip: Lines, iris_export: Path) -> None:
    line = f"deploy v1 --model iris --origin {iris_export}"
    made = aip(f"{line} --description first --labels team=a")
    changed = aip(f"{line} --description second")
    assert "set by an update: description" in notes(aip)
    assert (changed.description, changed.labels, changed.createTime) == ("second", {"team": "a"}, made.createTime)
    assert aip(line).description == "second"
    assert "set by an update" not in notes(aip)


def test_deploy_command_async_tells_that_request_logging_is_not_set_yet(aip: Lines, iris_export: Path) -> None:
    line = f"deploy v1 --model iris --origin {iris_export} {LOGGING}"
    operation = aip(f"{line} --async")
    assert "requestLoggingConfig is not set yet" in notes(aip)
    aip(f"wait {operation.id}")
    assert aip("describe v1 --model iris").requestLoggingConfig is None
    assert aip(line).to_json()["requestLoggingConfig"] == CONFIG


def test_deploy_command_dry_run_names_the_update_after_the_operation(aip: Lines, iris_export: Path) -> None:
    sent = aip(
        f"deploy v1 --model iris --origin {iris_export} --model-description flowers --dry-run {LOGGING}"
    ).requests
    made, version, _, update, waited, _ = sent[-6:]
    assert made.body["description"] == "flowers"
    assert "requestLoggingConfig" not in version.body
    assert (update.method, update.body) == ("PATCH", {"requestLoggingConfig": CONFIG})
    assert (waited.method, waited.url.endswith("/operations/OPERATION")) == ("GET", True)
    assert update.url.endswith("/models/iris/versions/v1?updateMask=requestLoggingConfig")
