"""Tab completion in the line of a magic and in the body of its cell, without network access."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aip_magics.commands.verbs import VERBS
from aip_magics.notebook.completion.cell_body import complete_body
from aip_magics.notebook.completion.magic_line import complete_line, parse_line
from aip_magics.notebook.completion.values import NOTHING, ValueHint

__all__ = ["complete", "matches"]

# Also `version = %aip_describe …`; matches when the cursor is behind the name of the magic.
_MAGIC = re.compile(r"\s*(?:[\w.,* ]+=\s*)?(%%?)aip_(\w+)[ \t]+")
_CELL = re.compile(r"\s*%%aip_(\w+)(?:[ \t]|\n|$)")


def matches(context: Any, names: Mapping[str, Any]) -> dict[str, Any]:
    """Complete for IPython's completer (matcher API v2).

    Args:
        context: The CompletionContext of IPython.
        names: The variables of the notebook.

    Returns:
        The result of the matcher.
    """
    from IPython.core.completer import SimpleCompletion

    hint = complete(context.full_text, context.cursor_line, context.cursor_position, names)
    return {
        "completions": [SimpleCompletion(text, type=hint.kind) for text in hint.texts],
        "matched_fragment": hint.fragment,
        "ordered": True,  # the best texts come first
        "suppress": bool(hint.texts),  # instead of names of Python and files of the directory
    }


def complete(text: str, line_number: int, column: int, names: Mapping[str, Any]) -> ValueHint:
    """Complete at the cursor.

    Args:
        text: The text of the cell.
        line_number: The line of the cursor, from 0.
        column: The column of the cursor.
        names: The variables of the notebook.
    """
    lines = text.split("\n")
    line = lines[line_number]
    found = _MAGIC.match(line[:column])
    if found and (found[1] == "%" or _first(lines) == line_number):
        verb = found[2].replace("_", "-")
        return complete_line(verb, line[found.end() : column], line[column:], names) if verb in VERBS else NOTHING
    cell = _CELL.match(text)
    if cell and line_number > _first(lines):
        verb, first = cell[1].replace("_", "-"), _first(lines) + 1
        if verb in VERBS:
            given = parse_line(verb, lines[first - 1].lstrip()[len(cell[0].strip()) :])
            return complete_body(verb, lines[first:], line_number - first, line[:column], names, given)
    return NOTHING


def _first(lines: list[str]) -> int:
    """The number of the first line that is not blank: that of a cell magic."""
    return next((number for number, line in enumerate(lines) if line.strip()), 0)
