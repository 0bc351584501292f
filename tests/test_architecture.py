"""The layout of the house, held by the code itself: imports point one way, frameworks stay in the worker."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "aip_magics"
FILES = sorted(PACKAGE.rglob("*.py"))
# From the top to the bottom; what stands on one line may not import each other unless it is said here.
LAYERS = (
    ("notebook", "server", "__main__", "demo"),
    ("commands", "render"),
    ("deploy",),
    ("checks", "storage", "prediction", "client", "targets"),
    ("artifacts", "catalog"),
    ("spec", "events", "settings", "errors"),
)
BESIDE = {
    ("demo", "__main__"),
    ("__main__", "demo"),
    ("targets", "client"),
    ("artifacts", "catalog"),
    ("spec", "errors"),
    ("events", "errors"),
    ("settings", "errors"),
    ("settings", "spec"),
}
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
FRAMEWORKS = {"sklearn", "xgboost", "tensorflow", "joblib", "numpy", "pandas", "ray", "dask"}
WORKER = PACKAGE / "prediction" / "worker"


def part(path: Path) -> str:
    """The part of the package a file belongs to: `deploy` for deploy/run.py, `spec` for spec.py."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The full names of all modules a file imports, wherever in the file it does."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def parts_imported(path: Path) -> set[str]:
    names = (name.split(".") for name in imported(path) if name.startswith("aip_magics."))
    return {name[1] for name in names if name[1] in LEVEL}


def test_every_part_has_its_layer() -> None:
    assert {part(path) for path in FILES} - set(LEVEL) == {"__init__"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    own = part(path)
    if own == "__init__":
        return
    wrong = {
        other
        for other in parts_imported(path) - {own}
        if LEVEL[other] < LEVEL[own] or (LEVEL[other] == LEVEL[own] and (own, other) not in BESIDE)
    }
    assert not wrong, f"{own} imports {', '.join(sorted(wrong))}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_frameworks_are_imported_in_the_worker_only(path: Path) -> None:
    roots = {name.split(".")[0] for name in imported(path)}
    if path.is_relative_to(WORKER):
        assert "aip_magics" not in roots, "the worker runs where this package is not installed"
    elif path.name != "demo.py":  # the demo trains a model, as its user would
        assert not roots & FRAMEWORKS


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_stay_small(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= 450


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.name == "__init__.py"], ids=lambda path: path.parent.name
)
def test_all_is_the_public_api(path: Path) -> None:
    """What `__all__` names is there, and what a package imports into its `__init__` is named in it."""
    tree = ast.parse(path.read_text("utf-8"))
    assigned = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"
    ]
    if not assigned:
        return
    module = __import__(".".join(path.parent.relative_to(PACKAGE.parent).parts), fromlist=["x"])
    assert sorted(assigned[0]) == sorted(set(assigned[0]))
    assert [name for name in assigned[0] if not hasattr(module, name)] == []
