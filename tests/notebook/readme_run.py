"""Runs the README's quick start in a real kernel. As a script it writes the panel into both READMEs."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from notebook_runs import ROOT, executed

from aip_magics.targets import local

READMES = (ROOT / "README.md", ROOT / "README.ko.md")
BLOCK = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What differs from run to run and from machine to machine.
VARYING = (
    (r"create_iris_v1-\d+", "create_iris_v1-N"),
    (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
    (r"\d+(\.\d+)? s\b", "T s"),
    (r"\d+(\.\d+)? k?B\b", "SIZE"),
    (r"scikit-learn [\d.]+\d", "scikit-learn N"),
    (r" {2,}", "  "),
)


def quick_start(readme: str) -> tuple[list[str], str]:
    """The cells of the section and the text of the panel below them."""
    section = readme.partition("\n## Quick start\n")[2].partition("\n## ")[0]
    before, _, details = section.partition("<details")
    [panel] = BLOCK.findall(details)
    return BLOCK.findall(before), panel


def panel_of(cells: list[str], directory: Path, variables: Mapping[str, str]) -> str:
    """The text of the last cell's first output after a run of the cells in this directory."""
    import nbformat

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell.rstrip("\n")) for cell in cells])
    path = directory / "readme.ipynb"
    nbformat.write(notebook, path)
    text: str = executed(path, directory, variables).cells[-1].outputs[0]["data"]["text/plain"]
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def same_everywhere(panel: str) -> str:
    for pattern, name in VARYING:
        panel = re.sub(pattern, name, panel)
    return panel


def write_panels() -> None:
    """Run the cells with a home and an embedded server of their own, and keep the panel."""
    cells, old = quick_start(READMES[0].read_text("utf-8"))
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("AIP_", "CLOUDSDK_", "GOOGLE_"))}
    with tempfile.TemporaryDirectory() as name:
        home = Path(name, "home").resolve()
        variables = {"AIP_MAGICS_HOME": str(home), "CLOUDSDK_CONFIG": str(home / "gcloud"), "AIP_MAGICS_LANG": "en"}
        try:
            new = panel_of(cells, Path(name), {**kept, **variables})
        finally:
            local.stop(home)
    if same_everywhere(new) == same_everywhere(old):
        return  # only times, ports and releases would change
    for readme in READMES:
        readme.write_text(readme.read_text("utf-8").replace(old, new), "utf-8")


if __name__ == "__main__":
    sys.exit(write_panels())
