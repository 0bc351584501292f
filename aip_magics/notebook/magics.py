"""Execution of a magic: parse the line, run the command, return its value."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from aip_magics.commands.form import FormRequest


def magic_parser(command: Command) -> Parser:
    """Build the parser of a magic: that of the command, plus `-o NAME`."""
    parser = build_parser(command, f"%{magic_name(command.name)}")
    parser.add_argument("-o", dest="output_name", metavar="NAME", help=_("also assign the value to this variable"))
    return parser


def run(verb: str, shell: Any, line: str, cell: str | None) -> Any:
    """Run a magic in a shell.

    A `;` at the end of the line suppresses the result and the value, as with IPython's own magics; `-o` still works.

    Args:
        verb: The verb of the magic, a key of VERBS.
        shell: The IPython shell.
        line: The line after the name of the magic.
        cell: The body of a cell magic.

    Returns:
        The value of the command; None with `-o` or `;`.
    """
    choose_language(get_session(shell))
    command = get_command(verb)
    line, semicolon, _unused = line.rstrip().rpartition(";") if line.rstrip().endswith(";") else (line, "", "")
    typed = split_line(line, shell.user_ns)
    try:
        args = magic_parser(command).parse(typed)
    except HelpAsked as help_text:
        print(help_text)
        return None
    args.verb = verb
    if args.output_name and not args.output_name.isidentifier():
        raise OptionError(_("invalid variable name {output_name!r}", output_name=args.output_name), where="-o")
    reporter = _build_reporter(command, shell, args.quiet)
    tracker = _ResultTracker(reporter, mute=bool(semicolon))
    try:
        value = execute(command, args, cell, build_context(shell, tracker, args))
    except AipError as error:
        error.debug = args.debug
        if args.output_name and isinstance(error, OperationFailed):
            shell.user_ns[args.output_name] = error.operation
        raise
    finally:
        if isinstance(reporter, NotebookReporter):
            reporter.finish()
    if (target_options := given_target_options(args)) and verb != "config":
        get_session(shell).last_run = target_options  # only after success: a failed run may have a mistyped project
    if args.output_name:
        shell.user_ns[args.output_name] = value
        return None
    if tracker.has_result:
        _keep_silent(shell, value)
    return None if semicolon else value


class _ResultTracker:
    """A reporter that records whether a result was shown; a muted one shows progress, but no result."""

    def __init__(self, reporter: Reporter, *, mute: bool) -> None:
        self.emit = reporter.emit
        self.has_result = False
        self._reporter = reporter
        self._mute = mute

    def show(self, value: Any) -> None:
        """Show a result, unless muted."""
        if not self._mute:
            self.has_result = True
            self._reporter.show(value)


def _keep_silent(shell: Any, value: Any) -> None:
    """Suppress the repr of a value that was already shown; `_` and `Out` are still set.

    IPython restores its own hook at the end of the cell.
    """
    original, hook = sys.displayhook, shell.displayhook

    def update_only(result: Any) -> None:
        if result is not value:
            original(result)
        elif result is not None:
            hook.update_user_ns(result)
            hook.fill_exec_result(result)

    sys.displayhook = update_only


def build_context(shell: Any, reporter: Reporter, args: Any) -> Context:
    """Build the context of a command in a shell."""
    session = get_session(shell)
    context = Context(
        reporter,
        shell.user_ns,
        session.session(),
        last_run=session.last_run,
        set_config=session.configure,
        watch_operation=_follower(shell, args) if getattr(shell, "kernel", None) is not None else None,
        open_form=_open_form if getattr(shell, "kernel", None) is not None else None,
    )
    return dataclasses.replace(context, history=get_history_log(shell.user_ns, context.data_dir()))


def _open_form(request: FormRequest) -> Any:
    """Show a form in the cell that runs."""
    from aip_magics.notebook.form import Form

    return Form(request)


def _follower(shell: Any, args: Any) -> Callable[[PendingOperation], None]:
    """Return a function that shows a pending operation and updates the variable of `-o` when the operation is done."""

    def on_end(operation: Operation) -> None:
        current = shell.user_ns.get(args.output_name) if args.output_name else None
        if isinstance(current, Operation) and current.name == operation.name:  # the user may have assigned it anew
            shell.user_ns[args.output_name] = operation

    def start(pending: PendingOperation) -> None:
        if not args.quiet:
            from aip_magics.notebook.operation_panel import show_operation

            show_operation(pending, magic_name(args.verb), on_end=on_end)

    return start


def _build_reporter(command: Command, shell: Any, quiet: bool) -> Reporter:
    if getattr(shell, "kernel", None) is not None:
        return NotebookReporter(magic_name(command.name), quiet=quiet)
    return TerminalReporter(print, print, time.monotonic, quiet=quiet)
