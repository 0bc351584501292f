"""What the user trusts, as `trusted.json` has it.

The file lies in the data directory, for its owner only; nothing of a model is ever asked. `files` maps the sha256 of a
file to its name and size and is written by `--trust`; `modules` is for the user to write: `["our_company"]`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aip_magics.errors import SettingsError
from aip_magics.i18n import gettext as _

FILE = "trusted.json"


@dataclasses.dataclass(frozen=True)
class Trust:
    """What may run besides what is listed: all of these modules, all that files of these contents do.

    `modules` are dotted names, each with what is below it; `files` maps sha256 digests in hexadecimal to the size of
    the file in bytes, None where it is not known.
    """

    modules: frozenset[str] = frozenset()
    files: Mapping[str, int | None] = dataclasses.field(default_factory=dict)

    def has(self, module: str) -> bool:
        """Whether all of this module is trusted."""
        parts = module.split(".")
        return any(".".join(parts[: count + 1]) in self.modules for count in range(len(parts)))

    def has_file(self, path: Path, size: int) -> bool:
        """Whether the content of a file is trusted. One of no size that was trusted is not read."""
        sizes = set(self.files.values())
        return (size in sizes or None in sizes) and digest(path) in self.files


def trust_in(data_dir: Path) -> Trust:
    """What is trusted since before. SettingsError where the file is damaged: then nobody knows what was."""
    written = written_in(data_dir / FILE)
    return Trust(frozenset(written["modules"]), {name: _size(one) for name, one in written["files"].items()})


def digest(path: Path) -> str:
    """sha256 of a file's content, in hexadecimal."""
    found = hashlib.sha256()
    with path.open("rb") as opened:
        while block := opened.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def _size(one: object) -> int | None:
    """The size in an entry of `files`; an earlier version wrote the name alone."""
    size = one.get("size") if isinstance(one, dict) else None
    return size if isinstance(size, int) else None


def written_in(path: Path) -> dict[str, Any]:
    """The list as it is written; an empty one where there is none. SettingsError as `trust_in`."""
    try:
        found = json.loads(path.read_text("utf-8"))
        modules, files = found.get("modules", []), found.get("files", {})
        if not isinstance(files, dict) or not isinstance(modules, list) or not all(isinstance(m, str) for m in modules):
            raise ValueError
    except FileNotFoundError:
        return {"modules": [], "files": {}}
    except (OSError, ValueError, AttributeError):
        text = _("the list of what you trust cannot be read")
        fix = _("mend it, {example}, or delete it", example='{"modules": [], "files": {}}')
        raise SettingsError(text, where=str(path), fix=fix) from None
    return {**found, "modules": modules, "files": files}
