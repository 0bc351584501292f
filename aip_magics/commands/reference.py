"""Write REFERENCE.md, the page of all magics, from their parsers: `python -m aip_magics.commands.reference`."""

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

Generated from the parsers by `python -m aip_magics.commands.reference`; edit the commands, not this page.

Each magic `%aip_some_verb` is also the command `aip-magics some-verb`, with the same options. All magics accept:

- `-h`, `--help`: show the options
- `-o NAME` (magics only): also assign the value to this variable
- `;` at the end of the line (magics only): show no result and return no value
- `--format text|json` (command line only): output format of the results
- `$name` as a whole value: a variable of the notebook; `$$` is a plain `$`
"""
BODIES = {
    "yaml": "The body of the cell is YAML with the fields of the API's resource; options of the line override it.",
    "instances": "The body of the cell has the instances: a list, or a mapping with `instances`.",
    "none": "",
}
_NO_TITLE = ("positional arguments", "options")  # argparse's own groups
SHARED_BY = 3  # a group of options that this many magics share is written once, below the magics

Group = tuple[str, tuple[str, ...]]  # its title, and a line for each option


def page() -> str:
    """Build the page as Markdown: a section for each magic, the shared options, the panels and the errors."""
    language = current_language()
    use("en")  # the page is English, whatever the user's language
    try:
        commands = [get_command(verb) for verb in VERBS]
        uses = collections.Counter(group for command in commands for group in groups(command))
        shared = [group for group, count in uses.items() if count >= SHARED_BY and group[0]]
        sections = [_section(command, shared) for command in commands]
        return "\n".join([HEAD, *sections, *map(_shared_section, shared), _panels(), _errors()])
    finally:
        use(language)


def groups(command: Command) -> list[Group]:
    """Return the options of a command in groups; ungrouped options come first, with the title ``""``."""
    parser = build_parser(command, f"%{magic_name(command.name)}")
    titled_lines = [(group.title or "", tuple(_options(group))) for group in parser._action_groups]
    own = tuple(line for title, lines in titled_lines if title in _NO_TITLE for line in lines)
    titled = [(title, lines) for title, lines in titled_lines if title not in _NO_TITLE and lines]
    return [*([("", own)] if own else []), *titled]


def _options(group: argparse._ArgumentGroup) -> Iterator[str]:
    for action in group._group_actions:
        if "--help" not in action.option_strings and action.help is not argparse.SUPPRESS:
            yield f"- {_syntax(action)}{_description(action)}"


def _syntax(action: argparse.Action) -> str:
    """Write an option as the user types it: `--model NAME`, `VERSION`."""
    choices = "|".join(map(str, action.choices or ()))
    value = str(action.metavar or choices or action.dest.upper()) if action.nargs != 0 else ""
    return ", ".join(f"`{flag} {value}`".replace(" `", "`") for flag in action.option_strings) or f"`{value}`"


def _description(action: argparse.Action) -> str:
    """Describe an option: whether it is required, its help, and its choices if the syntax does not show them."""
    parts = [action.help or ""]
    if action.metavar and action.choices:
        parts.append("one of " + ", ".join(f"`{choice}`" for choice in action.choices))
    text = "; ".join(part for part in parts if part)
    required = " (required)" if action.option_strings and action.required else ""
    return f"{required}: {text}" if text else required


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
        text.append(f"Shared options: {', '.join(links)}.")
    if command.example:
        text.append(f"```\n{command.example}\n```")
    return "\n\n".join(part for part in text if part) + "\n"


def _shared_section(group: Group) -> str:
    return "\n\n".join([f"## Options: {group[0]}", "\n".join(group[1])]) + "\n"


def _anchor(group: Group) -> str:
    """Return the anchor that Markdown gives to the heading of `_shared_section`."""
    plain = "".join(letter for letter in f"options {group[0].lower()}" if letter.isalnum() or letter in " -")
    return plain.replace(" ", "-")


def _sentence(title: str) -> str:
    return title[:1].upper() + title[1:]


def _panels() -> str:
    """List the panels with the first line of their docstrings in `render/panels`."""
    names = sorted(module.name for module in pkgutil.iter_modules(panels.__path__))
    docs = ((name, inspect.getdoc(importlib.import_module(f"{panels.__name__}.{name}")) or "") for name in names)
    lines = [f"- **{name}**: {text.splitlines()[0]}" for name, text in docs]
    head = "A notebook shows HTML with a text alternative, a terminal shows text; `--format json` writes the value."
    return "\n\n".join(["## Panels", head, "\n".join(lines)]) + "\n"


def _errors() -> str:
    """Write the tree of the error classes and what each class means."""
    tree = inspect.cleandoc((errors.__doc__ or "").partition("::")[2])
    lines = [f"- **{error.__name__}**: {' '.join((inspect.getdoc(error) or '').split())}" for error in error_classes()]
    head = "An error says what is wrong, where, and how to fix it; `--debug` also shows the traceback."
    return "\n\n".join(["## Errors", head, f"```\n{tree}\n```", "\n".join(lines)]) + "\n"


def error_classes() -> list[type[AipError]]:
    """Return all error classes in the order of `errors.py`."""
    classes = (value for value in vars(errors).values() if isinstance(value, type))
    return [value for value in classes if issubclass(value, AipError)]


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
