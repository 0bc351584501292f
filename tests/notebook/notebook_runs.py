"""Executes the notebooks of `notebooks/`. As a script it writes them (or those named) anew, with their outputs."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import nbformat

from aip_magics.targets import local

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def executed(path: Path, directory: Path, variables: Mapping[str, str]) -> nbformat.NotebookNode:
    """The notebook with the outputs of a run in this directory. Its kernel gets these environment variables."""
    import nbclient  # here, since its grammar of URIs takes two seconds to compile
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": directory}},
        store_widget_state=False,  # what a form leaves is HTML; the state of closed widgets is nobody's
        record_timing=False,
        # What C code writes below Python (TensorFlow as it is imported) differs from machine to machine.
        extra_arguments=["--IPKernelApp.capture_fd_output=False"],
    )
    client.execute(env={**variables, "PYTHONPATH": str(ROOT)})
    notebook.metadata.language_info = {"name": "python"}  # the rest tells of the machine
    return notebook


def write_anew(path: Path) -> None:
    """Execute the notebook with a home and an embedded server of its own, and keep its outputs."""
    import nbformat

    with tempfile.TemporaryDirectory() as name:
        home, directory = Path(name, "home").resolve(), Path(name, "run").resolve()
        directory.mkdir()
        kept = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("AIP_MAGICS_", "CLOUDSDK_", "GOOGLE_"))
        }
        try:
            variables = {"AIP_MAGICS_HOME": str(home), "CLOUDSDK_CONFIG": str(home / "gcloud"), "AIP_MAGICS_LANG": "en"}
            text = nbformat.writes(executed(path, directory, {**kept, **variables}))
            shown_as = {
                directory: "/home/you/notebooks",
                home: "/home/you/.local/share/aip-magics",
                sys.prefix: "/home/you/.venv",
            }
            for place, shown in shown_as.items():
                text = text.replace(str(place), shown)
            path.write_text(f"{text}\n", "utf-8")
        finally:
            local.stop(home)


if __name__ == "__main__":
    asked = sys.argv[1:]
    for notebook in NOTEBOOKS:
        if not asked or notebook.stem in asked:
            write_anew(notebook)
