"""All commands. A new one is a Command in a file of its own and a line here."""

from __future__ import annotations

from aip_magics.commands import deploy, package, predict, resources, server
from aip_magics.commands.base import Command
from aip_magics.commands.parser import Parser

COMMANDS: tuple[Command, ...] = (
    deploy.COMMAND,
    predict.PREDICT,
    predict.LOCAL_PREDICT,
    package.COMMAND,
    resources.DESCRIBE,
    resources.LIST,
    resources.DELETE,
    resources.ATTACH,
    server.COMMAND,
)


def parser_of(command: Command, prog: str) -> Parser:
    """The parser of a command, named as the user types it."""
    epilog = f"example:\n{command.example}" if command.example else ""
    parser = Parser(prog, command.help, epilog)
    command.add_options(parser)
    return parser
