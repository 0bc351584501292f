"""What the text of modules says about where they run: their syntax, and what they import. Nothing is imported here."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

from aip_magics import catalog
from aip_magics.catalog import Runtime
from aip_magics.errors import InputError
from aip_magics.i18n import gettext as _

# `sys.stdlib_module_names` is that of this Python: these came later than 3.7 …
_NEWER = {"graphlib": (3, 9), "zoneinfo": (3, 9), "tomllib": (3, 11), "annotationlib": (3, 14), "compression": (3, 14)}
# … and these were taken out before this one.
_OLDER = frozenset(
    """aifc asynchat asyncore audioop binhex cgi cgitb chunk crypt distutils dummy_threading formatter imghdr imp
    lib2to3 macpath mailcap msilib nis nntplib ossaudiodev parser pipes smtpd sndhdr spwd sunau symbol telnetlib uu
    xdrlib""".split()  # noqa: SIM905
)


def lint_sources(files: Mapping[str, Path], own: tuple[str, ...], runtime: Runtime, python: str) -> tuple[str, ...]:
    """What to know before these modules go to `runtime` with its `python`, a sentence each; `own` can be imported.

    InputError where a file is no Python at all.
    """
    notes: list[str] = []
    imports: dict[str, str] = {}
    for name, path in files.items():
        source = path.read_bytes()
        tree = _parsed(source, path)
        if note := _too_new(source, name, runtime, python):
            notes.append(note)
        for imported, line in _imports(tree):
            imports.setdefault(imported, _line(name, line))
    for imported, where in sorted(imports.items()):
        if note := _absent(imported, where, own, runtime, python):
            notes.append(note)
    return tuple(notes)


def _parsed(source: bytes, path: Path) -> ast.Module:
    try:
        return _parse(source)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        where = _line(str(path), line) if line else str(path)
        text = _("this is no Python: {reason}", reason=getattr(error, "msg", None) or error)
        raise InputError(
            text, where=where, fix=_("correct it; a notebook's %magics and !commands are no Python")
        ) from None


def _too_new(source: bytes, name: str, runtime: Runtime, python: str) -> str:
    major, _sep, minor = python.partition(".")
    if major != "3":
        return ""  # the parser knows no grammar of Python 2
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
        warnings.simplefilter("ignore")  # of an invalid escape: it is the author's business
        return ast.parse(source, feature_version=version)


def _imports(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """The top-level names that are imported anywhere, and the lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0], node.lineno


def _absent(name: str, where: str, own: tuple[str, ...], runtime: Runtime, python: str) -> str:
    """A sentence where the runtime does not have what is imported, as far as is known; else nothing."""
    if name in own:
        return ""
    if name == "__main__":
        return _("{where}: nothing can be imported from __main__ there: move it into this package", where=where)
    if name in _NEWER and _numbers(python) < _NEWER[name]:
        since = ".".join(map(str, _NEWER[name]))
        return _(
            "{where}: {name} came with Python {since}; runtime {runtime} has Python {python}",
            where=where,
            name=name,
            since=since,
            runtime=runtime.version,
            python=python,
        )
    if name in _OLDER or name in _NEWER or catalog.runtime_has(name, runtime):
        return ""
    return _(
        "{where}: runtime {runtime} is not known to have {name}: add it to --package-uris, or try with --env runtime",
        where=where,
        runtime=runtime.version,
        name=name,
    )


def _line(where: str, number: int) -> str:
    return _("{where}, line {number}", where=where, number=number)


def runtime_of(version: str | None) -> Runtime:
    """The runtime to look at: the newest if none is named. InputError where there is none of that version."""
    found = catalog.runtime(version) if version else catalog.runtimes()[0]
    if found is None:
        known = ", ".join(row.version for row in catalog.runtimes())
        raise InputError(
            _("there is no runtime version {version!r}", version=version),
            where="--runtime-version",
            fix=_("one of {known}", known=known),
        )
    return found


def _numbers(python: str) -> tuple[int, ...]:
    return tuple(map(int, python.split(".")))
