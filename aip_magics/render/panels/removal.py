"""Panels of objects to delete in Cloud Storage, with their sizes, and of objects that were deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aip_magics.i18n import gettext as _
from aip_magics.i18n import ngettext
from aip_magics.render.blocks import Block, Mark, Panel, Table, line, muted, row, strong
from aip_magics.wording import join_names, size_text

if TYPE_CHECKING:
    from aip_magics.storage import PlannedRemoval, Removal, RemovalPlan


def removal_plan(value: RemovalPlan, *, max_rows: int | None = None) -> Panel:
    """Build the panel of the objects that a removal deletes, and of the versions that use them."""
    blocks: list[Block] = [
        line(strong(_("Dry run:")), _("nothing was sent or changed.")),
        line(objects_to_delete(value)),
    ]
    if value.used_by:
        blocks.append(line(Mark("warn", _("used by {versions}", versions=join_names(value.used_by)))))
    blocks += [line(muted(_("no objects found: {uri}", uri=uri))) for uri in value.missing]
    return Panel(_("objects to delete"), "idle", (*blocks, *_table(value.objects, max_rows)))


def removal(value: Removal, *, max_rows: int | None = None) -> Panel:
    """Build the panel of deleted objects; objects that were kept come first."""
    kept = [line(Mark("warn", _("kept: {uri} (replaced after it was listed)", uri=uri))) for uri in value.replaced]
    head = line(_deleted(value))
    return Panel(_("deleted objects"), "warn" if kept else "good", (head, *kept, *_table(value.objects, max_rows)))


def objects_to_delete(value: RemovalPlan) -> str:
    """Summarize the objects of a plan: `3 objects to delete (12.0 MB)`."""
    return ngettext(
        "{number} object to delete ({size})",
        "{number} objects to delete ({size})",
        len(value.objects),
        size=size_text(value.bytes),
    )


def deleted_of(value: Removal, planned: int) -> str:
    """Summarize a run: `deleted 3 objects (12.0 MB)`, or `deleted 2 of 3 objects` for a part of them."""
    if value.count == planned:
        return _deleted(value)
    return ngettext(
        "deleted {done} of {number} object", "deleted {done} of {number} objects", planned, done=f"{value.count:,}"
    )


def _deleted(value: Removal) -> str:
    return ngettext(
        "deleted {number} object ({size})",
        "deleted {number} objects ({size})",
        value.count,
        size=size_text(value.bytes),
    )


def _table(objects: Sequence[PlannedRemoval], max_rows: int | None) -> tuple[Block, ...]:
    rows = tuple(row(each.uri, size_text(each.size)) for each in objects[:max_rows])
    return (Table("", (_("Name"), _("Size")), rows, total=len(objects)),) if objects else ()
