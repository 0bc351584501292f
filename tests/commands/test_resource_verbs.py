"""The verbs for models, versions and operations, against the embedded server."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NoReturn

import pytest
from resource_lines import Lines

from aip_magics import errors
from aip_magics.commands.common.command import PendingOperation
from aip_magics.commands.resources import Comparison, Served
from aip_magics.events import Detached, Failed, StepFinished
from aip_magics.render import html, text
from aip_magics.spec import Model, Operation, Version

SECONDS = 60


@pytest.fixture
def aip(deployed: Path) -> Lines:
    """Lines against a server with iris/v1, whose model lies at gs://aip-local-aiplatform/iris/v1/."""
    return Lines(deployed)


def test_resource_verbs_from_create_to_default_to_delete(aip: Lines) -> None:
    made = aip("create-model other --regions us-central1 --labels a=b", "description: from the cell")
    assert isinstance(made, Model)
    assert (made.description, made.labels, made.regions) == ("from the cell", {"a": "b"}, ("us-central1",))
    origin = "--origin gs://aip-local-aiplatform/iris/v1/"
    version = aip(f"create-version v1 --model other {origin} --framework scikit-learn", "description: two")
    assert isinstance(version, Version)
    assert (version.state, version.description, version.isDefault) == ("READY", "two", True)
    aip(f"create-version v2 --model other {origin}")
    assert aip("set-default v2 --model other").isDefault is True
    assert aip("describe --model other").defaultVersion.id == "v2"
    aip("delete --model other --all-versions --yes")
    assert [model.id for model in aip("list")] == ["iris"]


def test_update_command_changes_versions_and_models(aip: Lines) -> None:
    version = aip("update v1 --model iris --description d --update-labels a=b,c=d --min-nodes 1 --max-nodes 2")
    assert (version.description, version.labels) == ("d", {"a": "b", "c": "d"})
    assert version.autoScaling.maxNodes == 2
    version = aip("update v1 --model iris --remove-labels a --update-labels c=e", "autoScaling:\n  maxNodes: 3")
    assert (version.labels, version.autoScaling.minNodes, version.autoScaling.maxNodes) == ({"c": "e"}, 1, 3)
    version = aip("update v1 --model iris --description '' --clear-labels")
    assert (version.description, version.labels) == (None, None)
    assert aip("update --model iris", "description: a model").description == "a model"


@pytest.mark.parametrize(
    ("line", "body", "error", "told"),
    [
        ("update v1 --model iris", None, errors.OptionError, "no changes were given"),
        ("update v1 --model iris --nodes 1 --min-nodes 1", None, errors.OptionError, "cannot be combined"),
        ("update v1 --model iris", "framework: XGBOOST", errors.FieldError, "framework cannot be changed"),
        ("update --model iris --nodes 2", None, errors.FieldError, "manualScaling cannot be changed"),
        ("update v1 --model iris", "descripton: x", errors.FieldError, "did you mean 'description'"),
        ("create-model x", "defaultVersion: {}", errors.FieldError, "set by the service"),
        ("create-version v --model m --origin ./here", None, errors.OptionError, "aip_upload"),
        ("create-version v --model m", None, errors.OptionError, "Cloud Storage"),
        ("set-default v2", None, errors.OptionError, "a model name is required"),
        ("describe v1 --model m --operation o", None, errors.OptionError, "a model or an operation"),
        ("describe --model m --compare v1", None, errors.OptionError, "a version is required"),
        ("operations describe", None, errors.OptionError, "an operation is required"),
        ("delete v1 --model iris", None, errors.OptionError, "add --yes"),
        ("list --model iris --operations", None, errors.OptionError, "cannot be listed together"),
        ("config --unset projekt", None, errors.OptionError, "did you mean 'project'"),
        ("config --project some-project", None, errors.OptionError, "only be set in a notebook"),
    ],
)
def test_resource_verbs_tell_mistakes_before_anything_is_sent(
    home: Path, line: str, body: str | None, error: type[errors.AipError], told: str
) -> None:
    with pytest.raises(error) as caught:
        Lines(home)(line, body)
    assert told in str(caught.value)
    assert not (home / "server.json").exists()  # no server was started for it


def test_describe_command_tells_what_serves_a_version_beside_the_yaml(aip: Lines) -> None:
    version = aip("describe v1 --model iris")
    assert isinstance(version, Version)
    (served,) = aip.face.shown[-1:]
    assert isinstance(served, Served)
    assert text.of(served) == text.of(version)
    assert "scikit-learn " in text.aside(served)
    assert "\nprotection: " in text.aside(served)
    assert "protection: " in html.of(served)
    page = html.of(served)
    assert "scikit-learn " in page
    assert len(page.encode()) <= 4096


def test_describe_command_compares_two_versions(aip: Lines, iris_export: Path) -> None:
    aip(f"deploy v2 --model iris --origin {iris_export}", "description: <b>second</b>")
    found = aip("describe v2 --model iris --compare v1")
    assert isinstance(found, Comparison)
    shown = text.of(found)
    assert "2 fields differ" in shown  # description and deploymentUri
    assert "served by.scikit-learn" in shown
    assert "&lt;b&gt;second" in html.of(found)
    assert found.to_json()["runtimes"][0]["libraries"]["scikit-learn"]
    same = aip("describe v1 --model iris --compare v1")
    assert "no fields differ" in text.of(same)


def test_operations_command_describes_waits_and_cancels(aip: Lines) -> None:
    (operation,) = aip("operations")
    assert aip(f"operations describe {operation.id}") == operation
    assert aip(f"wait {operation.id}").state == "READY"
    assert aip(f"cancel {operation.name}").done is True  # one that is done stays as it is
    with pytest.raises(errors.NotFound):
        aip("wait none")


def test_attach_command_finds_what_was_left_running(aip: Lines, iris_export: Path) -> None:
    assert aip("attach") is None
    assert "no operation of this notebook is running" in aip.face.shown[-1]
    operation = aip(f"deploy v2 --model iris --origin {iris_export} --async")
    assert isinstance(operation, Operation)
    (entry,) = aip.journal.running()
    assert (entry.operation, entry.what) == (operation.name, "projects/aip-local/models/iris/versions/v2")
    other = Lines(aip.journal.data_dir)  # as after a restart of the kernel
    version = other("attach")
    assert (version.id, version.state) == ("v2", "READY")
    assert other.journal.running() == []
    assert [entry.outcome for entry in other("history").entries][-1] == "done"


def test_operation_wait_is_followed_by_a_notebook(aip: Lines, iris_export: Path) -> None:
    followed: list[PendingOperation] = []
    operation = aip(f"deploy v2 --model iris --origin {iris_export} --async", watch_operation=followed.append)
    (pending,) = followed
    assert pending.operation == operation
    assert pending.pause <= 0.5  # a finished one is on the screen within half a second
    end = time.monotonic() + SECONDS
    while not (now := pending.poll()).done:
        assert time.monotonic() < end
        time.sleep(pending.pause)
    pending.ended(now)
    assert aip.journal.running() == []


class Interrupting:
    """The time stands still until the user presses ⏹."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from aip_magics.client import Client

        def watch(self: Client, operation: Operation, **_: object) -> NoReturn:
            raise KeyboardInterrupt

        monkeypatch.setattr(Client, "watch", watch)


def test_operation_wait_detaches_or_cancels_on_interrupt(
    aip: Lines, iris_export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        Interrupting(patch)
        operation = aip(f"deploy v2 --model iris --origin {iris_export}")
        assert isinstance(operation, Operation)
        assert isinstance(aip.face.events[-1], Detached)
        assert len(aip.journal.running()) == 1
        with pytest.raises(errors.Interrupted, match="canceled") as caught:
            aip(f"deploy v3 --model iris --origin {iris_export} --cancel-on-interrupt")
        assert "operations/create_iris_v3" in caught.value.where
        assert isinstance(aip.face.events[-1], Failed)
    assert aip("attach").id == "v2"
    assert [entry.outcome for entry in aip.journal.entries()] == ["done", "done", "cancelled"]
    assert any(isinstance(event, StepFinished) and event.step == "wait" for event in aip.face.events)


def test_history_log_records_a_failed_operation_as_failed(aip: Lines, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "model.pkl").write_bytes(b"\x80\x04broken")
    client = Lines(aip.journal.data_dir)
    from aip_magics import settings
    from aip_magics.targets import choose

    target = choose(settings.resolve(target="local"))
    target.google_storage_client.bucket("aip-local-aiplatform").blob("broken/model.pkl").upload_from_string(
        b"\x80\x04broken"
    )
    with pytest.raises(errors.OperationFailed):
        client("create-version bad --model iris --origin gs://aip-local-aiplatform/broken/ --framework scikit-learn")
    assert [(entry.verb, entry.outcome) for entry in client.journal.entries()][-1] == ("create-version", "failed")
