"""Uploads: what one will do, file by file, and the objects that it left in Cloud Storage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aip_magics.language import say
from aip_magics.render import words
from aip_magics.render.blocks import Block, Inline, Mark, Panel, Table, Tone, code, line, muted, row, strong
from aip_magics.render.shapes import StoredObject, UploadPlan

_TONES: dict[str, Tone] = {"upload": "busy", "copy": "busy", "remove": "bad", "keep": "idle"}


def upload_plan(value: UploadPlan, *, most: int | None = None) -> Panel:
    """The panel of an upload's plan: how much of what, then a row per file, those that are sent first."""
    rows = value.rows
    blocks: list[Block] = [line(strong(say("Upload to")), code(str(value.destination))), line(summary(value))]
    if left := len(value.extra) - sum(kind == "remove" for kind, _, _ in rows):
        blocks.append(line(muted(_left_there(left))))
    if rows:
        heads = (say("Name"), say("Size"), say("What happens"))
        drawn = tuple(row(name, _size(size), _mark(kind)) for kind, name, size in rows[:most])
        blocks.append(Table("", heads, drawn, total=len(rows)))
    return Panel(say("upload plan"), "idle", tuple(blocks))


def summary(value: UploadPlan) -> str:
    """`3 to send (12.0 MB), 2 unchanged`: a plan in one line."""
    return ", ".join(_counts(value.rows)) or say("nothing to upload")


def objects(values: Sequence[StoredObject], *, most: int | None = None) -> Panel:
    """The panel of objects that lie in Cloud Storage."""
    heads = (say("Name"), say("Size"), say("Generation"), "CRC32C")
    rows = tuple(row(each.name, _size(each.size), str(each.generation), each.crc32c) for each in values[:most])
    total = sum(each.size for each in values)
    count = say("1 object") if len(values) == 1 else say("{count} objects", count=f"{len(values):,}")
    return Panel(say("objects"), "good", (line(f"{count}, {_size(total)}"), Table("", heads, rows, total=len(values))))


def _counts(rows: Sequence[tuple[str, str, int]]) -> list[str]:
    """`3 to send (12.0 MB)`, `2 unchanged` … for what there is."""
    found = []
    for kind in _TONES:
        sizes = [size for each, _, size in rows if each == kind]
        if sizes:
            found.append(_counted(kind, f"{len(sizes):,}", _size(sum(sizes))))
    return found


def _counted(kind: str, count: str, size: str) -> str:
    if kind == "upload":
        return say("{count} to send ({size})", count=count, size=size)
    if kind == "copy":
        return say("{count} copied in Cloud Storage ({size}, not sent)", count=count, size=size)
    if kind == "remove":
        return say("{count} removed there", count=count)
    return say("{count} unchanged", count=count)


def _mark(kind: str) -> Inline:
    said: dict[str, Any] = {
        "upload": say("send"),
        "copy": say("copy there"),
        "remove": say("remove there"),
        "keep": say("unchanged"),
    }
    return Mark(_TONES[kind], said[kind])


def _left_there(count: int) -> str:
    if count == 1:
        return say("1 object there has no file here and stays; --delete-extra removes it")
    return say("{count} objects there have no file here and stay; --delete-extra removes them", count=f"{count:,}")


def _size(count: int) -> str:
    return words.amount(count, 0, "bytes")
