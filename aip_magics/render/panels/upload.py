"""Uploads and downloads: what one will do, file by file, and the objects that an upload left in Cloud Storage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aip_magics.i18n import gettext as _
from aip_magics.render import formatting
from aip_magics.render.blocks import Block, Inline, Mark, Panel, Table, Tone, code, line, muted, row, strong
from aip_magics.render.shapes import PullPlan, StoredObject, UploadPlan

_TONES: dict[str, Tone] = {"upload": "busy", "fetch": "busy", "copy": "busy", "remove": "bad", "keep": "idle"}


def upload_plan(value: UploadPlan, *, most: int | None = None) -> Panel:
    """The panel of an upload's plan: how much of what, then a row per file, those that are sent first."""
    blocks: list[Block] = [line(strong(_("Upload to")), code(str(value.destination))), line(summary(value))]
    if left := len(value.extra) - sum(kind == "remove" for kind, _name, _size in value.rows):
        blocks.append(line(muted(_left_there(left))))
    return Panel(_("upload plan"), "idle", (*blocks, *_files(value.rows, most)))


def pull_plan(value: PullPlan, *, most: int | None = None) -> Panel:
    """The panel of a download's plan, as that of an upload."""
    head = line(_("From"), code(str(value.source)), _("to"), code(str(value.directory)))
    return Panel(_("download plan"), "idle", (head, line(summary(value)), *_files(value.rows, most)))


def summary(value: UploadPlan | PullPlan) -> str:
    """`3 to send (12.0 MB), 2 unchanged`: a plan in one line."""
    return ", ".join(_counts(value.rows)) or _("nothing to upload")


def _files(rows: Sequence[tuple[str, str, int]], most: int | None) -> tuple[Block, ...]:
    heads = (_("Name"), _("Size"), _("What happens"))
    drawn = tuple(row(name, _size(size), _mark(kind)) for kind, name, size in rows[:most])
    return (Table("", heads, drawn, total=len(rows)),) if rows else ()


def objects(values: Sequence[StoredObject], *, most: int | None = None) -> Panel:
    """The panel of objects that lie in Cloud Storage."""
    heads = (_("Name"), _("Size"), _("Generation"), "CRC32C")
    rows = tuple(row(each.name, _size(each.size), str(each.generation), each.crc32c) for each in values[:most])
    total = sum(each.size for each in values)
    count = _("1 object") if len(values) == 1 else _("{count} objects", count=f"{len(values):,}")
    return Panel(_("objects"), "good", (line(f"{count}, {_size(total)}"), Table("", heads, rows, total=len(values))))


def _counts(rows: Sequence[tuple[str, str, int]]) -> list[str]:
    """`3 to send (12.0 MB)`, `2 unchanged` … for what there is."""
    found = []
    for kind in _TONES:
        sizes = [size for each, _unused, size in rows if each == kind]
        if sizes:
            found.append(_counted(kind, f"{len(sizes):,}", _size(sum(sizes))))
    return found


def _counted(kind: str, count: str, size: str) -> str:
    if kind == "upload":
        return _("{count} to send ({size})", count=count, size=size)
    if kind == "fetch":
        return _("{count} to fetch ({size})", count=count, size=size)
    if kind == "copy":
        return _("{count} copied in Cloud Storage ({size}, not sent)", count=count, size=size)
    if kind == "remove":
        return _("{count} removed there", count=count)
    return _("{count} unchanged", count=count)


def _mark(kind: str) -> Inline:
    said: dict[str, Any] = {
        "upload": _("send"),
        "fetch": _("fetch"),
        "copy": _("copy there"),
        "remove": _("remove there"),
        "keep": _("unchanged"),
    }
    return Mark(_TONES[kind], said[kind])


def _left_there(count: int) -> str:
    if count == 1:
        return _("1 object there has no file here and stays; --delete-extra removes it")
    return _("{count} objects there have no file here and stay; --delete-extra removes them", count=f"{count:,}")


def _size(count: int) -> str:
    return formatting.amount(count, 0, "bytes")
