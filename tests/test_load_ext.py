"""Loading the extension must not be felt: nothing heavy is imported before it is used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("google.cloud.storage", "google.auth", "requests", "ipywidgets", "yaml", "starlette", "uvicorn", "sklearn")
CODE = f"""
import sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = set(sys.modules)
shell.run_line_magic("load_ext", "aip_magics")
new = set(sys.modules) - before
print([name for name in {HEAVY!r} if name in new])
print([name for name in shell.user_ns if "aip" in name])
print(sorted(name for name in shell.magics_manager.magics["line"] if name.startswith("aip_")))
"""


@pytest.mark.slow
def test_load_ext_imports_nothing_heavy_and_leaves_no_name(tmp_path: Path) -> None:
    root = str(Path(__file__).parents[1])
    result = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": root, "HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "IPYTHONDIR": str(tmp_path)},
    )
    heavy, names, magics = result.stdout.strip().splitlines()
    assert heavy == "[]"
    assert names == "[]"
    assert "'aip_deploy'" in magics
