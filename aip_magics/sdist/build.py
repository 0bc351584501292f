"""`package`: from modules to the source distribution that a pipeline with own code, or a routine, needs."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

from aip_magics.errors import InputError
from aip_magics.i18n import gettext as _
from aip_magics.sdist import lint
from aip_magics.sdist.sources import collect
from aip_magics.sdist.writer import write

VERSION = "0.1"
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_RELEASE = re.compile(r"\d+(?:\.\d+)*(?:(?:a|b|rc|\.post|\.dev)\d+)?")


@dataclasses.dataclass(frozen=True)
class Package:
    """A source distribution that was made. `modules` are the names it makes importable, `notes` what to know."""

    path: Path
    name: str
    version: str
    modules: tuple[str, ...]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "path": str(self.path),
            "name": self.name,
            "version": self.version,
            "modules": list(self.modules),
            "notes": list(self.notes),
        }


def package(
    path: Path,
    *,
    name: str | None = None,
    version: str | None = None,
    output: Path = Path("dist"),
    runtime_version: str | None = None,
) -> Package:
    """Make `output/NAME-VERSION.tar.gz` of a module file or a directory; the same files give the same bytes.

    `name` is that of the module or directory if it is left out, `version` 0.1. The notes say what the runtime (the
    newest if none is named) is not known to have of what is imported, and what its Python cannot parse. InputError
    where there is nothing to package, or it is no Python.
    """
    sources = collect(path)
    name, version = name or sources.name.strip("._-"), version or VERSION
    if not _NAME.fullmatch(name):
        raise InputError(
            _("{name!r} is no name of a package", name=name), where="--name", fix=_("letters, digits, - _ .")
        )
    if not _RELEASE.fullmatch(version):
        raise InputError(
            _("{version!r} is no version of a package", version=version),
            where="--version",
            fix=_("such as 0.1 or 1.0.2"),
        )
    runtime = lint.runtime_of(runtime_version)
    notes = lint.lint_sources(sources.python_files, sources.top_names, runtime, runtime.python[0])
    return Package(write(sources, name, version, output), name, version, sources.top_names, notes)
