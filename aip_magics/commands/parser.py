"""argparse that raises our errors instead of leaving the process, and names the nearest known option."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from aip_magics.errors import OptionError


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
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self.add_argument("-h", "--help", action=_Help, nargs=0, help="show this text")

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse the words of the line; OptionError (or HelpAsked)."""
        try:
            args, unknown = self.parse_known_args(list(words))
        except argparse.ArgumentError as error:
            raise self._error(str(error)) from None
        if unknown:
            word = unknown[0]
            if not word.startswith("-"):
                raise OptionError(f"{word!r} is one word too many", where=self.prog, fix=self._usage())
            from aip_magics.spec import nearest

            flag = word.split("=", 1)[0]
            raise OptionError(
                f"there is no option {flag}", where=self.prog, fix=nearest(flag, self.flags()) or "--help"
            )
        return args

    def flags(self) -> list[str]:
        """All long options, for completion and for the nearest one."""
        return [flag for action in self._actions for flag in action.option_strings if flag.startswith("--")]

    def choices_of(self, flag: str) -> list[str]:
        """The values an option can have, where they are known."""
        for action in self._actions:
            if flag in action.option_strings and action.choices:
                return [str(choice) for choice in action.choices]
        return []

    def error(self, message: str) -> NoReturn:
        raise self._error(message)

    def _error(self, message: str) -> OptionError:
        # "argument --region: invalid choice: 'mars' (choose from …)" → the option is the place, the rest the message.
        found = re.match(r"argument ([^:]+): (.*)", message, re.DOTALL)
        where, text = (f"{self.prog} {found[1]}", found[2]) if found else (self.prog, message)
        choice = re.match(r"invalid choice: '(.*)' \(choose from (.*)\)", text)
        if choice:
            from aip_magics.spec import nearest

            fix = nearest(choice[1], re.findall(r"[\w.-]+", choice[2])) or f"one of {choice[2]}"
            return OptionError(f"{choice[1]!r} is not a choice", where=where, fix=fix)
        return OptionError(text, where=where, fix=self._usage())

    def _usage(self) -> str:
        return " ".join(self.format_usage().split()).removeprefix("usage: ")[:200]


class _Help(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        raise HelpAsked(parser.format_help())
