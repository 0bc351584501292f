"""What Tab offers in a magic's line and in the body of its cell. Nothing is asked of the network, ever."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aip_magics.commands.verbs import VERBS
from aip_magics.notebook.completion.cell_body import complete_body
from aip_magics.notebook.completion.magic_line import complete_line
from aip_magics.notebook.completion.values import NOTHING, ValueHint

__all__ = ["complete", "matches"]

# Also `version = %aip_describe …`; what stands before the cursor has passed the name of the magic.
_MAGIC = re.compile(r"\s*(?:[\w.,* ]+=\s*)?(%%?)aip_(\w+)[ \t]+")
_CELL = re.compile(r"\s*%%aip_(\w+)(?:[ \t]|\n|$)")


def matches(context: Any, names: Mapping[str, Any]) -> dict[str, Any]:
    """The answer of a matcher (API v2) of IPython's completer. `names` are the variables of the notebook."""
    from IPython.core.completer import SimpleCompletion

    offer = complete(context.full_text, context.cursor_line, context.cursor_position, names)
    return {
        "completions": [SimpleCompletion(text, type=offer.kind) for text in offer.texts],
        "matched_fragment": offer.fragment,
        "ordered": True,  # what fits stands first
        "suppress": bool(offer.texts),  # Python's names and this directory's files have no place there
    }


def complete(text: str, line_number: int, column: int, names: Mapping[str, Any]) -> ValueHint:
    """What fits at the cursor, which is in this line (from 0) and column of the cell's text."""
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
            return complete_body(verb, lines[first:], line_number - first, line[:column], names)
    return NOTHING


def _first(lines: list[str]) -> int:
    """The number of the first line that is not empty: a cell magic stands there."""
    return next((number for number, line in enumerate(lines) if line.strip()), 0)
