"""The parts of a panel, independent of the output format: lines, tables, code.

A panel is built once from a value (`panels/`) and drawn by `html.py` and `text.py`, so both have the same content.
"""

from __future__ import annotations

import dataclasses
from typing import Literal, TypeAlias

TextStyle = Literal["plain", "strong", "code", "muted"]
Tone = Literal["good", "bad", "warn", "busy", "idle", "away"]

SIGNS: dict[Tone, str] = {"good": "✔", "bad": "✖", "warn": "⚠", "busy": "●", "idle": "○", "away": "→"}


@dataclasses.dataclass(frozen=True)
class Span:
    """A piece of text with a style."""

    text: str
    style: TextStyle = "plain"


@dataclasses.dataclass(frozen=True)
class Link:
    """Text that links to an address; only `https://` addresses become links."""

    text: str
    address: str


@dataclasses.dataclass(frozen=True)
class Mark:
    """A colored sign and its word; the word alone is sufficient without colors and for screen readers."""

    tone: Tone
    word: str


@dataclasses.dataclass(frozen=True)
class ProgressBar:
    """A progress bar of `done` of `total` (> 0), with a `label` for screen readers and a `text` next to the bar."""

    done: int
    total: int
    label: str
    text: str


Inline: TypeAlias = str | Span | Link | Mark | ProgressBar


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of parts."""

    parts: tuple[Inline, ...]


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a table: one Line per column; the lines `below` belong to the whole row."""

    cells: tuple[Line, ...]
    below: tuple[Line, ...] = ()


@dataclasses.dataclass(frozen=True)
class Table:
    """A table whose first column names the row.

    `total` counts all rows if `rows` is only a part of them: the first rows or, with `tail`, the last.
    """

    caption: str
    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    total: int = 0
    tail: bool = False

    @property
    def more(self) -> int:
        """The number of rows that are not in `rows`."""
        return max(self.total - len(self.rows), 0)


@dataclasses.dataclass(frozen=True)
class Code:
    """Preformatted text. `more` counts the omitted lines."""

    text: str
    more: int = 0


@dataclasses.dataclass(frozen=True)
class Details:
    """A collapsible block; plain text shows the block open."""

    summary: str
    code: Code


Block: TypeAlias = Line | Table | Code | Details


@dataclasses.dataclass(frozen=True)
class Panel:
    """Everything that is shown of a value. `label` names the panel; `tone` colors its edge."""

    label: str
    tone: Tone
    blocks: tuple[Block, ...]


def line(*parts: Inline) -> Line:
    """Build a Line of these parts, without empty strings."""
    return Line(tuple(part for part in parts if part != ""))


def strong(text: str) -> Span:
    """Build bold text."""
    return Span(text, "strong")


def code(text: str) -> Span:
    """Build monospaced text."""
    return Span(text, "code")


def muted(text: str) -> Span:
    """Build text in a subdued color."""
    return Span(text, "muted")


def row(*cells: Inline | Line, below: tuple[Line, ...] = ()) -> Row:
    """Build a Row of these cells."""
    return Row(tuple(cell if isinstance(cell, Line) else line(cell) for cell in cells), below)
