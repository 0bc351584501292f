"""An argparse parser that raises OptionError instead of exiting, and suggests the nearest option."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _


class HelpAsked(Exception):
    """`--help` was given; the argument is the help text."""


class Parser(argparse.ArgumentParser):
    """The parser of one command. `prog` is the command as the user types it (`%aip_deploy`, `aip-magics deploy`)."""

    def __init__(self, prog: str, description: str, epilog: str = "") -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            add_help=False,
            allow_abbrev=False,  # a misspelled option must not silently become another one
            exit_on_error=False,
            formatter_class=_Formatter,
        )
        self._positionals.title, self._optionals.title = _("positional arguments"), _("options")
        self.add_argument("-h", "--help", action=_Help, nargs=0, help=_("show this help text"))

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse the arguments of a line. OptionError for invalid arguments, HelpAsked for `--help`."""
        try:
            args, unknown = self.parse_known_args(list(words))
        except argparse.ArgumentError as error:
            raise self._error(str(error)) from None
        if unknown:
            word = unknown[0]
            if not word.startswith("-"):
                raise OptionError(_("unexpected argument {word!r}", word=word), where=self.prog, fix=self._usage())
            from aip_magics.spec import nearest

            flag = word.split("=", 1)[0]
            raise OptionError(
                _("unknown option {flag}", flag=flag),
                where=self.prog,
                fix=nearest(flag, self.flags()) or "--help",
            )
        return args

    def flags(self) -> list[str]:
        """Return all long options, for completion and suggestions."""
        shown = [action for action in self._actions if action.help is not argparse.SUPPRESS]
        return [flag for action in shown for flag in action.option_strings if flag.startswith("--")]

    def option(self, flag: str) -> argparse.Action | None:
        """Find an option by its flag."""
        return next((action for action in self._actions if flag in action.option_strings), None)

    def positionals(self) -> list[argparse.Action]:
        """Return the positional arguments in order."""
        return [action for action in self._actions if not action.option_strings]

    def error(self, message: str) -> NoReturn:
        raise self._error(message)

    def _error(self, message: str) -> OptionError:
        # "argument --region: invalid choice: 'mars' (choose from …)": the option becomes `where`, the rest the message.
        found = re.match(r"argument ([^:]+): (.*)", message, re.DOTALL)
        where, text = (f"{self.prog} {found[1]}", found[2]) if found else (self.prog, message)
        choice = re.match(r"invalid choice: '(.*)' \(choose from (.*)\)", text)
        if choice:
            from aip_magics.spec import nearest

            fix = nearest(choice[1], re.findall(r"[\w.-]+", choice[2])) or _("use one of {names}", names=choice[2])
            return OptionError(_("invalid choice {choice!r}", choice=choice[1]), where=where, fix=fix)
        return OptionError(_translate(text), where=where, fix=self._usage())

    def _usage(self) -> str:
        return " ".join(self.format_usage().split()).removeprefix(_("usage:")).strip()[:200]


def _translate(text: str) -> str:
    """Translate the frequent messages of argparse; others stay English."""
    if text == "expected one argument":
        return _("expected one argument")
    if found := re.fullmatch(r"the following arguments are required: (.*)", text, re.DOTALL):
        return _("the following arguments are required: {names}", names=found[1])
    if found := re.fullmatch(r"invalid (\w+) value: (.*)", text, re.DOTALL):
        return _("invalid {type} value: {value}", type=found[1], value=found[2])
    if found := re.fullmatch(r"not allowed with argument (.*)", text, re.DOTALL):
        return _("not allowed with argument {flag}", flag=found[1])
    return text


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: str | None = None) -> None:
        super().add_usage(usage, actions, groups, f"{_('usage:')} " if prefix is None else prefix)


class _Help(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_unused: Any) -> NoReturn:
        raise HelpAsked(parser.format_help())
