"""Where the SavedModel lies that is meant: exporters write each into a folder named by the time."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from aip_magics.artifacts.names import MODEL_FILES
from aip_magics.errors import ModelDirError
from aip_magics.i18n import gettext as _

SAVED_MODEL = tuple(name for name, framework in MODEL_FILES.items() if framework == "TENSORFLOW")
_TIMESTAMP = re.compile(r"\d{4,}")
_SHARD = re.compile(r"variables\.data-(\d{5})-of-(\d{5})")
_PARTS = frozenset({"variables", "assets", "assets.extra"})  # folders inside a SavedModel


@dataclasses.dataclass(frozen=True)
class ResolvedExport:
    """The directory of a model. `note` says what was chosen where another directory was named; else it is empty."""

    path: Path
    note: str = ""


def resolve_export(path: Path) -> ResolvedExport:
    """The directory that holds the model: `path` itself, or the newest complete folder of an export base.

    ModelDirError if `path` is one level too high or too low, or no export in it is complete.
    """
    if not path.is_dir() or any((path / name).exists() for name in MODEL_FILES):
        return ResolvedExport(path)
    if path.name in _PARTS and _is_export(path.parent):
        fix = _("use {parent}", parent=path.parent)
        raise ModelDirError(_("{name}/ is only part of a SavedModel", name=path.name), where=str(path), fix=fix)
    exports = [folder for folder in path.iterdir() if folder.is_dir() and _is_export(folder)]
    stamped = sorted((folder for folder in exports if _TIMESTAMP.fullmatch(folder.name)), key=lambda f: int(f.name))
    if stamped:
        return _newest(path, stamped)
    if exports:
        names = sorted(folder.name for folder in exports)
        fix = (
            _("use {path}", path=path / names[0])
            if len(names) == 1
            else _("use one of its subdirectories: {names}", names=", ".join(names))
        )
        raise ModelDirError(_("the SavedModel is one directory deeper"), where=str(path), fix=fix)
    return ResolvedExport(path)


def newest_export(path: Path) -> str | None:
    """The name of the newest complete export in an export base; None if `path` is no such base."""
    try:
        found = resolve_export(path).path
    except (ModelDirError, OSError):
        return None
    return found.name if found != path else None


def _newest(path: Path, stamped: list[Path]) -> ResolvedExport:
    left_out: list[str] = []
    for folder in reversed(stamped):
        lack = missing_part(folder)
        if not lack:
            note = _("the newest export of {base} is {name}", base=path.name or path, name=folder.name)
            if older := len(stamped) - 1 - len(left_out):
                note += ", " + _("older ones: {count}", count=older)
            if left_out:
                note += "; " + _("incomplete: {names}", names=", ".join(left_out))
            return ResolvedExport(folder, note)
        left_out.append(_("{folder} (no {missing})", folder=folder.name, missing=lack))
    text = _("found no complete export: {left_out}", left_out=", ".join(left_out))
    raise ModelDirError(text, where=str(path), fix=_("export the model again, or copy all of its files"))


def missing_part(folder: Path) -> str:
    """What a SavedModel lacks of its variables, empty if nothing: exports are copied while others look."""
    variables = folder / "variables"
    names = {entry.name for entry in variables.iterdir()} if variables.is_dir() else set()
    shards = [found for found in map(_SHARD.fullmatch, names) if found]
    if not names:
        return ""  # a model without variables
    if "variables.index" not in names:
        return "variables/variables.index"
    for number in range(int(shards[0][2]) if shards else 1):
        name = f"variables.data-{number:05d}-of-{shards[0][2] if shards else '00001'}"
        if name not in names:
            return f"variables/{name}"
    return ""


def _is_export(folder: Path) -> bool:
    return any((folder / name).is_file() for name in SAVED_MODEL)
