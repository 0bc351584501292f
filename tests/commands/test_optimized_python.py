"""`python -OO` strips docstrings and asserts: everything does the same, with the same results."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from aip_magics.commands.verbs import VERBS

ROOT = str(Path(__file__).parents[2])
OPTIMIZE = ("", "2")
HELP = """
import contextlib, io, sys
from aip_magics.__main__ import main
for verb in sys.argv[1:]:
    print(verb)
    main([verb, "--help"])
"""
CHECK_PAGE = """
from aip_magics import checks
print(len(checks.RULES), len(checks.ONLINE_RULES), checks.rule_label("A02"))
"""
LOAD_EXT = """
import sys
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

config = Config()
config.HistoryManager.enabled = False
shell = InteractiveShell.instance(config=config)
shell.run_line_magic("load_ext", "aip_magics")
shell.run_line_magic("aip_check", sys.argv[1])
shell.run_line_magic("aip_check", "--help")
print(len(shell.Completer.complete("%aip_dep")[1]))
"""


def python(optimize: str, *arguments: object) -> str:
    """What a Python prints with PYTHONOPTIMIZE set to this value."""
    environ = {**os.environ, "PYTHONPATH": ROOT, "PYTHONOPTIMIZE": optimize}
    done = subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, env=environ, timeout=240
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.slow
def test_optimized_python_really_strips_docstrings() -> None:
    code = "import aip_magics.checks.rule as rule; print(rule.rule.__doc__)"
    assert python("2", "-c", code).strip() == "None"


@pytest.mark.slow
@pytest.mark.parametrize("code", [HELP, CHECK_PAGE])
def test_optimized_python_has_the_same_help_and_rules(code: str) -> None:
    plain, optimized = (python(optimize, "-c", code, *VERBS) for optimize in OPTIMIZE)
    assert plain == optimized
    assert plain.strip()


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["check", "deploy"])
def test_optimized_python_checks_and_plans_the_same(verb: str, iris_export: Path, tmp_path: Path) -> None:
    words: list[object] = (
        ["--model", "iris", "--origin", iris_export, "--dry-run"] if verb == "deploy" else [iris_export]
    )
    plain, optimized = (python(optimize, "-m", "aip_magics", verb, *words) for optimize in OPTIMIZE)
    assert plain == optimized
    assert plain.strip()


@pytest.mark.slow
def test_optimized_python_loads_the_extension(iris_export: Path) -> None:
    plain, optimized = (python(optimize, "-c", LOAD_EXT, iris_export) for optimize in OPTIMIZE)
    assert plain == optimized
    assert "usage: %aip_check" in plain


def test_optimized_python_deploys_and_predicts(embedded: Path, iris_export: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.json"
    rows.write_text("[5.1, 3.5, 1.4, 0.2]\n[6.7, 3.0, 5.2, 2.3]\n")
    shown = python("2", "-m", "aip_magics", "deploy", "--model", "iris", "--origin", iris_export)
    assert re.search(r"^state: READY$", shown, re.MULTILINE)
    asked = python("2", "-m", "aip_magics", "predict", "--model", "iris", "--json-instances", rows, "--format", "json")
    assert json.loads(asked) == {"predictions": [0, 2]}
