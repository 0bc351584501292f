"""A million brackets, written into a cell, a file or a value: an error of one line, from every way instances come."""

from __future__ import annotations

from pathlib import Path

import pytest
from resource_lines import Lines

from aip_magics.commands.common.cell_body import read_yaml
from aip_magics.errors import CellError, InstancesError, PredictionError
from aip_magics.prediction import local_predict

DEEP = 1_000_000
WRITTEN = 50_000  # the reader of YAML takes longer to get that far


@pytest.mark.slow
@pytest.mark.parametrize("line", ["predict --model iris", "local-predict --model-dir {export}"])
def test_instances_nested_in_a_cell(home: Path, iris_export: Path, line: str) -> None:
    for body in ("[" * DEEP, "instances: " + "[" * WRITTEN):
        with pytest.raises(InstancesError, match="nested too deeply") as caught:
            Lines(home)(line.format(export=iris_export), body)
        assert len(str(caught.value)) < 300


@pytest.mark.parametrize("flag", ["--json-instances", "--json-request"])
def test_instances_nested_in_a_file(home: Path, tmp_path: Path, flag: str) -> None:
    path = tmp_path / "instances"
    path.write_text('{"instances": ' * (flag == "--json-request") + "[" * DEEP + "]" * DEEP)
    with pytest.raises(InstancesError, match="nested too deeply") as caught:
        Lines(home)(f"predict --model iris {flag} {path}")
    assert flag in caught.value.where


def test_instances_nested_in_a_value(home: Path) -> None:
    value: list[object] = []
    for _ in range(50_000):
        value = [value]
    with pytest.raises(InstancesError, match="nested too deeply"):
        local_predict("nowhere", value)
    with pytest.raises(InstancesError, match="nested too deeply"):
        Lines(home, names={"deep": value})("predict --model iris", "instances: $deep")


@pytest.mark.slow
def test_instances_in_a_hand_written_request(iris_export: Path) -> None:
    """The worker reads it, as the service does, and says so; it goes on."""
    with pytest.raises(PredictionError, match="Invalid inputs: the request is not JSON"):
        local_predict(iris_export, body=b'{"instances": ' + b"[" * DEEP, framework="SCIKIT_LEARN")
    assert local_predict(iris_export, [[5.1, 3.5, 1.4, 0.2]])["predictions"]


def test_instances_nested_in_any_other_cell() -> None:
    with pytest.raises(CellError, match="nested too deeply"):
        read_yaml("a: " + "{b: " * WRITTEN)
