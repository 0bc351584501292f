"""The layers stay as ARCHITECTURE.md lists them: imports point one way, frameworks stay in the worker."""

from __future__ import annotations

import ast
import functools
import graphlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import aip_magics
from aip_magics.target_types import OWN_NAMES

PACKAGE = Path(aip_magics.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES = 450


def layers() -> tuple[set[str], ...]:
    """The list of ARCHITECTURE.md, from top to bottom: a line may import itself, in no circle, and the lines below."""
    page = (Path(__file__).parents[1] / "ARCHITECTURE.md").read_text(encoding="utf-8")
    [block] = re.findall(r"^```text\n(notebook, .*?)^```$", page, re.MULTILINE | re.DOTALL)
    return tuple(set(line.split(", ")) for line in block.splitlines())


LAYERS = layers()
RANKS = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
FRAMEWORKS = {"sklearn", "xgboost", "tensorflow", "joblib", "numpy", "pandas", "scipy"}
# They import a framework: the worker, which is a process of its own, and the demo, which trains the model it shows.
TRAINED = {"prediction/worker/", "demo.py"}
# They print: what the command line and the magics answer with is theirs to write.
PRINTING = {"__main__.py", "demo.py", "notebook/magics.py"}


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def part_of(path: Path) -> str:
    """The part of the package a file belongs to: its directory, or the module at the top."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


Named = list[tuple[int, str]]  # lines and what stands there


@functools.cache
def looked_at(path: Path) -> tuple[Named, Named, Named]:
    """Line and dotted name of everything that a file imports, also inside functions; of the functions that it calls;
    and of the texts that it compares something with.
    """
    imports: Named = []
    calls: Named = []
    compared: Named = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            calls.append((node.lineno, node.func.id))
        elif isinstance(node, ast.Compare):
            constants = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]
            compared += [(node.lineno, each) for each in constants if isinstance(each, str)]
        elif isinstance(node, ast.Import):
            imports += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 or is_worker(path), f"{name_of(path)}:{node.lineno}: a relative import"
            module = node.module or ""
            # `from aip_magics import spec` imports the part `spec`; `__version__` belongs to the package itself.
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "aip_magics" else [module]
            imports += [(node.lineno, name) for name in names]
    return imports, calls, compared


def imported(path: Path) -> Named:
    return looked_at(path)[0]


def is_worker(path: Path) -> bool:
    return name_of(path).startswith("prediction/worker/")


def parts_imported(path: Path) -> Iterator[tuple[int, str]]:
    for line, name in imported(path):
        first, _, rest = name.partition(".")
        if first == "aip_magics":
            part = rest.partition(".")[0]
            yield line, part if part in RANKS else "__init__"


def test_architecture_every_part_has_its_layer():
    assert sum(map(len, LAYERS)) == len(RANKS), "ARCHITECTURE.md lists a part twice"
    assert {part_of(path) for path in FILES} <= set(RANKS)


def test_architecture_imports_point_downwards():
    for path in FILES:
        part = part_of(path)
        for line, other in parts_imported(path):
            if other == "__init__":  # the version, nothing else: see the next test
                continue
            assert RANKS[other] >= RANKS[part], f"{name_of(path)}:{line}: {part} must not import {other}"
            assert {part, other} != {"notebook", "server"}, f"{name_of(path)}:{line}: {part} imports {other}"


def test_architecture_package_gives_its_version_and_is_imported_by_nobody():
    for path in FILES:
        for line, name in imported(path):
            if name.startswith("aip_magics.") and name.split(".")[1] not in RANKS:
                assert name == "aip_magics.__version__", f"{name_of(path)}:{line}"


def test_architecture_parts_import_each_other_in_no_circle():
    graph: dict[str, set[str]] = {part: set() for part in RANKS if part != "__init__"}
    for path in FILES:
        if (part := part_of(path)) in graph:
            graph[part] |= {other for _, other in parts_imported(path)} - {part, "__init__"}
    assert set(graphlib.TopologicalSorter(graph).static_order()) == set(graph)


def test_architecture_frameworks_are_imported_by_the_worker_only():
    for path in FILES:
        if any(name_of(path).startswith(allowed) for allowed in TRAINED):
            continue
        for line, name in imported(path):
            assert name.partition(".")[0] not in FRAMEWORKS, f"{name_of(path)}:{line} imports {name}"


def test_architecture_worker_imports_nothing_of_the_package():
    for path in filter(is_worker, FILES):
        assert list(parts_imported(path)) == [], name_of(path)


def test_architecture_only_the_reporters_print():
    for path in FILES:
        if name_of(path) not in PRINTING:
            assert [line for line, name in looked_at(path)[1] if name == "print"] == [], f"{name_of(path)} prints"


@pytest.mark.parametrize("path", [path for path in FILES if part_of(path) == "render"], ids=name_of)
def test_architecture_rendering_is_pure(path):
    for line, name in imported(path):
        first = name.partition(".")[0]
        assert first not in {"time", "os.environ", "IPython", "ipywidgets", "sys"}, f"{name_of(path)}:{line}"


def test_architecture_files_stay_short():
    for path in FILES:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= MOST_LINES, f"{name_of(path)} has {lines} lines"


def test_architecture_what_is_allowed_exists():
    for name in TRAINED | PRINTING:
        assert (PACKAGE / name).exists(), f"{name} is gone: take it off the list"
    assert set(RANKS) <= {part_of(path) for path in FILES}


@pytest.mark.parametrize(
    "path", [path for path in FILES if path.name == "__init__.py"], ids=lambda path: path.parent.name
)
def test_architecture_all_is_the_public_api(path: Path) -> None:
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


# They name the targets of this package: the types themselves, and the folder of the targets.
NAMING_TARGETS = ("target_types.py", "targets/")


def test_nothing_but_targets_compares_with_the_name_of_a_target() -> None:
    """What a target can do is asked of its capabilities, so that a further target needs no change elsewhere."""
    for path in FILES:
        if name_of(path).startswith(NAMING_TARGETS):
            continue
        found = [f"{name_of(path)}:{line}: {text}" for line, text in looked_at(path)[2] if text in OWN_NAMES]
        assert found == []
