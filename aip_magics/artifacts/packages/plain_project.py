"""Whether a pyproject.toml says in plain words how a package is built: by a known backend, without code of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from aip_magics import toml_reader
from aip_magics.artifacts.packages import plain_values
from aip_magics.artifacts.packages.source_tree import SourceTree
from aip_magics.i18n import gettext as _

_SETUPTOOLS = "setuptools.build_meta"
# Backend: what it may be built with, and its own table below [tool].
_BACKENDS = {
    _SETUPTOOLS: (frozenset({"setuptools", "wheel"}), "setuptools"),
    "hatchling.build": (frozenset({"hatchling"}), "hatch"),
    "flit_core.buildapi": (frozenset({"flit-core"}), "flit"),
    "poetry.core.masonry.api": (frozenset({"poetry-core"}), "poetry"),
}
# Tables of tools that take no part in a build.
_TOOLS = frozenset(
    {
        "black", "isort", "mypy", "pytest", "ruff", "coverage", "pylint", "pyright", "flake8", "tox", "towncrier",
        "codespell", "cibuildwheel", "bandit", "pydocstyle", "check-manifest", "bumpversion", "commitizen", "yapf",
    }
)  # fmt: skip
_POETRY = frozenset(
    {
        "name", "version", "description", "authors", "maintainers", "license", "homepage", "repository",
        "documentation", "keywords", "classifiers", "dependencies", "dev-dependencies", "group", "extras", "urls",
    }
)  # fmt: skip
_POETRY_PATHS = frozenset({"packages", "include", "exclude", "readme"})
_HATCH_PATHS = frozenset({"packages", "include", "exclude", "only-include", "artifacts"})


def read(text: str) -> dict[str, Any] | None:
    """The tables of a pyproject.toml; None where it cannot be read."""
    try:
        return toml_reader.loads(text)
    except (ValueError, RecursionError):
        return None


def is_setuptools(project: Mapping[str, Any]) -> bool:
    """Whether setuptools builds it, because it is named or nobody is."""
    system = project.get("build-system", {})
    return isinstance(system, Mapping) and system.get("build-backend", _SETUPTOOLS) == _SETUPTOOLS


def reasons(project: Mapping[str, Any], tree: SourceTree) -> Iterator[str]:
    """Why it is not plain. All that is not known is asked about."""
    system, tools, metadata = (project.get(name, {}) for name in ("build-system", "tool", "project"))
    if not all(isinstance(table, Mapping) for table in (system, tools, metadata)):
        yield _("could not read {file}", file="pyproject.toml")
        return
    backend = system.get("build-backend", _SETUPTOOLS)
    if backend not in _BACKENDS:
        yield _("build backend is {name}", name=str(backend)[:100])
        return
    known, own = _BACKENDS[backend]
    for key in set(system) - {"requires", "build-backend"}:
        yield _("{file} sets {key} in {name}", file="pyproject.toml", key=key, name="[build-system]")
    yield from _required(system.get("requires", []), known)
    for name in tools:
        if name not in _TOOLS and name != own:
            yield _("{file} has the section {name}", file="pyproject.toml", name=f"[tool.{name}]")
    yield from _metadata(metadata)
    given = tools.get(own, {})
    if not isinstance(given, Mapping):
        yield _("could not read {file}", file="pyproject.toml")
    elif own == "setuptools":
        yield from _setuptools(given, tree)
    else:
        if metadata.get("dynamic") and not (own == "hatch" and metadata["dynamic"] == ["version"]):
            yield _("{name} is computed", name="[project] dynamic")
        yield from {"hatch": _hatch, "flit": _flit, "poetry": _poetry}[own](given)


def _required(requires: Any, known: frozenset[str]) -> Iterator[str]:
    """Whoever is fetched to build it runs."""
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    for text in requires if isinstance(requires, list) else [requires]:
        try:
            wanted = Requirement(str(text))
            fine = canonicalize_name(wanted.name) in known and not wanted.url and not wanted.extras
        except InvalidRequirement:
            fine = False
        if not fine:
            yield _("build requires {name}", name=str(text)[:100])


def _metadata(project: Mapping[str, Any]) -> Iterator[str]:
    for key in ("readme", "license"):
        given = project.get(key)
        path = given.get("file") if isinstance(given, Mapping) else given if key == "readme" else None
        yield from plain_values.outside(f"[project] {key}", path)
    yield from plain_values.outside("[project] license-files", project.get("license-files"))
    yield from plain_values.outside("[project] name", project.get("name"))
    groups = project.get("entry-points", {})
    if not isinstance(groups, Mapping):
        yield _("entry points are computed")
        return
    scripts = {name: project[name] for name in ("scripts", "gui-scripts") if name in project}
    yield from plain_values.entry_points({**groups, **scripts})


def _setuptools(given: Mapping[str, Any], tree: SourceTree) -> Iterator[str]:
    folders = given.get("package-dir", {})
    folders = {str(key): str(value).strip("/") for key, value in folders.items()} if isinstance(folders, dict) else {}
    for key, value in given.items():
        name = key.replace("-", "_")
        if key == "dynamic":
            yield from _dynamic(value, tree, folders)
        elif name in plain_values.PATHS or key == "script-files":
            yield from plain_values.outside(f"[tool.setuptools] {key}", value)
        elif name not in plain_values.TEXTS:
            yield _("{file} sets {key} in {name}", file="pyproject.toml", key=key, name="[tool.setuptools]")


def _dynamic(given: Any, tree: SourceTree, folders: Mapping[str, str]) -> Iterator[str]:
    for key, value in given.items() if isinstance(given, Mapping) else [("dynamic", given)]:
        how = dict(value) if isinstance(value, Mapping) else {}
        if set(how) <= {"file", "content-type"} and "file" in how and key != "entry-points":
            yield from plain_values.outside(f"[tool.setuptools.dynamic] {key}", how["file"])
        elif set(how) == {"attr"} and key == "version" and isinstance(how["attr"], str):
            if not tree.says_literally(how["attr"], folders):
                yield _("{key} imports {name}", key="[tool.setuptools.dynamic] version", name=how["attr"])
        else:
            yield _("{name} is computed", name=f"[tool.setuptools.dynamic] {key}")


def _hatch(given: Mapping[str, Any]) -> Iterator[str]:
    for path, value in _leaves(given):
        *above, key = path
        if above[:1] == ["envs"] or path in (["metadata", "allow-direct-references"], ["build", "targets", "wheel"]):
            continue
        in_target = above == ["build"] or (len(above) == 3 and above[:2] == ["build", "targets"])
        if path == ["version", "path"] or (in_target and key in _HATCH_PATHS):
            yield from plain_values.outside(f"[tool.hatch] {'.'.join(path)}", value)
        else:
            yield _("{file} sets {key} in {name}", file="pyproject.toml", key=".".join(path), name="[tool.hatch]")


def _flit(given: Mapping[str, Any]) -> Iterator[str]:
    for path, value in _leaves(given):
        if path == ["module", "name"] and isinstance(value, str) and re.fullmatch(r"\w+(\.\w+)*", value):
            continue
        yield _("{file} sets {key} in {name}", file="pyproject.toml", key=".".join(path), name="[tool.flit]")


def _poetry(given: Mapping[str, Any]) -> Iterator[str]:
    for key, value in given.items():
        if key in _POETRY_PATHS:
            yield from plain_values.outside(f"[tool.poetry] {key}", value)
        elif key == "scripts":
            yield from plain_values.entry_points({"scripts": value})
        elif key not in _POETRY:
            yield _("{file} sets {key} in {name}", file="pyproject.toml", key=key, name="[tool.poetry]")


def _leaves(table: Mapping[str, Any]) -> Iterator[tuple[list[str], Any]]:
    """The values in tables of tables, each with its keys."""
    for key, value in table.items():
        if isinstance(value, Mapping) and value:  # an empty table is something that is turned on
            for path, leaf in _leaves(value):
                yield [key, *path], leaf
        else:
            yield [key], value
