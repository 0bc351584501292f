"""Tab completion in the line of a magic: options, their values, and positional arguments."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aip_magics.commands.common import options
from aip_magics.commands.common.parser import Parser
from aip_magics.commands.registry import get_command
from aip_magics.notebook.completion import values
from aip_magics.notebook.completion.values import CompletionContext, ValueHint
from aip_magics.notebook.magics import magic_parser


def complete_line(verb: str, before: str, after: str, names: Mapping[str, Any]) -> ValueHint:
    """Complete between `before` and `after`, the parts of the line behind the name of the magic."""
    parser = magic_parser(get_command(verb))
    words, written = split(before)
    rest, last = split(after)
    context = CompletionContext(names, _given(parser, [*words, written, *rest, last]))
    flags = _flags(parser, [*words, *rest, last])
    flag, equals, value = written.partition("=") if written.startswith("--") else ("", "", written)
    if written.startswith("-") and not equals:
        return ValueHint(written, [flag for flag in flags if flag.startswith(written)])
    if not flag and words and _takes_value(parser.option(words[-1])):
        flag = words[-1]
    if flag:
        action = parser.option(flag)
        return _value(action, value, context) if _takes_value(action) else values.NOTHING
    found = _positional(parser, words, value, context)
    return found if value else ValueHint("", [*found.texts, *flags])


def parse_line(verb: str, line: str) -> dict[str, str]:
    """Return the arguments of a complete line by destination."""
    words, last = split(line)
    return _given(magic_parser(get_command(verb)), [*words, last])


def split(text: str) -> tuple[list[str], str]:
    """Split into complete words and the incomplete last word (empty after a space)."""
    words, start, quote = list[str](), 0, ""
    for number, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign.isspace():
            if text[start:number]:
                words.append(values.unquoted(text[start:number]))
            start = number + 1
    return words, text[start:]


def _flags(parser: Parser, others: Sequence[str]) -> list[str]:
    """The options that can be added to the other words."""
    used = {word.partition("=")[0] for word in others}
    return [
        flag
        for flag in parser.flags()
        if flag not in used or isinstance(parser.option(flag), argparse._AppendAction)  # can be repeated
    ]


def _positional(parser: Parser, words: Sequence[str], value: str, context: CompletionContext) -> ValueHint:
    before = sum(1 for flag, _ in _parse_arguments(parser, words) if not flag)
    positionals = parser.positionals()
    if positionals and positionals[-1].nargs in ("+", "*"):  # takes all further words
        before = min(before, len(positionals) - 1)
    return _value(positionals[before], value, context) if before < len(positionals) else values.NOTHING


def _value(action: argparse.Action | None, written: str, context: CompletionContext) -> ValueHint:
    if action is None:
        return values.NOTHING
    fragment = written.rpartition(",")[2] if action.type is options.split_commas else written
    if action.choices and not fragment.startswith("$"):
        typed = options.framework(fragment) if action.type is options.framework else fragment
        return ValueHint(fragment, [str(choice) for choice in action.choices if str(choice).startswith(typed)])
    return ValueHint(fragment, values.hints_for(action.dest, fragment, context))


def _parse_arguments(parser: Parser, words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield destination and value of each argument of an incomplete line; the destination of a positional is empty."""
    rest = iter(words)
    for word in rest:
        flag, equals, value = word.partition("=")
        action = parser.option(flag) if word.startswith("-") else None
        if action is None:
            yield "", word
        elif equals or not _takes_value(action):
            yield action.dest, value
        else:
            yield action.dest, next(rest, "")


def _given(parser: Parser, words: Sequence[str]) -> dict[str, str]:
    """The arguments of an incomplete line by destination; one that takes several words has them separated by spaces."""
    given, positionals = dict[str, str](), iter(parser.positionals())
    action = None
    for found, value in _parse_arguments(parser, words):
        if found:
            given[found] = value
            continue
        repeats = action is not None and action.nargs in ("+", "*")
        action = action if repeats else next(positionals, None)
        if action is not None:
            given[action.dest] = f"{given[action.dest]} {value}" if repeats else value
    return given


def _takes_value(action: argparse.Action | None) -> bool:
    return action is not None and action.nargs != 0
