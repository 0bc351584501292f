"""Load the command of a verb and build its parser."""

from __future__ import annotations

import importlib

from aip_magics.commands.common.command import Command
from aip_magics.commands.common.parser import Parser
from aip_magics.commands.verbs import VERBS, magic_name
from aip_magics.i18n import gettext as _


def get_command(verb: str) -> Command:
    """Load the command of one of VERBS: `deploy` is `COMMAND` in `commands/deploy.py`.

    Only this file is imported, so that a local prediction does not wait for the import of the upload code.
    """
    module, name = VERBS[verb].path.split(".")
    command: Command = getattr(importlib.import_module(f"aip_magics.commands.{module}"), name)
    return command


def build_parser(command: Command, prog: str) -> Parser:
    """Build the parser of a command. `prog` is the command as the user types it."""
    example = command.example
    if prog.startswith("aip-magics") and "\n" not in example:  # a cell cannot be run in a shell
        example = example.replace(f"%{magic_name(command.name)}", prog, 1)
    epilog = f"{_('example:')}\n{example}" if example else ""
    parser = Parser(prog, command.help, epilog)
    command.add_options(parser)
    return parser
