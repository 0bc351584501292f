"""The target vertex while an operation runs, fails, or is left running; with a custom prediction routine."""

from __future__ import annotations

from pathlib import Path

import pytest
from custom_models import ROUTINE, routine_dir, sdist
from resource_lines import Lines

from aip_magics.errors import OperationFailed
from aip_magics.events import StepFinished
from aip_magics.spec import Operation

WHERE = "--target vertex --endpoint local"
FIRST_LINE = "def from_path(cls, model_dir):\n"
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
