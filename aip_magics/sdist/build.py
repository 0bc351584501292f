"""`package`: build the source distribution of custom code for a pipeline or a custom prediction routine."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any, ClassVar

from aip_magics.errors import InputError
from aip_magics.i18n import gettext as _
from aip_magics.sdist import lint
from aip_magics.sdist.sources import collect
from aip_magics.sdist.writer import write

DEFAULT_VERSION = "0.1"
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_RELEASE = re.compile(r"\d+(?:\.\d+)*(?:(?:a|b|rc|\.post|\.dev)\d+)?")


@dataclasses.dataclass(frozen=True)
class Package:
    """A source distribution.

    `modules` are the importable names, `notes` what may not work in the runtime or is left to do.
    """

    panel_kind: ClassVar[str] = "package"
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
    """Build `output/NAME-VERSION.tar.gz`. The same files give the same bytes.

    Args:
        path: A module file or a directory with modules.
        name: The name of the package (default: the name of the module or directory).
        version: The version of the package (default: that of a setup.py of scripts, else 0.1).
        output: The directory of the archive.
        runtime_version: The runtime to check imports and syntax against (default: the newest).

    Returns:
        The package. Its notes name imports that the runtime is not known to have and syntax too new for its Python.

    Raises:
        InputError: `path` has no modules, a file is not valid Python, or a name or version is invalid.
    """
    sources = collect(path)
    name, version = name or sources.name.strip("._-"), version or sources.version or DEFAULT_VERSION
    if not _NAME.fullmatch(name):
        raise InputError(
            _("invalid package name {name!r}", name=name), where="--name", fix=_("use letters, digits, - _ .")
        )
    if not _RELEASE.fullmatch(version):
        raise InputError(
            _("invalid package version {version!r}", version=version),
            where="--version",
            fix=_("use a version such as 0.1 or 1.0.2"),
        )
    runtime = lint.get_runtime(runtime_version)
    notes = lint.lint_sources(sources.python_files, sources.top_names, runtime, runtime.python[0])
    return Package(write(sources, name, version, output), name, version, sources.top_names, notes)
