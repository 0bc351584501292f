"""What a magic does when it is used: it only parses the line and hands over to its command."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable
from typing import Any

from aip_magics.commands.common.command import Command, Context, PendingOperation, Reporter
from aip_magics.commands.common.execution import execute, given_target_options
from aip_magics.commands.common.magic_line import split_line
from aip_magics.commands.common.parser import HelpAsked, Parser
from aip_magics.commands.registry import build_parser, get_command
from aip_magics.commands.verbs import magic_name
from aip_magics.errors import AipError, OperationFailed, OptionError
from aip_magics.i18n import gettext as _
from aip_magics.notebook.configuration import get_session
from aip_magics.notebook.reporter import NotebookReporter
from aip_magics.notebook.session import choose_language, get_history_log
from aip_magics.render.terminal import TerminalReporter
from aip_magics.spec import Operation


def magic_parser(command: Command) -> Parser:
    """The parser of a magic: that of the command, and `-o NAME`."""
    parser = build_parser(command, f"%{magic_name(command.name)}")
    parser.add_argument("-o", dest="output_name", metavar="NAME", help=_("put the value into this variable too"))
    return parser


def run(verb: str, shell: Any, line: str, cell: str | None) -> Any:
    """Run the magic of this verb in this shell; returns its value (None where `-o` takes it).

    A `;` at the end of the line shows no result and gives no value, as with IPython's own magics: `-o` keeps it.
    """
    choose_language(get_session(shell))
    command = get_command(verb)
    line, semicolon, _unused = line.rstrip().rpartition(";") if line.rstrip().endswith(";") else (line, "", "")
    typed = split_line(line, shell.user_ns)
    try:
        args = magic_parser(command).parse(typed)
    except HelpAsked as asked:
        print(asked)
        return None
    args.verb = verb
    if args.output_name and not args.output_name.isidentifier():
        raise OptionError(_("{output_name!r} is not a variable name", output_name=args.output_name), where="-o")
    face = _build_reporter(command, shell, args.quiet)
    shown = _Shown(face, mute=bool(semicolon))
    try:
        value = execute(command, args, cell, build_context(shell, shown, args))
    except AipError as error:
        error.debug = args.debug
        if args.output_name and isinstance(error, OperationFailed):
            shell.user_ns[args.output_name] = error.operation
        raise
    finally:
        if isinstance(face, NotebookReporter):
            face.finish()
    if (place := given_target_options(args)) and verb != "config":
        get_session(shell).last_run = place  # a run that failed, by a mistyped project too, is no example
    if args.output_name:
        shell.user_ns[args.output_name] = value
        return None
    if shown.any:
        _keep_silent(shell, value)
    return None if semicolon else value


class _Shown:
    """A face that remembers whether it showed a result; a muted one shows how a run goes, but no result."""

    def __init__(self, face: Reporter, *, mute: bool) -> None:
        self.emit = face.emit
        self.any = False
        self._face = face
        self._mute = mute
        if isinstance(face, NotebookReporter):
            self.open_form = face.open_form  # a form is no result: it is what was asked for

    def show(self, value: Any) -> None:
        if not self._mute:
            self.any = True
            self._face.show(value)


def _keep_silent(shell: Any, value: Any) -> None:
    """Let the cell end without the value's repr below what was shown of it; `_` and `Out` have it all the same.

    IPython puts its own hook back when the cell has ended.
    """
    before, hook = sys.displayhook, shell.displayhook

    def once(result: Any) -> None:
        if result is not value:
            before(result)
        elif result is not None:
            hook.update_user_ns(result)
            hook.fill_exec_result(result)

    sys.displayhook = once


def build_context(shell: Any, face: Reporter, args: Any) -> Context:
    """What a command runs with in this shell."""
    session = get_session(shell)
    context = Context(
        face,
        shell.user_ns,
        session.session(),
        last_run=session.last_run,
        configure=session.configure,
        follow=_follower(shell, args) if getattr(shell, "kernel", None) is not None else None,
    )
    return dataclasses.replace(context, journal=get_history_log(shell.user_ns, context.data_dir()))


def _follower(shell: Any, args: Any) -> Callable[[PendingOperation], None]:
    """Shows an operation that goes on, and puts it into the variable of `-o` again when it is done."""

    def ended(operation: Operation) -> None:
        held = shell.user_ns.get(args.output_name) if args.output_name else None
        if isinstance(held, Operation) and held.name == operation.name:  # the user may have put it to another use
            shell.user_ns[args.output_name] = operation

    def start(pending: PendingOperation) -> None:
        if not args.quiet:
            from aip_magics.notebook.operation_panel import show_operation

            show_operation(pending, magic_name(args.verb), ended=ended)

    return start


def _build_reporter(command: Command, shell: Any, quiet: bool) -> Reporter:
    if getattr(shell, "kernel", None) is not None:
        return NotebookReporter(magic_name(command.name), quiet=quiet)
    return TerminalReporter(print, print, time.monotonic, quiet=quiet)
