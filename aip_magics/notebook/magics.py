"""What a magic does when it is used: it only parses the line and hands over to its command."""

from __future__ import annotations

import numbers
import os
import shlex
import time
from typing import Any

from aip_magics.commands.base import Command, Context, Face
from aip_magics.commands.cell import VARIABLE, substitute
from aip_magics.commands.parser import HelpAsked, Parser
from aip_magics.commands.registry import command_of, parser_of
from aip_magics.commands.verbs import magic_name
from aip_magics.errors import AipError, OperationFailed, OptionError
from aip_magics.notebook.face import NotebookFace
from aip_magics.render.terminal import TerminalFace

SESSION: dict[str, str] = {}


def magic_parser(command: Command) -> Parser:
    """The parser of a magic: that of the command, and `-o NAME`."""
    parser = parser_of(command, f"%{magic_name(command.name)}")
    parser.add_argument("-o", dest="output_name", metavar="NAME", help="put the value into this variable too")
    return parser


def run(verb: str, shell: Any, line: str, cell: str | None) -> Any:
    """Run the magic of this verb in this shell; returns its value (None where `-o` takes it)."""
    command = command_of(verb)
    words = _words(line, shell.user_ns)
    try:
        args = magic_parser(command).parse(words)
    except HelpAsked as asked:
        print(asked)
        return None
    if args.output_name and not args.output_name.isidentifier():
        raise OptionError(f"{args.output_name!r} is not a variable name", where="-o")
    face = _face(command, shell, args.quiet)
    try:
        value = command.run(args, cell, Context(face, shell.user_ns, SESSION))
    except AipError as error:
        error.debug = args.debug
        if args.output_name and isinstance(error, OperationFailed):
            shell.user_ns[args.output_name] = error.operation
        raise
    finally:
        if isinstance(face, NotebookFace):
            face.finish()
    if args.output_name:
        shell.user_ns[args.output_name] = value
        return None
    return value


def _face(command: Command, shell: Any, quiet: bool) -> Face:
    if getattr(shell, "kernel", None) is not None:
        return NotebookFace(magic_name(command.name), quiet=quiet)
    return TerminalFace(print, print, time.monotonic, quiet=quiet)


def _words(line: str, names: dict[str, Any]) -> list[str]:
    """The line's words; a word that is wholly `$name` (also after `--flag=`) becomes that variable's text."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise OptionError(f"the line cannot be read: {error}", where=line, fix="close the quotation mark") from None
    return [_variable(word, names) for word in words]


def _variable(word: str, names: dict[str, Any]) -> str:
    flag, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    if VARIABLE.fullmatch(value) or value.startswith("$$"):
        found = substitute(value, names, flag or "line")
        # A model, an array, a list: it has no place in a line, the command takes it by its name.
        return f"{flag}{equals}{found}" if isinstance(found, (str, os.PathLike, numbers.Number)) else word
    return word
