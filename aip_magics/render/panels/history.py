"""Panels of the history of a notebook and of its configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from aip_magics.i18n import gettext as _
from aip_magics.render import formatting
from aip_magics.render.blocks import Mark, Panel, Row, Table, Tone, code, line, muted, row

if TYPE_CHECKING:
    from aip_magics.settings import Sourced


class HistoryEntry(Protocol):
    """The part of `commands.common.history_log.HistoryEntry` that is shown; `render` must not import `commands`."""

    @property
    def at(self) -> str: ...
    @property
    def verb(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def what(self) -> str: ...
    @property
    def operation(self) -> str: ...
    @property
    def error(self) -> str: ...
    @property
    def where(self) -> Mapping[str, str]: ...


class History(Protocol):
    """The part of `commands.history.History` that is shown."""

    @property
    def entries(self) -> Sequence[HistoryEntry]: ...


class Configuration(Protocol):
    """The part of `commands.config.Configuration` that is shown."""

    @property
    def settings(self) -> Mapping[str, Sourced[str]]: ...
    @property
    def problem(self) -> str: ...
    @property
    def change(self) -> str: ...


_TONES: dict[str, Tone] = {"done": "good", "failed": "bad", "cancelled": "away", "running": "busy"}


def history(value: History, *, max_rows: int | None = None) -> Panel:
    """Build the panel of the history, the newest entry last."""
    entries = value.entries
    label = _("history")
    if not entries:
        return Panel(label, "idle", (line(_("no commands have been run yet")),))
    rows = tuple(_row(entry) for entry in (entries[-max_rows:] if max_rows else entries))
    heads = (_("When"), _("Command"), _("What"), _("State"), _("Target"), _("Operation"))
    return Panel(label, "idle", (Table("", heads, rows, total=len(entries), tail=True),))


def _row(entry: HistoryEntry) -> Row:
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
    """Build the panel of the settings, each with its source."""
    rows = tuple(row(name, setting.value, muted(setting.label)) for name, setting in value.settings.items())
    problem = (line(Mark("warn", _("incomplete:")), value.problem),) if value.problem else ()
    order = _("argument ▸ last run ▸ this notebook's configuration ▸ gcloud's configuration ▸ environment")
    table = (Table("", (_("Setting"), _("Value"), _("Source")), rows),) if rows else ()
    change = line(_("to change a setting:"), code(value.change))
    return Panel(_("configuration"), "warn" if problem else "idle", (*problem, *table, line(muted(order)), change))
