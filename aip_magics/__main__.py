"""The command line: `aip-magics some-verb` is `%aip_some_verb`, with the same flags and `--format json`."""

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
    """Run one verb. Returns 0, 1 for an error, 2 for a wrong command line, 130 for an interrupt.

    Results go to stdout, progress and errors to stderr.
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
        return _complain(
            OptionError(_("there is no command {word!r}", word=words[0]), where="aip-magics", fix=fix), "text"
        )
    return _run(words)


def _run(words: list[str]) -> int:
    try:
        return _answer(words)
    except BrokenPipeError:  # whoever read the output wants no more of it
        return 1


def _answer(words: list[str]) -> int:
    command = get_command(words[0])
    parser = build_parser(command, f"aip-magics {command.name}")
    parser.add_argument("--format", choices=("text", "json"), default="text", help=_("how results are written"))
    form: Literal["text", "json"] = "json" if "json" in words and "--format" in words else "text"
    debug = "--debug" in words
    try:
        args = parser.parse(words[1:])
        form = args.format
        face = TerminalReporter(None if form == "json" else _out, _err, time.monotonic, quiet=args.quiet)
        context = Context(face)
        context = dataclasses.replace(context, journal=open_history_log(context.data_dir()))
        value = execute(command, args, None, context)
        if form == "json" and value is not None:
            _out(dumps(to_json(value), indent=2))
        return 1 if command.failed(value) else 0
    except HelpAsked as asked:
        _out(str(asked))
    except AipError as error:
        error.debug = debug
        return _complain(error, form)
    except KeyboardInterrupt:
        return _complain(Interrupted(_("stopped by you")), form)
    return 0


def _complain(error: AipError, form: Literal["text", "json"]) -> int:
    for line in error._render_traceback_():
        _err(line)
    if form == "json":
        _out(dumps({"error": to_json(error)}))
    return 130 if isinstance(error, Interrupted) else 2 if isinstance(error, OptionError) else 1


def _fault(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A mistake of ours: its traceback, in which the text of the exception may be anyone's."""
    for line in block("".join(traceback.format_exception(kind, error, trace)).rstrip("\n")):
        _err(line)


def _help() -> str:
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {name:<{width}}  {_(verb.help)}" for name, verb in VERBS.items())
    demo = _("Train a small real model, deploy it to the embedded server and predict.")
    more = _("aip-magics COMMAND --help tells the options; each command is also a magic: %aip_COMMAND.")
    usage = _("usage:")
    return f"{usage} aip-magics COMMAND [options]\n\n{verbs}\n  {'demo':<{width}}  {demo}\n\n{more}"


def _out(text: str) -> None:
    print(text, flush=True)


def _err(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def run() -> None:
    """A process of its own: `main`, and an end without a last search for garbage, which takes longer than a request."""
    sys.excepthook = _fault
    code = main()
    gc.freeze()
    sys.exit(code)


if __name__ == "__main__":
    run()
