"""Check the text of modules against a runtime: their syntax and their imports. No module is imported."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

from aip_magics import catalog
from aip_magics.catalog import Runtime
from aip_magics.errors import InputError
from aip_magics.i18n import gettext as _

# Modules added to the standard library after Python 3.7 (`sys.stdlib_module_names` only describes this Python) …
_ADDED = {
    "graphlib": (3, 9),
    "zoneinfo": (3, 9),
    "tomllib": (3, 11),
    "annotationlib": (3, 14),
    "compression": (3, 14),
}
# … and modules removed from it.
_REMOVED = frozenset(
    """aifc asynchat asyncore audioop binhex cgi cgitb chunk crypt distutils dummy_threading formatter imghdr imp
    lib2to3 macpath mailcap msilib nis nntplib ossaudiodev parser pipes smtpd sndhdr spwd sunau symbol telnetlib uu
    xdrlib""".split()  # noqa: SIM905
)


def lint_sources(files: Mapping[str, Path], own: tuple[str, ...], runtime: Runtime, python: str) -> tuple[str, ...]:
    """Check modules against a runtime.

    Args:
        files: Name in the archive → path of each module.
        own: The names that the package itself makes importable.
        runtime: The runtime version.
        python: The Python version of the runtime.

    Returns:
        A sentence for each problem.

    Raises:
        InputError: A file is not valid Python.
    """
    notes: list[str] = []
    imports: dict[str, str] = {}
    for name, path in files.items():
        source = path.read_bytes()
        tree = _parse_module(source, path)
        if note := _check_syntax(source, name, runtime, python):
            notes.append(note)
        for imported, line in _imports(tree):
            imports.setdefault(imported, _line(name, line))
    for imported, where in sorted(imports.items()):
        if note := _check_import(imported, where, own, runtime, python):
            notes.append(note)
    return tuple(notes)


def _parse_module(source: bytes, path: Path) -> ast.Module:
    try:
        return _parse(source)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        where = _line(str(path), line) if line else str(path)
        text = _("invalid Python syntax: {reason}", reason=getattr(error, "msg", None) or error)
        raise InputError(
            text, where=where, fix=_("correct the syntax; %magics and !commands of a notebook are not Python")
        ) from None


def _check_syntax(source: bytes, name: str, runtime: Runtime, python: str) -> str:
    major, _sep, minor = python.partition(".")
    if major != "3":
        return ""  # the parser does not know the grammar of Python 2
    try:
        _parse(source, (3, int(minor)))
    except SyntaxError as error:
        return _(
            "{where}: runtime {runtime} has Python {python}: {reason}",
            where=_line(name, error.lineno or 1),
            runtime=runtime.version,
            python=python,
            reason=error.msg,
        )
    return ""


def _parse(source: bytes, version: tuple[int, int] | None = None) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes are not this check's concern
        return ast.parse(source, feature_version=version)


def _imports(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield the top-level name and the line of every import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0], node.lineno


def _check_import(name: str, where: str, own: tuple[str, ...], runtime: Runtime, python: str) -> str:
    """Return a sentence if the runtime is not known to have the imported module, else an empty string."""
    if name in own:
        return ""
    if name == "__main__":
        return _(
            "{where}: nothing can be imported from __main__ on a node; move the code into this package", where=where
        )
    if name in _ADDED and _version_tuple(python) < _ADDED[name]:
        since = ".".join(map(str, _ADDED[name]))
        return _(
            "{where}: {name} requires Python {since}; runtime {runtime} has Python {python}",
            where=where,
            name=name,
            since=since,
            runtime=runtime.version,
            python=python,
        )
    if name in _REMOVED or name in _ADDED or catalog.runtime_has(name, runtime):
        return ""
    return _(
        "{where}: runtime {runtime} is not known to have {name}; add {name} to --package-uris, "
        "or try with --env runtime",
        where=where,
        runtime=runtime.version,
        name=name,
    )


def _line(where: str, number: int) -> str:
    return _("{where}, line {number}", where=where, number=number)


def get_runtime(version: str | None) -> Runtime:
    """Look up a runtime version (default: the newest). InputError if the version is unknown."""
    runtime = catalog.runtime(version) if version else catalog.runtimes()[0]
    if runtime is None:
        known = ", ".join(row.version for row in catalog.runtimes())
        raise InputError(
            _("unknown runtime version {version!r}", version=version),
            where="--runtime-version",
            fix=_("use one of {known}", known=known),
        )
    return runtime


def _version_tuple(python: str) -> tuple[int, ...]:
    return tuple(map(int, python.split(".")))
