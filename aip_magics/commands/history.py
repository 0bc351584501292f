"""`history`: what was done from this notebook."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence

from aip_magics.commands.common import options
from aip_magics.commands.common.command import Command, Context
from aip_magics.commands.common.history_log import HistoryEntry
from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _


@dataclasses.dataclass(frozen=True)
class History:
    """What was done, the oldest first."""

    entries: Sequence[HistoryEntry]

    def to_json(self) -> list[dict[str, object]]:
        return [entry.to_json() for entry in self.entries]


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=int, default=20, metavar="N", help=_("the last N (20)"))
    options.add_output(parser)


def run(args: argparse.Namespace, _body: str | None, context: Context) -> History:
    """The last things that this notebook (on the command line: this directory) changed, and how they ended."""
    if args.limit < 1:
        raise OptionError(_("at least one line is wanted"), where="--limit", fix="--limit 20")
    found = History(context.journal.entries()[-args.limit :] if context.journal else [])
    context.face.show(found)
    return found


COMMAND = Command("history", add_options, run, example="%aip_history --limit 5")
