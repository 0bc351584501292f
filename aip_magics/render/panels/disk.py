"""Panel of the disk space of the data directory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from aip_magics.i18n import gettext as _
from aip_magics.render.blocks import Block, Line, Panel, Table, code, line, muted, row
from aip_magics.wording import size_text

_PRUNE = "aip-magics server disk --prune"
_NAME_CHARACTERS = 12  # of a digest: enough to find the directory


class Kind(Protocol):
    """The part of `commands.common.disk_usage.DiskKind` that is shown; `render` must not import `commands`."""

    @property
    def name(self) -> str: ...
    @property
    def entries(self) -> int: ...
    @property
    def bytes(self) -> int: ...
    @property
    def shared_bytes(self) -> int: ...
    @property
    def unused_bytes(self) -> int: ...


class Entry(Protocol):
    """The part of `commands.common.disk_usage.UnusedEntry` that is shown."""

    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def bytes(self) -> int: ...


class Usage(Protocol):
    """The part of `commands.common.disk_usage.DiskUsage` that is shown."""

    @property
    def data_dir(self) -> Path: ...
    @property
    def kinds(self) -> Sequence[Kind]: ...
    @property
    def unused(self) -> Sequence[Entry]: ...
    @property
    def pruning(self) -> bool | None: ...
    @property
    def bytes(self) -> int: ...
    @property
    def unused_bytes(self) -> int: ...


def disk(value: Usage, *, max_rows: int | None = None) -> Panel:
    """Build the panel: a row per kind of files; with `--prune` also what is deleted, or would be."""
    heads = (_("Kind"), _("Entries"), _("Size"), _("Shared with objects"), _("Unused"))
    rows = tuple(
        row(
            _kind(kind.name),
            f"{kind.entries:,}",
            size_text(kind.bytes),
            size_text(kind.shared_bytes) if kind.shared_bytes else "",
            size_text(kind.unused_bytes) if kind.unused_bytes else "",
        )
        for kind in value.kinds
        if kind.entries or kind.bytes
    )
    head = line(_("{size} in {directory}", size=size_text(value.bytes), directory=value.data_dir))
    blocks: list[Block] = [head, Table("", heads, rows)] if rows else [head]
    if value.pruning is not None and value.unused:
        blocks.append(_entries(value.unused, max_rows))
    return Panel(_("disk space"), "good" if value.pruning else "idle", (*blocks, _outcome(value)))


def _outcome(value: Usage) -> Line:
    size = size_text(value.unused_bytes)
    if value.pruning:
        return line(_("freed {size}", size=size))
    if not value.unused:
        return line(muted(_("nothing is unused")))
    if value.pruning is None:
        return line(_("to free {size} that nothing uses:", size=size), code(_PRUNE))
    return line(_("nothing was deleted; to free {size}:", size=size), code(f"{_PRUNE} --yes"))


def _entries(entries: Sequence[Entry], max_rows: int | None) -> Table:
    largest = sorted(entries, key=lambda entry: entry.bytes, reverse=True)
    rows = tuple(
        row(_kind(each.kind), each.name[:_NAME_CHARACTERS], size_text(each.bytes)) for each in largest[:max_rows]
    )
    return Table("", (_("Kind"), _("Name"), _("Size")), rows, total=len(entries))


def _kind(name: str) -> str:
    names = {
        "models": _("models of versions"),
        "objects": _("stored objects"),
        "uploads": _("unfinished uploads"),
        "environments": _("environments"),
        "packages": _("installed packages"),
        "downloads": _("downloads"),
        "staging": _("saved models of notebooks"),
        "trials": _("results of local trials"),
        "logs": _("logs"),
        "databases": _("databases"),
        "other": _("other files"),
    }
    return names.get(name, name)
