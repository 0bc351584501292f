"""Two versions side by side: what differs first, what is the same counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aip_magics.i18n import gettext as _
from aip_magics.render.blocks import Mark, Panel, Row, Table, Tone, line, muted, row, strong
from aip_magics.render.panels.describe import flat, version_state
from aip_magics.render.shapes import Comparison
from aip_magics.spec import Version

# They differ between any two versions and say nothing of how these answer.
_OF_COURSE = frozenset({"name", "etag", "createTime", "lastUseTime", "isDefault"})


def comparison(value: Comparison) -> Panel:
    """The panel of two versions: a row per field that differs, then those that are the same."""
    left, right = _fields(value.left, value.left_runtime), _fields(value.right, value.right_runtime)
    names = sorted({*left, *right} - _OF_COURSE)
    different = [name for name in names if left.get(name) != right.get(name)]
    same = [name for name in names if name not in different]
    rows = tuple(_row(name, left, right) for name in different)
    tone: Tone = "warn" if different else "good"
    head = line(
        strong(value.left.id), version_state(value.left), "↔", strong(value.right.id), version_state(value.right)
    )
    count = (
        _("1 field differs")
        if len(different) == 1
        else _("{count} fields differ", count=len(different))
        if different
        else _("no field differs")
    )
    table = (Table("", (_("Field"), value.left.id, value.right.id), rows),) if rows else ()
    alike = (line(muted(_("the same in both: {names}", names=", ".join(same)))),) if same else ()
    return Panel(_("comparison"), tone, (head, line(Mark(tone, count)), *table, *alike))


def _row(name: str, left: Mapping[str, str], right: Mapping[str, str]) -> Row:
    return row(name, *(values.get(name) or muted(_("not set")) for values in (left, right)))


def _fields(version: Version, runtime: Mapping[str, Any]) -> dict[str, str]:
    from aip_magics.render import yaml  # PyYAML is loaded by whoever describes something

    libraries = runtime.get("libraries") or {}
    return dict(flat({**yaml.tree(version), **({_("served by"): libraries} if libraries else {})}))
