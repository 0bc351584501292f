"""The target vertex while an operation runs, fails, or is left running; with a custom prediction routine."""

from __future__ import annotations

from pathlib import Path

import pytest
from custom_models import ROUTINE, routine_dir, sdist
from resource_lines import Lines

from aip_magics.errors import FailedPrecondition, OperationFailed
from aip_magics.events import StepFinished
from aip_magics.spec import Operation

WHERE = "--target vertex --endpoint local"
FIRST_LINE = "def from_path(cls, model_dir):\n"
SLOW = ROUTINE.replace(FIRST_LINE, f"{FIRST_LINE}        import time; time.sleep(3)\n")
BROKEN = ROUTINE.replace(FIRST_LINE, f"{FIRST_LINE}        raise RuntimeError('no such table')\n")


@pytest.fixture
def lines(embedded: Path) -> Lines:
    return Lines(embedded)


def code(directory: Path, text: str) -> Path:
    directory.mkdir()
    return sdist(directory, "my_routine", my_routine=text)


def test_vertex_serves_an_old_routine_and_recovers_from_a_failed_deployment(lines: Lines, tmp_path: Path) -> None:
    origin = routine_dir(tmp_path / "offset")
    line = f"deploy --model offset --origin {origin} --prediction-class my_routine.Routine {WHERE}"
    with pytest.raises(OperationFailed) as caught:
        lines(f"{line} --package-uris {code(tmp_path / 'broken', BROKEN)} --trust")
    assert "no such table" in caught.value.message
    assert caught.value.fix
    [left] = lines(f"list --model offset {WHERE}")
    assert (left.id, left.state) == ("v1", "UNDEPLOYED")
    version = lines(f"{line} --package-uris {code(tmp_path / 'fixed', ROUTINE)}", "test:\n  instances: [5.0]\n")
    assert (version.id, version.state, version.isDefault, version.trafficPercentage) == ("v2", "READY", True, 100)
    said = {event.step: event.summary for event in lines.face.of(StepFinished)}
    assert "identical to the local predictions" in said["predict"]


def test_vertex_changes_no_model_while_a_version_is_being_deployed(lines: Lines, tmp_path: Path) -> None:
    line = f"--model offset --origin {routine_dir(tmp_path / 'offset')} --prediction-class my_routine.Routine {WHERE}"
    code_line = f"{line} --package-uris {code(tmp_path / 'slow', SLOW)} --trust"
    operation = lines(f"deploy v1 {code_line} --async")
    for change in (
        f"deploy v2 {code_line}",
        *(f"{verb} v1 --model offset {WHERE}" for verb in ("delete --yes", "undeploy")),
    ):
        with pytest.raises(FailedPrecondition, match="version v1 of model offset is still being deployed") as caught:
            lines(change)
        assert caught.value.fix.startswith("wait until the operation is done")
    lines(f"attach {operation.name} {WHERE}")
    [version] = lines(f"list --model offset {WHERE}")  # v2 has not taken its place as the default version
    assert (version.id, version.state, version.isDefault, version.trafficPercentage) == ("v1", "READY", True, 100)


def test_vertex_attaches_to_an_operation_that_was_left_running(lines: Lines, iris_export: Path) -> None:
    operation = lines(f"deploy --model iris --origin {iris_export} --async {WHERE}")
    assert isinstance(operation, Operation)
    assert "/locations/us-central1/endpoints/iris/operations/" in operation.name
    again = lines(f"deploy --model iris --origin {iris_export} {WHERE}")  # waits for the same operation
    version = lines(f"attach {operation.name} {WHERE}")
    assert (version, version.id, version.state) == (again, "v1", "READY")
    number = operation.name.rpartition("/")[2]
    found = lines(f"operations describe {number} {WHERE}")
    assert (found.done, found.metadata.operationType, found.metadata.modelName.rpartition("/")[2]) == (
        True, "CREATE_VERSION", "iris",
    )  # fmt: skip
    kinds = [one.metadata.operationType for one in lines(f"list --operations {WHERE}")]
    assert kinds == ["CREATE_VERSION", "UPLOAD_MODEL", "CREATE_ENDPOINT"]
