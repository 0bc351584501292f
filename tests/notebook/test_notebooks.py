"""The notebooks in `notebooks/` are documentation that runs, kept with the outputs of a run."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from notebook_runs import NOTEBOOKS, executed

from aip_magics.commands.verbs import VERBS, magic_name
from aip_magics.targets import local

if TYPE_CHECKING:
    import nbformat

pytestmark = pytest.mark.slow  # nbformat alone takes seconds to import
NEEDS = {"tensorflow": "tensorflow", "xgboost": "xgboost"}
# Where files of whoever made the outputs would lie, but for the place that stands for them all.
PLACES = "home(?!/you/)|root|tmp|work|usr|opt|var|mnt|Users|private"
OF_A_MACHINE = re.compile(rf"(?<![\w./-])(?:file://)?/(?:{PLACES})/[^\s<\"'),]*")
SECRET = re.compile(r"Bearer (?!%s)\S|ya29\.|private_key")


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    return request.param


def kept_notebook(path: Path) -> nbformat.NotebookNode:
    """A notebook as it is kept, of the form that the format's schema demands."""
    import nbformat  # here, since its grammar of URIs takes two seconds to compile

    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def outputs(notebook: nbformat.NotebookNode) -> list[list[object]]:
    """What each code cell left: the kind of each output, and in which forms."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [[(one.output_type, *sorted(one.get("data", {}))) for one in cell.outputs] for cell in cells]


def test_notebooks_run_and_look_as_they_are_kept(path: Path, embedded: Path, tmp_path: Path) -> None:
    needed = NEEDS.get(path.stem, "sklearn")
    if importlib.util.find_spec(needed) is None:
        pytest.skip(f"{needed} is not installed")
    import nbformat

    run = executed(path, tmp_path, os.environ)
    nbformat.validate(run)
    text = nbformat.writes(run)
    assert "application/vnd.jupyter.widget-view+json" not in text
    state = local.running(embedded)
    assert state is not None, "the notebook deployed nothing"
    assert state.token not in text
    kept = kept_notebook(path)
    assert outputs(run) == outputs(kept), f"run: python tests/notebook/notebook_runs.py {path.stem}"


def test_notebooks_tell_nothing_of_who_made_them(path: Path) -> None:
    notebook = kept_notebook(path)
    assert any(outputs(notebook)), "notebooks are kept with the outputs of a run"
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    assert "error" not in {kind for cell in outputs(notebook) for kind, *_ in cell}
    text = json.dumps(notebook, ensure_ascii=False)
    assert OF_A_MACHINE.findall(text) == []
    assert SECRET.findall(text) == []
    assert "application/vnd.jupyter.widget-view+json" not in text
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


def test_notebooks_with_traces_of_their_maker_are_found() -> None:
    found = OF_A_MACHINE.findall("at /home/you/.venv/bin/python, at (/home/me/x), file:///tmp/y, gs://b/tmp/z")
    assert found == ["/home/me/x", "file:///tmp/y"]
    assert SECRET.search('"Authorization: Bearer abc"')
    assert not SECRET.search("Authorization: Bearer %s")


def test_notebooks_have_a_sentence_before_every_cell_that_runs(path: Path) -> None:
    told = ""
    for cell in kept_notebook(path).cells:
        if cell.cell_type == "markdown":
            told = cell.source
            continue
        assert re.search(r"^[^#\s]", told, re.MULTILINE), f"nothing but a heading or a cell before: {cell.source}"
        told = ""


def test_notebooks_use_existing_magics_and_all_common_ones() -> None:
    cells = [cell for path in NOTEBOOKS for cell in kept_notebook(path).cells]
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    used = set(re.findall(r"%%?(aip_\w+)", code))
    assert used <= {magic_name(verb) for verb in VERBS}
    others = {"wait", "attach", "cancel", "operations", "pull", "remove", "config", "server", "autoload", "trust"}
    assert {magic_name(verb) for verb in VERBS.keys() - others} <= used
