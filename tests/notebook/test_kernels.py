"""Real kernels: what a notebook saves, what a second kernel finds, how CI sees a failure."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from aip_magics.targets import local

ROOT = Path(__file__).parents[2]


def run(*cells: str, cwd: Path) -> Any:
    """Execute the cells in a fresh kernel; returns the notebook."""
    import nbclient  # here, since its grammar of URIs takes two seconds to compile
    import nbformat

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": cwd}}
    )
    client.execute(env={**os.environ, "PYTHONPATH": str(ROOT)})
    return notebook


def bundles(cell: Any) -> list[dict[str, Any]]:
    return [output.data for output in cell.outputs if output.output_type in ("display_data", "execute_result")]


LOAD = "%load_ext aip_magics"
PREDICT = "%%aip_predict --model iris\n- [5.1, 3.5, 1.4, 0.2]"


def test_kernel_deploys_and_a_second_one_finds_it(embedded: Path, iris_export: Path, tmp_path: Path) -> None:
    cell = f"%%aip_deploy --model iris --origin {iris_export}\ntest:\n  instances:\n  - [5.1, 3.5, 1.4, 0.2]"
    import nbformat

    first = run(LOAD, cell, PREDICT, cwd=tmp_path)
    server = local.running(embedded)
    assert server is not None
    panels = bundles(first.cells[1])
    assert all({"text/html", "text/plain"} <= panel.keys() for panel in panels[:-1])
    assert "application/vnd.jupyter.widget-view+json" not in str(first)
    assert "READY" in panels[0]["text/html"]
    assert any("state: READY" in panel["text/plain"] for panel in panels)
    assert all(len(panel["text/html"].encode()) <= 4096 for panel in panels if "text/html" in panel)
    assert server.token not in nbformat.writes(first)

    second = run(LOAD, "version = %aip_describe v1 --model iris", "print(version.state)", PREDICT, cwd=tmp_path)
    assert second.cells[2].outputs[0].text == "READY\n"
    assert bundles(second.cells[3])[0] == bundles(first.cells[2])[0]
    again = local.running(embedded)
    assert again is not None
    assert again.pid == server.pid


def test_kernel_compares_promotes_and_rolls_back(embedded: Path, iris_export: Path, tmp_path: Path) -> None:
    model = f"import joblib\nX = [[5.1, 3.5, 1.4, 0.2]] * 3\nmodel = joblib.load({str(iris_export / 'model.joblib')!r})"
    notebook = run(
        LOAD,
        model,
        "%aip_deploy v1 --model iris --origin $model --quiet",
        "%aip_deploy v2 --model iris --origin $model --quiet",
        "found = %aip_compare v1 v2 --instances $X",
        "print(found.instances, found.is_equal, found.left.requests)",
        "%aip_promote v2",
        "%aip_rollback",
        "%aip_traffic iris",
        cwd=tmp_path,
    )
    assert notebook.cells[5].outputs[0].text == "3 True 3\n"
    compared, promoted, rolled_back, shown = (bundles(notebook.cells[number])[-1] for number in (4, 6, 7, 8))
    assert "all 3 predictions are equal" in compared["text/html"]
    assert "%aip_rollback --model iris" in promoted["text/html"]
    assert rolled_back["text/plain"].splitlines()[2].split()[0] == "v1"
    assert "100 %" in shown["text/html"]


@pytest.mark.parametrize(
    ("cell", "name", "text"),
    [
        ("%aip_deploy --origin nowhere", "ModelDirError", "nowhere"),
        ("%aip_deploy --orign x", "OptionError", "did you mean '--origin'"),
        ("%aip_predict --model iris", "InstancesError", "instances"),
        ("%%aip_deploy --origin x\ntest: [", "CellError", "line"),
    ],
)
def test_kernel_tells_a_mistake_in_a_few_lines(embedded: Path, tmp_path: Path, cell: str, name: str, text: str) -> None:
    from nbclient.exceptions import CellExecutionError

    with pytest.raises(CellExecutionError) as caught:
        run(LOAD, cell, cwd=tmp_path)
    assert caught.value.ename == name
    lines = [line for line in caught.value.traceback.splitlines() if text in line]
    assert lines
    assert "Traceback (most recent call last)" not in caught.value.traceback
