"""The page of all magics, from their parsers: `python -m aip_magics.commands.reference` writes REFERENCE.md anew."""

from __future__ import annotations

import argparse
import collections
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path

from aip_magics import errors
from aip_magics.commands.common.command import Command
from aip_magics.commands.registry import build_parser, get_command
from aip_magics.commands.verbs import VERBS, magic_name
from aip_magics.errors import AipError
from aip_magics.i18n import current_language, use
from aip_magics.render import panels

PAGE = Path(__file__).with_name("REFERENCE.md")
HEAD = """# The magics, one by one

Made from the parsers by `python -m aip_magics.commands.reference`; edit the commands, not this page.

Each magic `%aip_some_verb` is also the command `aip-magics some-verb`, with the same options. What all magics take:

- `-h`, `--help`: show the options
- `-o NAME` (magics only): put the value into this variable too
- `;` at the end of the line (magics only): show no result and give no value
- `--format text|json` (command line only): how results are written
- `$name`, where a whole value stands: a variable of the notebook; `$$` is a plain `$`
"""
BODIES = {
    "yaml": "The body of the cell is YAML with the fields of the API's resource; the line overrides it.",
    "instances": "The body of the cell has the instances: a list, or an object with `instances`.",
    "none": "",
}
_NO_TITLE = ("positional arguments", "options")  # argparse's own groups
SHARED_BY = 3  # a group of options that so many magics have is written once, below them all

Group = tuple[str, tuple[str, ...]]  # its title, and a line for each option


def page() -> str:
    """The page as Markdown: a section for each magic, for options that many have, for panels and for errors."""
    language = current_language()
    use("en")  # one page, whatever the language of who makes it
    try:
        commands = [get_command(verb) for verb in VERBS]
        uses = collections.Counter(group for command in commands for group in groups(command))
        shared = [group for group, count in uses.items() if count >= SHARED_BY and group[0]]
        sections = [_section(command, shared) for command in commands]
        return "\n".join([HEAD, *sections, *map(_shared_section, shared), _panels(), _errors()])
    finally:
        use(language)


def groups(command: Command) -> list[Group]:
    """The options of a command in their groups; those of no group come first, with the title ``""``."""
    parser = build_parser(command, f"%{magic_name(command.name)}")
    found = [(group.title or "", tuple(_options(group))) for group in parser._action_groups]
    own = tuple(line for title, lines in found if title in _NO_TITLE for line in lines)
    titled = [(title, lines) for title, lines in found if title not in _NO_TITLE and lines]
    return [*([("", own)] if own else []), *titled]


def _options(group: argparse._ArgumentGroup) -> Iterator[str]:
    for action in group._group_actions:
        if "--help" not in action.option_strings and action.help is not argparse.SUPPRESS:
            yield f"- {_typed(action)}{_told(action)}"


def _typed(action: argparse.Action) -> str:
    """The option as it is typed: `--model NAME`, `VERSION`."""
    choices = "|".join(map(str, action.choices or ()))
    value = str(action.metavar or choices or action.dest.upper()) if action.nargs != 0 else ""
    return ", ".join(f"`{flag} {value}`".replace(" `", "`") for flag in action.option_strings) or f"`{value}`"


def _told(action: argparse.Action) -> str:
    """What is said of the option: whether it must be given, its help, its values where the name of one stands."""
    parts = [action.help or ""]
    if action.metavar and action.choices:
        parts.append("one of " + ", ".join(f"`{choice}`" for choice in action.choices))
    told = "; ".join(part for part in parts if part)
    must = " (required)" if action.option_strings and action.required else ""
    return f"{must}: {told}" if told else must


def _section(command: Command, shared: list[Group]) -> str:
    name = magic_name(command.name)
    body = VERBS[command.name].body
    spellings = [f"`%{name}`", *([f"`%%{name}`"] if body != "none" else []), f"`aip-magics {command.name}`"]
    text = [f"## %{name}", command.help, " · ".join(spellings), BODIES[body], inspect.getdoc(command.run) or ""]
    links = []
    for group in groups(command):
        if group in shared:
            links.append(f"[{group[0]}](#{_anchor(group)})")
        else:
            text.append("\n".join([*([f"{_sentence(group[0])}:", ""] if group[0] else []), *group[1]]))
    if links:
        text.append(f"And the options of: {', '.join(links)}.")
    if command.example:
        text.append(f"```\n{command.example}\n```")
    return "\n\n".join(part for part in text if part) + "\n"


def _shared_section(group: Group) -> str:
    return "\n\n".join([f"## Options: {group[0]}", "\n".join(group[1])]) + "\n"


def _anchor(group: Group) -> str:
    """The name that Markdown gives to the heading of `_shared_section`."""
    plain = "".join(letter for letter in f"options {group[0].lower()}" if letter.isalnum() or letter in " -")
    return plain.replace(" ", "-")


def _sentence(title: str) -> str:
    return title[:1].upper() + title[1:]


def _panels() -> str:
    """What is shown, panel by panel: the first line of each file in `render/panels`."""
    names = sorted(module.name for module in pkgutil.iter_modules(panels.__path__))
    told = ((name, inspect.getdoc(importlib.import_module(f"{panels.__name__}.{name}")) or "") for name in names)
    lines = [f"- **{name}**: {text.splitlines()[0]}" for name, text in told]
    head = "In a notebook they are HTML with text beside it; a terminal has the text, `--format json` the value."
    return "\n\n".join(["## Panels", head, "\n".join(lines)]) + "\n"


def _errors() -> str:
    """The tree of the errors, and what each one means."""
    tree = inspect.cleandoc((errors.__doc__ or "").partition("::")[2])
    lines = [f"- **{error.__name__}**: {' '.join((inspect.getdoc(error) or '').split())}" for error in error_classes()]
    head = "An error says what is wrong, where, and how to mend it; `--debug` shows its traceback, too."
    return "\n\n".join(["## Errors", head, f"```\n{tree}\n```", "\n".join(lines)]) + "\n"


def error_classes() -> list[type[AipError]]:
    """All classes of `errors.py`, in the order in which they stand there."""
    classes = (value for value in vars(errors).values() if isinstance(value, type))
    return [value for value in classes if issubclass(value, AipError)]


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
