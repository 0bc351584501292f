"""The README's quick start runs as it stands, and shows the panel that stands below it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from readme_run import READMES, panel_of, quick_start, same_everywhere


def test_readme_quick_start_runs_and_shows_its_panel(embedded: Path, tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    cells, panel = quick_start(READMES[0].read_text("utf-8"))
    assert len(cells) == 3
    shown = panel_of(cells, tmp_path, os.environ)
    assert same_everywhere(shown) == same_everywhere(panel), "run: python tests/notebook/readme_run.py"
