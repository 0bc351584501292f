"""Command line: `aip-magics some-verb` runs `%aip_some_verb` with the same options, plus `--format json`."""

from __future__ import annotations

import dataclasses
import gc
import os
import sys
import time
import traceback
from collections.abc import Sequence
from types import TracebackType
from typing import Literal

from aip_magics import __version__, i18n
from aip_magics.commands.common.command import Context
from aip_magics.commands.common.execution import execute
from aip_magics.commands.common.history_log import open_history_log
from aip_magics.commands.common.parser import HelpAsked
from aip_magics.commands.registry import build_parser, get_command
from aip_magics.commands.verbs import VERBS
from aip_magics.errors import AipError, Interrupted, OptionError
from aip_magics.i18n import gettext as _
from aip_magics.printable import block
from aip_magics.render.json import dumps, to_json
from aip_magics.render.terminal import TerminalReporter


def main(words: Sequence[str] | None = None) -> int:
    """Run one verb; results go to stdout, progress and errors to stderr.

    Args:
        words: The arguments of the command line; None for those of this process.

    Returns:
        The exit code: 0, 1 for an error, 2 for an invalid command line, 130 for an interrupt.
    """
    words = list(sys.argv[1:] if words is None else words)
    i18n.use(i18n.choose(os.environ))
    if not words or words[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    if words[0] in ("-V", "--version"):
        print(__version__)
        return 0
    if words[0] == "demo":
        from aip_magics import demo

        return demo.main(words[1:])
    if words[0] not in VERBS:
        from aip_magics.spec import nearest

        fix = nearest(words[0], [*VERBS, "demo"]) or "aip-magics --help"
        return _report_error(
            OptionError(_("unknown command {word!r}", word=words[0]), where="aip-magics", fix=fix), "text"
        )
    return _run(words)


def _run(words: list[str]) -> int:
    try:
        return _run_verb(words)
    except BrokenPipeError:  # the reader of the output closed the pipe
        return 1
    except OSError as os_error:  # outside of the command, which explains its own: no space for the output
        from aip_magics.data_directory import file_error
        from aip_magics.settings import NO_HOME

        error = file_error(os_error, NO_HOME)
        error.debug = "--debug" in words
        return _report_error(error, "text")


def _run_verb(words: list[str]) -> int:
    command = get_command(words[0])
    parser = build_parser(command, f"aip-magics {command.name}")
    parser.add_argument("--format", choices=("text", "json"), default="text", help=_("output format of the results"))
    output_format: Literal["text", "json"] = "json" if "json" in words and "--format" in words else "text"
    debug = "--debug" in words
    try:
        args = parser.parse(words[1:])
        output_format = args.format
        reporter = TerminalReporter(None if output_format == "json" else _out, _err, time.monotonic, quiet=args.quiet)
        context = Context(reporter)
        context = dataclasses.replace(context, history=open_history_log(context.data_dir()))
        value = execute(command, args, None, context)
        if output_format == "json" and value is not None:
            _out(dumps(to_json(value), indent=2))
        return 1 if command.failed(value) else 0
    except HelpAsked as help_text:
        _out(str(help_text))
    except AipError as error:
        error.debug = debug
        return _report_error(error, output_format)
    except KeyboardInterrupt:
        return _report_error(Interrupted(_("interrupted by the user")), output_format)
    return 0


def _report_error(error: AipError, output_format: Literal["text", "json"]) -> int:
    for line in error._render_traceback_():
        _err(line)
    if output_format == "json":
        _out(dumps({"error": to_json(error)}))
    return 130 if isinstance(error, Interrupted) else 2 if isinstance(error, OptionError) else 1


def _print_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print the traceback of a bug; the text of the exception may come from outside and is escaped."""
    for line in block("".join(traceback.format_exception(kind, error, trace)).rstrip("\n")):
        _err(line)


def _help() -> str:
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {name:<{width}}  {_(verb.help)}" for name, verb in VERBS.items())
    demo = _("Train a small real model, deploy it to the embedded server and predict.")
    more = _("aip-magics COMMAND --help shows the options; each command is also a magic: %aip_COMMAND.")
    usage = _("usage:")
    return f"{usage} aip-magics COMMAND [options]\n\n{verbs}\n  {'demo':<{width}}  {demo}\n\n{more}"


def _out(text: str) -> None:
    print(text, flush=True)


def _err(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def run() -> None:
    """Run `main` as a process; skip the last garbage collection, which takes longer than a request."""
    sys.excepthook = _print_bug
    code = main()
    gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    run()
