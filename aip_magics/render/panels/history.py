"""What belongs to a notebook: its history, and the settings its commands run with."""

from __future__ import annotations

from aip_magics.i18n import gettext as _
from aip_magics.render import formatting
from aip_magics.render.blocks import Mark, Panel, Row, Table, Tone, code, line, muted, row
from aip_magics.render.shapes import Configuration, Entry, History

_TONES: dict[str, Tone] = {"done": "good", "failed": "bad", "cancelled": "away", "running": "busy"}


def history(value: History, *, most: int | None = None) -> Panel:
    """The panel of what was done, the newest last."""
    entries = value.entries
    label = _("history")
    if not entries:
        return Panel(label, "idle", (line(_("nothing was done here yet")),))
    rows = tuple(_row(entry) for entry in (entries[-most:] if most else entries))
    heads = (_("When"), _("Command"), _("What"), _("State"), _("Target"), _("Operation"))
    return Panel(label, "idle", (Table("", heads, rows, total=len(entries), tail=True),))


def _row(entry: Entry) -> Row:
    state = Mark(_TONES.get(entry.outcome, "idle"), formatting.status(entry.outcome))
    what = entry.what.partition("/models/")[2].replace("/versions/", "/") or entry.what
    return row(
        entry.at,
        entry.verb,
        what,
        line(state, muted(entry.error) if entry.error else ""),
        " ".join(entry.where.get(name, "") for name in ("target", "project")).strip(),
        entry.operation.rpartition("/")[2],
    )


def configuration(value: Configuration) -> Panel:
    """The panel of the settings, each with the source that won."""
    rows = tuple(row(name, setting.value, muted(setting.told)) for name, setting in value.settings.items())
    problem = (line(Mark("warn", _("not complete:")), value.problem),) if value.problem else ()
    order = _("argument ▸ last run ▸ this notebook's configuration ▸ gcloud's configuration ▸ environment")
    table = (Table("", (_("Setting"), _("Value"), _("Source")), rows),) if rows else ()
    change = line(_("to change one:"), code(value.change))
    return Panel(_("configuration"), "warn" if problem else "idle", (*problem, *table, line(muted(order)), change))
