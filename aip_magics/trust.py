"""The list of trusted code in `trusted.json`.

The file is in the data directory and readable by its owner only; no content of a model can change it. `files` maps the
sha256 of a file to its name and size and is written by `--trust`; `modules` is edited by the user: `["our_company"]`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aip_magics.errors import SettingsError
from aip_magics.i18n import gettext as _

FILE = "trusted.json"


@dataclasses.dataclass(frozen=True)
class Trust:
    """Trusted modules and files, in addition to the listed globals.

    `modules` are dotted names, each including its submodules; `files` maps sha256 digests in hexadecimal to the size of
    the file in bytes, None where the size is unknown.
    """

    modules: frozenset[str] = frozenset()
    files: Mapping[str, int | None] = dataclasses.field(default_factory=dict)

    def has(self, module: str) -> bool:
        """Whether the whole module is trusted."""
        parts = module.split(".")
        return any(".".join(parts[: count + 1]) in self.modules for count in range(len(parts)))

    def has_file(self, path: Path, size: int) -> bool:
        """Whether the content of a file is trusted. A file with a size unlike all trusted files is not read."""
        sizes = set(self.files.values())
        return (size in sizes or None in sizes) and digest(path) in self.files


def trust_in(data_dir: Path) -> Trust:
    """Read the list of trusted code.

    Raises:
        SettingsError: The file could not be read.
    """
    written = written_in(data_dir / FILE)
    return Trust(frozenset(written["modules"]), {name: _size(one) for name, one in written["files"].items()})


def digest(path: Path) -> str:
    """The sha256 digest of a file, in hexadecimal."""
    content_hash = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            content_hash.update(block)
    return content_hash.hexdigest()


def _size(one: object) -> int | None:
    """The size in an entry of `files`; entries of earlier versions have the name only."""
    size = one.get("size") if isinstance(one, dict) else None
    return size if isinstance(size, int) else None


def written_in(path: Path) -> dict[str, Any]:
    """Read the content of the file; empty lists without a file or a data directory. SettingsError as in `trust_in`."""
    try:
        found = json.loads(path.read_text("utf-8"))
        modules, files = found.get("modules", []), found.get("files", {})
        if not isinstance(files, dict) or not isinstance(modules, list) or not all(isinstance(m, str) for m in modules):
            raise ValueError
    except (FileNotFoundError, NotADirectoryError):
        return {"modules": [], "files": {}}
    except PermissionError as error:
        if not os.access(path.parent, os.X_OK):  # nothing was ever trusted in a directory that cannot be entered
            return {"modules": [], "files": {}}
        text = _("could not read the list of trusted code: {reason}", reason=error.strerror or error)
        fix = _("grant yourself permission to read and write the file")
        raise SettingsError(text, where=str(path), fix=fix) from None
    except (OSError, ValueError, AttributeError):
        text = _("could not read the list of trusted code")
        fix = _("correct the file ({example}) or delete it", example='{"modules": [], "files": {}}')
        raise SettingsError(text, where=str(path), fix=fix) from None
    return {**found, "modules": modules, "files": files}
