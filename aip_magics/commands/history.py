"""`history`: show what this notebook changed."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from typing import ClassVar

from aip_magics.commands.common import options
from aip_magics.commands.common.command import Command, Context
from aip_magics.commands.common.history_log import HistoryEntry
from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _


@dataclasses.dataclass(frozen=True)
class History:
    """The changes of a notebook, the oldest first."""

    panel_kind: ClassVar[str] = "history"
    entries: Sequence[HistoryEntry]

    def to_json(self) -> list[dict[str, object]]:
        return [entry.to_json() for entry in self.entries]


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=int, default=20, metavar="N", help=_("show the last N entries (default: 20)"))
    options.add_output(parser)


def run(args: argparse.Namespace, _body: str | None, context: Context) -> History:
    """Return the last changes of this notebook (on the command line: of this directory) and their outcomes."""
    if args.limit < 1:
        raise OptionError(_("expected at least 1 line"), where="--limit", fix="--limit 20")
    history = History(context.history.entries()[-args.limit :] if context.history else [])
    context.reporter.show(history)
    return history


COMMAND = Command("history", add_options, run, example="%aip_history --limit 5")
