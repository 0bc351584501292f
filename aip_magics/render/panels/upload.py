"""Panels of upload and download plans, file by file, and of objects in Cloud Storage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aip_magics.i18n import gettext as _
from aip_magics.i18n import ngettext
from aip_magics.render.blocks import Block, Inline, Mark, Panel, Table, Tone, code, line, muted, row, strong
from aip_magics.wording import size_text

if TYPE_CHECKING:
    from aip_magics.storage import DownloadedFile, DownloadPlan, RemoteObject, UploadedFile, UploadPlan

_TONES: dict[str, Tone] = {"upload": "busy", "fetch": "busy", "copy": "busy", "remove": "bad", "keep": "idle"}


def upload_plan(value: UploadPlan, *, max_rows: int | None = None) -> Panel:
    """Build the panel of an upload plan: a summary, then a row per file, uploads first."""
    blocks: list[Block] = [line(strong(_("Upload to")), code(str(value.destination))), line(summary(value))]
    if left := len(value.extra) - sum(kind == "remove" for kind, _name, _size in value.rows):
        blocks.append(line(muted(_kept_objects(left))))
    return Panel(_("upload plan"), "idle", (*blocks, *_files(value.rows, max_rows)))


def pull_plan(value: DownloadPlan, *, max_rows: int | None = None) -> Panel:
    """Build the panel of a download plan: a summary, then a row per file."""
    head = line(_("From"), code(str(value.source)), _("to"), code(str(value.directory)))
    return Panel(_("download plan"), "idle", (head, line(summary(value)), *_files(value.rows, max_rows)))


def summary(value: UploadPlan | DownloadPlan) -> str:
    """Summarize a plan in one line: `3 files to upload (12.0 MB), 2 unchanged`."""
    return ", ".join(_counts(value.rows)) or _("nothing to transfer")


def _files(rows: Sequence[tuple[str, str, int]], max_rows: int | None) -> tuple[Block, ...]:
    heads = (_("Name"), _("Size"), _("Action"))
    drawn = tuple(row(name, size_text(size), _mark(kind)) for kind, name, size in rows[:max_rows])
    return (Table("", heads, drawn, total=len(rows)),) if rows else ()


def objects(values: Sequence[DownloadedFile | RemoteObject | UploadedFile], *, max_rows: int | None = None) -> Panel:
    """Build the panel of objects in Cloud Storage."""
    heads = (_("Name"), _("Size"), _("Generation"), "CRC32C")
    rows = tuple(row(each.name, size_text(each.size), str(each.generation), each.crc32c) for each in values[:max_rows])
    total = sum(each.size for each in values)
    count = ngettext("{number} object", "{number} objects", len(values))
    return Panel(
        _("objects"), "good", (line(f"{count}, {size_text(total)}"), Table("", heads, rows, total=len(values)))
    )


def _counts(rows: Sequence[tuple[str, str, int]]) -> list[str]:
    """Describe each kind of row in the plan: `3 files to upload (12.0 MB)`, `2 unchanged` …"""
    found = []
    for kind in _TONES:
        sizes = [size for each, _unused, size in rows if each == kind]
        if sizes:
            found.append(_counted(kind, len(sizes), size_text(sum(sizes))))
    return found


def _counted(kind: str, count: int, size: str) -> str:
    if kind == "upload":
        return ngettext("{number} file to upload ({size})", "{number} files to upload ({size})", count, size=size)
    if kind == "fetch":
        return ngettext("{number} file to download ({size})", "{number} files to download ({size})", count, size=size)
    if kind == "copy":
        return ngettext(
            "{number} object to copy in Cloud Storage ({size}, not uploaded)",
            "{number} objects to copy in Cloud Storage ({size}, not uploaded)",
            count,
            size=size,
        )
    if kind == "remove":
        return ngettext("{number} object to delete", "{number} objects to delete", count)
    return _("{count} unchanged", count=f"{count:,}")


def _mark(kind: str) -> Inline:
    actions: dict[str, str] = {
        "upload": _("upload"),
        "fetch": _("download"),
        "copy": _("copy in Cloud Storage"),
        "remove": _("delete"),
        "keep": _("unchanged"),
    }
    return Mark(_TONES[kind], actions[kind])


def _kept_objects(count: int) -> str:
    return ngettext(
        "{number} remote object has no local file and is kept; use --delete-extra to delete it",
        "{number} remote objects have no local file and are kept; use --delete-extra to delete them",
        count,
    )
