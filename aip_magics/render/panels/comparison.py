"""The panel of two versions side by side: different fields first, then the names of identical fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from aip_magics.i18n import gettext as _
from aip_magics.i18n import ngettext
from aip_magics.render.blocks import Mark, Panel, Row, Table, Tone, line, muted, row, strong
from aip_magics.render.panels.describe import flat, version_state
from aip_magics.spec import Version


class Comparison(Protocol):
    """The part of `commands.resources.Comparison` that is shown; `render` must not import `commands`."""

    @property
    def left(self) -> Version: ...
    @property
    def right(self) -> Version: ...
    @property
    def left_runtime(self) -> Mapping[str, Any]: ...
    @property
    def right_runtime(self) -> Mapping[str, Any]: ...


# Fields that differ between any two versions and do not influence predictions.
_IGNORED_FIELDS = frozenset({"name", "etag", "createTime", "lastUseTime", "isDefault"})


def comparison(value: Comparison) -> Panel:
    """Build the panel of two versions: a row per different field, then the identical fields."""
    left, right = _fields(value.left, value.left_runtime), _fields(value.right, value.right_runtime)
    names = sorted({*left, *right} - _IGNORED_FIELDS)
    different = [name for name in names if left.get(name) != right.get(name)]
    identical = [name for name in names if name not in different]
    rows = tuple(_row(name, left, right) for name in different)
    tone: Tone = "warn" if different else "good"
    head = line(
        strong(value.left.id), version_state(value.left), "↔", strong(value.right.id), version_state(value.right)
    )
    differing = ngettext("{number} field differs", "{number} fields differ", len(different))
    count = differing if different else _("no fields differ")
    table = (Table("", (_("Field"), value.left.id, value.right.id), rows),) if rows else ()
    identical_line = (line(muted(_("identical in both: {names}", names=", ".join(identical)))),) if identical else ()
    return Panel(_("comparison"), tone, (head, line(Mark(tone, count)), *table, *identical_line))


def _row(name: str, left: Mapping[str, str], right: Mapping[str, str]) -> Row:
    return row(name, *(values.get(name) or muted(_("not set")) for values in (left, right)))


def _fields(version: Version, runtime: Mapping[str, Any]) -> dict[str, str]:
    from aip_magics.render import yaml  # PyYAML is loaded on first use

    libraries = runtime.get("libraries") or {}
    return dict(flat({**yaml.tree(version), **({_("served by"): libraries} if libraries else {})}))
