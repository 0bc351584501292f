"""The form in a real kernel: shown fast, deployed while other cells run, and nothing of it left in the saved file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
SECRET = "s3cr3t-value"


def run(*cells: str, cwd: Path) -> Any:
    import nbclient  # here, since its grammar of URIs takes two seconds to compile
    import nbformat

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    resources = {"metadata": {"path": cwd}}
    (cwd / "typed").write_text(SECRET)  # so that it is in no cell's source
    client = nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources)
    client.execute(env={**os.environ, "PYTHONPATH": str(ROOT)})
    return notebook


def written(notebook: Any) -> str:
    """The text of the notebook's file."""
    import nbformat

    return nbformat.writes(notebook)


def printed(cell: Any) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def test_form_deploys_while_cells_run_and_leaves_no_widget(embedded: Path, iris_export: Path, tmp_path: Path) -> None:
    saved = run(
        "%load_ext aip_magics",
        f"form = %aip_form --model-dir {iris_export}",
        # As a page would fill it in; the instances are nobody's business.
        "form.view.controls['description'].value = 'from the form'\n"
        "form.view.controls['test'].value = '[[5.1, 3.5, 1.4, 0.2]] # ' + open('typed').read()\n"
        "form.view.deploy_button.click()",
        "print('the kernel is free', form.is_open)",
        "print(form.wait(100).state)",
        cwd=tmp_path,
    )
    text = written(saved)
    assert printed(saved.cells[3]) == "the kernel is free False\n"
    assert printed(saved.cells[4]) == "READY\n"
    assert "application/vnd.jupyter.widget-view+json" not in text
    assert "TextModel" in text  # the state of widgets is saved, too,
    assert SECRET not in text  # and has nothing of what was typed
    shown = [output.data for output in saved.cells[1].outputs]
    assert "Deployed from a form" in shown[0]["text/plain"]
    assert any("state: READY" in data["text/plain"] for data in shown)
    assert [output for cell in saved.cells[2:4] for output in cell.outputs if "data" in output] == []


def test_form_api_takes_a_model_and_keeps_nothing_of_a_cancelled_form(embedded: Path, tmp_path: Path) -> None:
    saved = run(
        "from aip_magics import aip_form\n"
        "from sklearn.linear_model import LogisticRegression\n"
        "model = LogisticRegression().fit([[0.0], [1.0]], [0, 1])",
        "form = aip_form(model, model='tiny', test=[[0.2]], labels={'team': 'a'})\n"
        "assert form.state.can_deploy, form.state.problems\n"
        "assert form.state.deployment.version.labels == {'team': 'a'}",
        "form.view.controls['description'].value = open('typed').read()\nform",
        "form.test()\nform.wait(60)\nprint('1 prediction' in form.view.result.value)",
        "form.cancel()",
        cwd=tmp_path,
    )
    assert printed(saved.cells[3]) == "True\n"
    assert saved.cells[2].outputs == []  # the form as a value is not shown a second time
    text = written(saved)
    assert SECRET not in text
    assert "application/vnd.jupyter.widget-view+json" not in text


def test_form_cell_ends_with_a_semicolon_for_no_value(embedded: Path, iris_export: Path, tmp_path: Path) -> None:
    saved = run("%load_ext aip_magics", f"%aip_form --model-dir {iris_export};", cwd=tmp_path)
    assert [output.output_type for output in saved.cells[1].outputs] == [
        "display_data"
    ] * 5  # `;`: no value, but the form
