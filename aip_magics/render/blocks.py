"""What a panel consists of, before it is HTML or text: lines, tables, code.

A panel is built once from a value (`panels/`) and drawn twice (`html.py`, `text.py`): so both always tell the same.
"""

from __future__ import annotations

import dataclasses
from typing import Literal, TypeAlias

TextStyle = Literal["plain", "strong", "code", "muted"]
Tone = Literal["good", "bad", "warn", "busy", "idle", "away"]

SIGNS: dict[Tone, str] = {"good": "✔", "bad": "✖", "warn": "⚠", "busy": "●", "idle": "○", "away": "→"}


@dataclasses.dataclass(frozen=True)
class Span:
    """A piece of text with a look."""

    text: str
    look: TextStyle = "plain"


@dataclasses.dataclass(frozen=True)
class Link:
    """Text that leads to an address; only `https://` addresses can be followed."""

    text: str
    address: str


@dataclasses.dataclass(frozen=True)
class Mark:
    """A coloured sign with its word: the word says it all, for whoever sees no colour or hears the page."""

    tone: Tone
    word: str


@dataclasses.dataclass(frozen=True)
class ProgressBar:
    """A progress bar of `done` of `total` (> 0). `label` is its name for a screen reader; `text` stands beside it."""

    done: int
    total: int
    label: str
    text: str


Inline: TypeAlias = str | Span | Link | Mark | ProgressBar


@dataclasses.dataclass(frozen=True)
class Line:
    """One line: its parts stand side by side."""

    parts: tuple[Inline, ...]


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a table: one Line per column; the lines `below` belong to the row as a whole."""

    cells: tuple[Line, ...]
    below: tuple[Line, ...] = ()


@dataclasses.dataclass(frozen=True)
class Table:
    """A table whose first column names the row.

    `total` counts all rows when not all are here; with `tail` those that are here are the last ones, not the first.
    """

    caption: str
    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    total: int = 0
    tail: bool = False

    @property
    def more(self) -> int:
        """How many rows are not here."""
        return max(self.total - len(self.rows), 0)


@dataclasses.dataclass(frozen=True)
class Code:
    """Text that keeps its lines and spaces. `more` counts the lines that were left out."""

    text: str
    more: int = 0


@dataclasses.dataclass(frozen=True)
class Details:
    """Something that opens on demand; plain text shows it open."""

    summary: str
    code: Code


Block: TypeAlias = Line | Table | Code | Details


@dataclasses.dataclass(frozen=True)
class Panel:
    """All that is shown of one value. `label` names the panel; `tone` colours its edge."""

    label: str
    tone: Tone
    blocks: tuple[Block, ...]


def line(*parts: Inline) -> Line:
    """A Line of these parts, without the empty texts."""
    return Line(tuple(part for part in parts if part != ""))


def strong(text: str) -> Span:
    return Span(text, "strong")


def code(text: str) -> Span:
    return Span(text, "code")


def muted(text: str) -> Span:
    return Span(text, "muted")


def row(*cells: Inline | Line, below: tuple[Line, ...] = ()) -> Row:
    """A Row of these cells."""
    return Row(tuple(cell if isinstance(cell, Line) else line(cell) for cell in cells), below)
