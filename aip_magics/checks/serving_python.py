"""The Python that serves the local target: its libraries, read from their metadata and files without importing them."""

from __future__ import annotations

import ast
import functools
import os
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from importlib.machinery import PathFinder, all_suffixes
from pathlib import Path

from aip_magics.artifacts.facts import Global
from aip_magics.checks.context import CheckContext

# A library may be installed as one of these distributions.
_DISTRIBUTIONS = {
    "tensorflow": ("tensorflow", "tensorflow-cpu", "tensorflow-intel", "tensorflow-macos"),
    "xgboost": ("xgboost", "xgboost-cpu"),
}
# Their modules are found in files: none of them is made by code alone.
_LIBRARY_OF_MODULE = {"sklearn": "scikit-learn", "xgboost": "xgboost", "numpy": "numpy"}
_MAX_SOURCE = 2 * 1024 * 1024  # bytes


def is_served_here(context: CheckContext) -> bool:
    """Whether this Python loads the model: on the local target, without `--env` and without a container."""
    return not context.target.is_cloud and context.env == "current" and context.version.container is None


def get_serving_version(context: CheckContext, library: str) -> str | None:
    """Return the release of a library in the Python that serves the model; None if it is unknown or not installed."""
    if not is_served_here(context):
        return None
    if context.installed is not None:
        return context.installed.get(library)
    return _installed_version(library)


def find_absent_global(context: CheckContext, names: Iterable[Global]) -> tuple[str, str] | None:
    """Find a module, class or function of the model that the installed library certainly does not have.

    Returns:
        The distribution and the dotted name of what is absent; None if nothing is known to be absent.
    """
    if not is_served_here(context) or context.installed is not None:
        return None
    for one in names:
        top, *below = one.module.split(".")
        folder = _find_package(top) if top in _LIBRARY_OF_MODULE and all(map(str.isidentifier, below)) else None
        if folder is None:
            continue
        files = _module_files(folder, below)
        if not files:
            return _LIBRARY_OF_MODULE[top], one.module
        source = next((file for file in files if file.suffix == ".py"), None)
        if source is not None and len(files) == 1 and not _may_define(source, one.name.partition(".")[0]):
            return _LIBRARY_OF_MODULE[top], str(one)
    return None


@functools.cache
def _installed_version(library: str) -> str | None:
    for name in _DISTRIBUTIONS.get(library, (library,)):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def _find_package(name: str) -> Path | None:
    """Find the directory of a package that a worker of this Python imports."""
    try:
        current = os.getcwd()  # a kernel and `python -m` import from it, a worker does not
    except OSError:  # deleted
        current = ""
    spec = PathFinder.find_spec(name, [path for path in sys.path if os.path.isabs(path) and path != current])
    locations = list(spec.submodule_search_locations or ()) if spec else []
    return Path(locations[0]) if len(locations) == 1 else None


def _module_files(folder: Path, below: list[str]) -> list[Path]:
    """List the files of a module below a package; empty if it has none."""
    for part in below[:-1]:
        folder /= part
    if not below:
        return [folder / "__init__.py"]
    files = [folder / f"{below[-1]}{suffix}" for suffix in all_suffixes()]
    return [file for file in (*files, folder / below[-1] / "__init__.py") if file.is_file()]


def _may_define(source: Path, name: str) -> bool:
    """Whether a module's source may bind a name; True if that cannot be told."""
    try:
        stat = source.stat()
    except OSError:
        return True
    if stat.st_size > _MAX_SOURCE:
        return True
    names = _names_of(source, stat.st_mtime_ns)
    return names is None or name in names


@functools.lru_cache(maxsize=256)  # to parse a module takes 10 ms, and the form checks after every change
def _names_of(source: Path, _mtime_ns: int) -> frozenset[str] | None:
    """Return the names that a module's source may bind; None if that cannot be told."""
    try:
        text = source.read_text("utf-8")
        return frozenset(_bound(ast.parse(text))) if _is_plain(text) else None
    except (OSError, ValueError, SyntaxError, RecursionError):
        return None


def _is_plain(text: str) -> bool:
    """Whether all names of a module are bound by its own statements."""
    return not any(word in text for word in ("__getattr__", "globals()", "import *", "setattr(", "vars()"))


def _bound(node: ast.AST) -> Iterator[str]:
    """Yield the names that statements at the level of the module bind, also inside `if`, `try` and `with`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield child.name
        elif isinstance(child, ast.alias):
            yield (child.asname or child.name).partition(".")[0]
        elif isinstance(child, ast.Name):
            yield child.id
        else:
            yield from _bound(child)
