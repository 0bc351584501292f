"""argparse that raises our errors instead of leaving the process, and names the nearest known option."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _


class HelpAsked(Exception):
    """`--help` was given; the text is the argument."""


class Parser(argparse.ArgumentParser):
    """A parser of one command's line. `prog` is shown as the user types it (`%aip_deploy`, `aip-magics deploy`)."""

    def __init__(self, prog: str, description: str, epilog: str = "") -> None:
        super().__init__(
            prog=prog,
            description=description,
            epilog=epilog,
            add_help=False,
            allow_abbrev=False,  # a misspelt flag must not silently become another one
            exit_on_error=False,
            formatter_class=_Formatter,
        )
        self._positionals.title, self._optionals.title = _("positional arguments"), _("options")
        self.add_argument("-h", "--help", action=_Help, nargs=0, help=_("show this text"))

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse the words of the line; OptionError (or HelpAsked)."""
        try:
            args, unknown = self.parse_known_args(list(words))
        except argparse.ArgumentError as error:
            raise self._error(str(error)) from None
        if unknown:
            word = unknown[0]
            if not word.startswith("-"):
                raise OptionError(_("{word!r} is one word too many", word=word), where=self.prog, fix=self._usage())
            from aip_magics.spec import nearest

            flag = word.split("=", 1)[0]
            raise OptionError(
                _("there is no option {flag}", flag=flag),
                where=self.prog,
                fix=nearest(flag, self.flags()) or "--help",
            )
        return args

    def flags(self) -> list[str]:
        """All long options, for completion and for the nearest one."""
        shown = [action for action in self._actions if action.help is not argparse.SUPPRESS]
        return [flag for action in shown for flag in action.option_strings if flag.startswith("--")]

    def option(self, flag: str) -> argparse.Action | None:
        """What an option is, by its flag."""
        return next((action for action in self._actions if flag in action.option_strings), None)

    def positionals(self) -> list[argparse.Action]:
        """The words without a flag, in their order."""
        return [action for action in self._actions if not action.option_strings]

    def error(self, message: str) -> NoReturn:
        raise self._error(message)

    def _error(self, message: str) -> OptionError:
        # "argument --region: invalid choice: 'mars' (choose from …)" → the option is the place, the rest the message.
        found = re.match(r"argument ([^:]+): (.*)", message, re.DOTALL)
        where, text = (f"{self.prog} {found[1]}", found[2]) if found else (self.prog, message)
        choice = re.match(r"invalid choice: '(.*)' \(choose from (.*)\)", text)
        if choice:
            from aip_magics.spec import nearest

            fix = nearest(choice[1], re.findall(r"[\w.-]+", choice[2])) or _("one of {names}", names=choice[2])
            return OptionError(_("{choice!r} is not a choice", choice=choice[1]), where=where, fix=fix)
        return OptionError(_said(text), where=where, fix=self._usage())

    def _usage(self) -> str:
        return " ".join(self.format_usage().split()).removeprefix(_("usage:")).strip()[:200]


def _said(text: str) -> str:
    """What argparse found wrong, in the language of the user; what it says seldom stays as it is."""
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
