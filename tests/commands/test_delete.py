"""`delete`, and what `--artifacts` takes along: what deploying uploaded, if no other version uses it."""

from __future__ import annotations

import dataclasses
import signal
from pathlib import Path
from typing import Any

import pytest
from recording_reporter import RecordingReporter
from resource_lines import Lines

from aip_magics.commands.show import DryRun
from aip_magics.errors import FailedPrecondition, Interrupted, NotFound, OptionError
from aip_magics.events import Event, Note, StepFinished, StepStarted
from aip_magics.settings import resolve
from aip_magics.storage import GsUri, Removal, RemovalPlan, list_objects
from aip_magics.targets import choose

BUCKET = "gs://aip-local-aiplatform"


@pytest.fixture
def aip(deployed: Path) -> Lines:
    """Lines against a server with iris/v1, whose model is at gs://aip-local-aiplatform/iris/v1/."""
    return Lines(deployed)


def stored() -> set[str]:
    return set(list_objects(choose(resolve()).storage_client, GsUri.parse(BUCKET)))


def notes(aip: Lines) -> list[str]:
    return [note.text for note in aip.face.of(Note)]


def test_delete_command_takes_the_artifacts_along(aip: Lines, iris_export: Path) -> None:
    for line in (f"deploy v10 --model iris --origin {iris_export}", f"deploy v1 --model iris2 --origin {iris_export}"):
        aip(line)
    others = {"iris/v10/model.joblib", "iris2/v1/model.joblib"}
    assert stored() == {"iris/v1/model.joblib", *others}
    with pytest.raises(OptionError) as caught:
        aip("delete v1 --model iris --artifacts")
    assert caught.value.message == (
        f"deleting version v1 of model iris and 1 object requires confirmation: {BUCKET}/iris/v1/model.joblib"
    )
    assert caught.value.fix == "add --yes to confirm"
    dry = aip("delete v1 --model iris --artifacts --dry-run")
    assert isinstance(dry, DryRun)
    assert [request.method for request in dry.requests] == ["DELETE"]
    assert isinstance(dry.removal, RemovalPlan)
    assert [each.uri for each in dry.removal.objects] == [f"{BUCKET}/iris/v1/model.joblib"]
    assert aip.face.shown[-2:] == [dataclasses.replace(dry, removal=None), dry.removal]
    assert len(stored()) == 3
    aip("set-default v10 --model iris")
    removal = aip("delete v1 --model iris --artifacts --yes")
    assert isinstance(removal, Removal)
    assert removal.names == (f"{BUCKET}/iris/v1/model.joblib",)
    assert stored() == others
    assert [version.id for version in aip("list --model iris")] == ["v10"]
    with pytest.raises(NotFound):
        aip("delete v1 --model iris --artifacts --yes")
    aip("delete --model iris --all-versions --artifacts --yes")
    assert stored() == {"iris2/v1/model.joblib"}
    aip("delete --model iris2 --all-versions --yes")  # nothing but the model
    assert stored() == {"iris2/v1/model.joblib"}


def test_delete_command_keeps_the_users_own_objects(aip: Lines, iris_export: Path) -> None:
    """The origin of a version that the user names himself is the output of his training."""
    aip(f"upload {iris_export} {BUCKET}/training/7")
    aip(f"create-version v2 --model iris --origin {BUCKET}/training/7 --framework scikit-learn")
    aip(f"create-version v3 --model iris --origin {BUCKET}/iris/v1 --framework scikit-learn")
    aip("set-default v3 --model iris")
    removal = aip("delete v2 --model iris --artifacts --yes")
    assert removal.count == 0
    assert f"kept: {BUCKET}/training/7/ (not uploaded by deploying); %aip_remove deletes it" in notes(aip)
    assert "training/7/model.joblib" in stored()
    assert aip("delete v1 --model iris --artifacts --yes").count == 0
    assert f"kept: {BUCKET}/iris/v1/ (used by iris/v3)" in notes(aip)
    assert "iris/v1/model.joblib" in stored()
    assert aip("predict --model iris", "- [5.1, 3.5, 1.4, 0.2]")["predictions"] == [0]
    assert aip("delete --model iris --all-versions --artifacts --yes").count == 0
    assert aip(f"remove {BUCKET}/iris/v1/ {BUCKET}/training/7/ --yes").count == 2


def test_delete_command_keeps_a_package_until_its_last_version(
    embedded: Path, iris_export: Path, tmp_path: Path
) -> None:
    aip = Lines(embedded)
    (tmp_path / "own.py").write_text("X = 1\n")
    package = aip(f"package {tmp_path / 'own.py'} --output {tmp_path / 'dist'}").path
    for version in ("v1", "v2"):
        aip(f"deploy {version} --model iris --origin {iris_export} --package-uris {package} --trust")
    [uri] = aip("describe v1 --model iris").packageUris
    name = uri.removeprefix(f"{BUCKET}/")
    assert stored() == {"iris/v1/model.joblib", "iris/v2/model.joblib", name}
    aip("set-default v1 --model iris")
    aip("delete v2 --model iris --artifacts --yes")
    assert f"kept: {uri} (used by iris/v1)" in notes(aip)
    assert stored() == {"iris/v1/model.joblib", name}
    removal = aip("delete --model iris --all-versions --artifacts --yes")
    assert removal.names == (f"{BUCKET}/iris/v1/model.joblib", uri)
    assert stored() == set()


class Stopping(RecordingReporter):
    """Interrupts the command as soon as the version is deleted."""

    def emit(self, event: Event) -> None:
        super().emit(event)
        if isinstance(event, StepFinished) and event.step == "delete":
            signal.raise_signal(signal.SIGINT)


def test_delete_command_says_how_to_delete_the_rest(aip: Lines) -> None:
    other = Lines(aip.journal.data_dir)
    other.context = dataclasses.replace(other.context, reporter=Stopping())
    with pytest.raises(Interrupted) as caught:
        other("delete --model iris --all-versions --artifacts --yes")
    assert caught.value.fix == f"run %aip_remove {BUCKET}/iris/v1/ --yes once the versions are deleted"
    assert aip("list") == []
    assert stored() == {"iris/v1/model.joblib"}
    assert aip(caught.value.fix.partition("%aip_")[2].removesuffix(" once the versions are deleted")).count == 1
    assert stored() == set()


class Meanwhile(RecordingReporter):
    """Runs lines, as another user, when the deletion of versions begins or has ended."""

    def __init__(self, kind: type[Event], aip: Lines, *lines: str) -> None:
        super().__init__()
        self._kind, self._aip, self._lines = kind, aip, lines

    def emit(self, event: Event) -> None:
        super().emit(event)
        if isinstance(event, self._kind) and event.step == "delete":
            for line in self._lines:
                self._aip(line)


def test_delete_command_keeps_the_objects_of_a_version_that_was_deployed_again(aip: Lines, iris_export: Path) -> None:
    """An unchanged upload writes no new generation, so that only the list of versions tells."""
    other = Lines(aip.journal.data_dir)
    face = Meanwhile(StepFinished, aip, f"deploy v1 --model iris --origin {iris_export}")
    other.context = dataclasses.replace(other.context, reporter=face)
    assert other("delete --model iris --all-versions --artifacts --yes").count == 0
    assert [version.id for version in aip("list --model iris")] == ["v1"]
    assert stored() == {"iris/v1/model.joblib"}


def test_delete_command_names_the_objects_of_deleted_versions_after_an_error(aip: Lines, iris_export: Path) -> None:
    aip(f"deploy v2 --model iris --origin {iris_export}")
    other = Lines(aip.journal.data_dir)
    face = Meanwhile(StepStarted, aip, f"deploy v3 --model iris --origin {iris_export}")
    other.context = dataclasses.replace(other.context, reporter=face)
    with pytest.raises(FailedPrecondition) as caught:  # the default version is not the last one any more
        other("delete --model iris --all-versions --artifacts --yes")
    assert [version.id for version in aip("list --model iris")] == ["v1", "v3"]
    line = f"%aip_remove {BUCKET}/iris/v2/ {BUCKET}/iris/v1/ --yes"
    assert caught.value.fix == f"run {line} once the versions are deleted"


class StoppingAtList(RecordingReporter):
    """Interrupts the command while it lists objects."""

    def emit(self, event: Event) -> None:
        super().emit(event)
        if isinstance(event, Note) and event.step == "artifacts":
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("mode", ["--dry-run", "--show=curl"])
def test_delete_command_resumes_a_dry_run_as_a_dry_run(aip: Lines, mode: str) -> None:
    aip(f"create-version v2 --model iris --origin {BUCKET}/iris/v1 --framework scikit-learn")
    other = Lines(aip.journal.data_dir)
    other.context = dataclasses.replace(other.context, reporter=StoppingAtList())
    with pytest.raises(Interrupted) as caught:
        other(f"delete v1 --model iris --artifacts --yes {mode}")
    assert caught.value.fix == f"resume with: %aip_delete v1 --model=iris --artifacts --yes {mode}"


@pytest.mark.parametrize("form", ["gcloud", "curl", "python"])
def test_delete_command_shows_its_artifacts_as_code(aip: Lines, form: str) -> None:
    shown: Any = aip(f"delete --model iris --all-versions --artifacts --show {form}")
    assert "model.joblib" in shown.splitlines()[-1]
    assert stored() == {"iris/v1/model.joblib"}
