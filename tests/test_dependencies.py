"""pyproject.toml declares each distribution that the package imports, and no other one."""

from __future__ import annotations

import ast
import functools
import importlib.metadata
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import aip_magics

PACKAGE = Path(aip_magics.__file__).parent
# The worker uses what the served model's environment has, the demo what the extra `sklearn` installs.
FRAMEWORKS = {"joblib", "numpy", "pandas", "scipy", "sklearn", "tensorflow", "threadpoolctl", "xgboost"}
OTHERS = sys.stdlib_module_names | FRAMEWORKS | {"aip_magics"}


def declared() -> dict[str, set[str]]:
    """The files of each dependency, without extras, by the distribution's name.

    One that only another Python needs is not installed here: its module is taken to have its name.
    """
    found: dict[str, set[str]] = {}
    for text in importlib.metadata.requires("aip-magics") or ():
        requirement, marker = Requirement(text), Requirement(text).marker
        name = canonicalize_name(requirement.name)
        if marker is not None and not marker.evaluate({"extra": ""}):
            found |= {} if "extra" in str(marker) else {name: {f"{name}.py"}}
        else:
            found[name] = {file.as_posix() for file in importlib.metadata.files(name) or ()}
    return found


@functools.cache
def imported() -> list[tuple[str, str]]:
    """Location and dotted name of every import of another distribution; `from a import b` gives `a.b`.

    `importlib.import_module` counts where the names are literal.
    """
    found: list[tuple[str, str]] = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "import_module":
                module = node.args[0]
                choices = [module.body, module.orelse] if isinstance(module, ast.IfExp) else [module]
                names = [str(each.value) for each in choices if isinstance(each, ast.Constant)]
            for name in names:
                first = name.partition(".")[0]
                if first not in OTHERS:
                    found.append((f"{path.relative_to(PACKAGE)}:{node.lineno}", name))
    return found


def provides(files: set[str], name: str) -> bool:
    """Whether a distribution has the module, or the module whose attribute the last part of the name is."""
    parts = name.split(".")
    paths = ["/".join(parts), *(["/".join(parts[:-1])] if len(parts) > 1 else [])]
    return any(f"{path}{end}" in files for path in paths for end in (".py", "/__init__.py"))


@pytest.mark.slow
def test_dependencies_declare_every_import() -> None:
    files = declared()
    undeclared = [
        f"{where}: {name}" for where, name in imported() if not any(provides(each, name) for each in files.values())
    ]
    assert undeclared == []


def test_dependencies_are_all_imported() -> None:
    names = {name for _, name in imported()}
    unused = {
        distribution for distribution, files in declared().items() if not any(provides(files, name) for name in names)
    }
    assert unused == set()
