"""Where each command is. A new one is a Command in a file of its own, its verb in `verbs` and a line here."""

from __future__ import annotations

import importlib

from aip_magics.commands.common.command import Command
from aip_magics.commands.common.parser import Parser
from aip_magics.commands.verbs import magic_name
from aip_magics.i18n import gettext as _

COMMAND_PATHS = {
    "deploy": "deploy.COMMAND",
    "form": "form.COMMAND",
    "check": "check.COMMAND",
    "trust": "trust.COMMAND",
    "predict": "predict.PREDICT",
    "local-predict": "predict.LOCAL_PREDICT",
    "package": "package.COMMAND",
    "describe": "resources.DESCRIBE",
    "list": "resources.LIST",
    "delete": "resources.DELETE",
    "create-model": "create.CREATE_MODEL",
    "create-version": "create.CREATE_VERSION",
    "set-default": "update.SET_DEFAULT",
    "update": "update.UPDATE",
    "operations": "operations.OPERATIONS",
    "wait": "operations.WAIT",
    "cancel": "operations.CANCEL",
    "history": "history.COMMAND",
    "config": "config.COMMAND",
    "attach": "operations.ATTACH",
    "upload": "upload.COMMAND",
    "pull": "pull.COMMAND",
    "logs": "logs.COMMAND",
    "server": "server.COMMAND",
    "autoload": "autoload.COMMAND",
}


def get_command(verb: str) -> Command:
    """The command of one of VERBS. Only the file it is in is imported: a local prediction waits for no upload code."""
    module, name = COMMAND_PATHS[verb].split(".")
    command: Command = getattr(importlib.import_module(f"aip_magics.commands.{module}"), name)
    return command


def build_parser(command: Command, prog: str) -> Parser:
    """The parser of a command, named as the user types it."""
    example = command.example
    if prog.startswith("aip-magics") and "\n" not in example:  # a cell is no line of a shell
        example = example.replace(f"%{magic_name(command.name)}", prog, 1)
    epilog = f"{_('example:')}\n{example}" if example else ""
    parser = Parser(prog, command.help, epilog)
    command.add_options(parser)
    return parser
