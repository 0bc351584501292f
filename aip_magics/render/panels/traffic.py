"""The panel of a model's traffic: a bar for each version, the shares before a change, and the line that undoes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from aip_magics.i18n import gettext as _
from aip_magics.render.blocks import Block, Mark, Panel, ProgressBar, Table, code, line, row, strong


class Traffic(Protocol):
    """The part of `commands.common.traffic_change.Traffic` that is shown; `render` must not import `commands`."""

    @property
    def model(self) -> str: ...
    @property
    def split(self) -> Mapping[str, int]: ...
    @property
    def before(self) -> Mapping[str, int] | None: ...
    @property
    def is_recorded(self) -> bool: ...


def traffic(value: Traffic) -> Panel:
    """Build the panel of the traffic, the version with the largest share first."""
    label = _("traffic")
    before = value.before
    changed = before is not None
    state = (Mark("good", _("changed")),) if changed else ()
    blocks: list[Block] = [line(strong(value.model), *state)]
    if not value.split:
        return Panel(label, "idle", (*blocks, line(_("no version of the model gets requests"))))
    heads = (_("Version"), _("share"), *((_("before"),) if changed else ()))
    names = sorted({*value.split, *(before or ())}, key=lambda name: (-value.split.get(name, 0), name))
    rows = []
    for name in names:
        percent = value.split.get(name, 0)
        bar = ProgressBar(percent, 100, name, f"{percent} %")
        rows.append(row(name, bar, *((f"{before.get(name, 0)} %",) if before is not None else ())))
    blocks.append(Table("", heads, tuple(rows)))
    if changed and not value.is_recorded:
        blocks.append(line(Mark("warn", _("the earlier traffic could not be saved: a rollback will not know it"))))
    elif before:
        blocks.append(line(_("to undo the change:"), code(f"%aip_rollback --model {value.model}")))
    return Panel(label, "good" if changed else "idle", tuple(blocks))
