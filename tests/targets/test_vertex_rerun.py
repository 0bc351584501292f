"""The target vertex when a run was interrupted, or something was deleted under it: a further run uses what exists."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from resource_lines import Lines

from aip_magics import settings
from aip_magics.client.operation_watch import OperationUpdate
from aip_magics.client.vertex import calls
from aip_magics.client.vertex.client import VertexClient
from aip_magics.errors import (
    AlreadyExists,
    FailedPrecondition,
    FieldError,
    Interrupted,
    NotFound,
    OperationFailed,
    OptionError,
)
from aip_magics.events import Detached, Failed, Note
from aip_magics.render import text
from aip_magics.spec import Operation
from aip_magics.targets import choose
from aip_magics.targets.vertex.target import VertexTarget

WHERE = "--target vertex --endpoint local"


@pytest.fixture
def lines(embedded: Path) -> Lines:
    return Lines(embedded)


@pytest.fixture
def client(embedded: Path) -> VertexClient:
    target = choose(settings.resolve(target="vertex", endpoint="local"))
    assert isinstance(target, VertexTarget)
    target.connect()
    return target.client


class Killed(BaseException):
    """Takes the place of kill -9 of the notebook's process, so that no handler runs."""


def kill_before(client_class: Any, monkeypatch: pytest.MonkeyPatch, end: str) -> None:
    """Let the process die before it sends a request whose path ends like this."""
    send = client_class.send

    def dying(self: Any, request: Any) -> Any:
        if request.path.endswith(end):
            raise Killed
        return send(self, request)

    monkeypatch.setattr(client_class, "send", dying)


def test_vertex_continues_a_run_that_was_killed_between_upload_and_deployment(
    lines: Lines, client: VertexClient, iris_export: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = f"deploy --model iris --origin {iris_export} {WHERE}"
    with monkeypatch.context() as patch:
        kill_before(type(client.transport), patch, ":deployModel")
        with pytest.raises(Killed):
            lines(line)
    [left] = client.list_versions("iris")
    assert (left.id, left.state, left.isDefault) == ("v1", "UNDEPLOYED", True)
    version = lines(line)
    assert (version.modelVersion, version.state) == (left.modelVersion, "READY")
    assert any("unchanged, but not deployed" in note.text for note in lines.face.of(Note))
    # The endpoint is deleted under us, by another client.
    client.wait(client.undeploy("iris", "v1"))
    client.transport.send(calls.delete(client.place.endpoint("iris")))
    version = lines(line)
    assert (version.modelVersion, version.state, version.trafficPercentage) == (left.modelVersion, "READY", 100)
    assert len(client.list_versions("iris")) == 1


def test_vertex_wait_detaches_or_cancels_on_interrupt(
    lines: Lines, client: VertexClient, iris_export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watch = VertexClient.watch

    def interrupted(self: VertexClient, operation: Operation, **options: Any) -> Iterator[OperationUpdate]:
        if operation.metadata and operation.metadata.operationType == "CREATE_VERSION":
            raise KeyboardInterrupt
        return watch(self, operation, **options)

    with monkeypatch.context() as patch:
        patch.setattr(VertexClient, "watch", interrupted)
        operation = lines(f"deploy v1 --model iris --origin {iris_export} {WHERE}")
        assert isinstance(operation, Operation)
        assert isinstance(lines.face.events[-1], Detached)
    attached = lines(f"attach {WHERE}")
    assert (attached.id, attached.state) == ("v1", "READY")
    other = Path(shutil.copytree(iris_export, tmp_path / "iris"))
    (other / "notes.txt").write_text("changed", encoding="utf-8")
    line = f"deploy v2 --model iris --origin {other} {WHERE}"
    with monkeypatch.context() as patch:
        patch.setattr(VertexClient, "watch", interrupted)
        with pytest.raises(Interrupted, match="canceled") as caught:
            lines(f"{line} --cancel-on-interrupt")
        assert isinstance(lines.face.events[-1], Failed)
    state = "READY"  # if the model was loaded before the cancellation came
    try:
        client.wait(client.get_operation(caught.value.where))
    except OperationFailed:
        state = "UNDEPLOYED"
    left = client.get_version("iris", "v2")
    assert left.state == state
    version = lines(line)  # the run after it uses what was uploaded
    assert (version.modelVersion, version.state) == (left.modelVersion, "READY")


def test_vertex_undeploys_and_deploys_again_and_replaces(
    lines: Lines, client: VertexClient, iris_export: Path, tmp_path: Path
) -> None:
    line = f"deploy v1 --model iris --origin {iris_export} {WHERE}"
    with pytest.raises(FieldError, match="requires an image"):
        lines(f"create-version v1 --model iris --origin gs://aip-local-vertex-us-central1/iris/v1 {WHERE}")
    lines(line)
    with pytest.raises(OptionError, match="AI Platform serves a version for as long as it exists"):
        lines("undeploy v1 --model iris")
    assert lines(f"undeploy v1 --model iris {WHERE}").state == "UNDEPLOYED"
    for start, body in (("undeploy v1", None), ("predict", "[[5.1, 3.5, 1.4, 0.2]]")):
        with pytest.raises(FailedPrecondition) as refused:
            lines(f"{start} --model iris {WHERE}", body)
        assert [one.state for one in lines(f"{refused.value.fix.removeprefix('%aip_')} {WHERE}")] == ["UNDEPLOYED"]
    for command in ("logs v1", "describe v1 --stats", "compare v1 v1 --from-log 5"):
        with pytest.raises(OptionError, match="the embedded server has this for versions of AI Platform's API only"):
            lines(f"{command} --model iris {WHERE}")
    lines(f"traffic iris {WHERE}")
    assert "no version of the model gets requests" in text.of(lines.face.shown[-1])
    with pytest.raises(NotFound) as unknown:
        lines(f"predict --model other {WHERE}", "[[5.1, 3.5, 1.4, 0.2]]")
    assert unknown.value.fix == "%aip_list"
    with pytest.raises(FailedPrecondition, match="v1 of model iris is not deployed") as caught:
        lines(f"predict --model iris --version v1 {WHERE}", "[[5.1, 3.5, 1.4, 0.2]]")
    assert "%aip_deploy v1 --model iris" in caught.value.fix
    assert lines(line).modelVersion.endswith("iris@1")
    other = Path(shutil.copytree(iris_export, tmp_path / "iris"))
    (other / "notes.txt").write_text("changed", encoding="utf-8")
    with pytest.raises(AlreadyExists, match="differs"):
        lines(f"deploy v1 --model iris --origin {other} {WHERE}")
    replaced = lines(f"deploy v1 --model iris --origin {other} --replace {WHERE}")
    assert (replaced.state, replaced.trafficPercentage, len(client.list_versions("iris"))) == ("READY", 100, 1)
    with pytest.raises(AlreadyExists, match="machineType: deployed n1-standard-2, requested n1-standard-4"):
        lines(f"deploy v1 --model iris --origin {other} --machine-type n1-standard-4 {WHERE}")
    changed = lines(f"update v1 --model iris --max-nodes 3 --description new --update-labels a=b {WHERE}")
    assert (changed.autoScaling.maxNodes, changed.description, changed.labels) == (3, "new", {"a": "b"})


def test_vertex_keeps_the_files_that_a_version_of_the_other_api_uses(lines: Lines, iris_export: Path) -> None:
    lines(f"deploy v1 --model iris --origin {iris_export}")
    origin = "gs://aip-local-aiplatform/iris/v1/"
    lines(f"deploy v1 --model moved --origin {origin} --framework scikit-learn --trust {WHERE}")
    lines("delete v1 --model iris --yes --artifacts")
    assert lines(f"deploy v1 --model again --origin {origin} --framework scikit-learn --trust {WHERE}").state == "READY"
