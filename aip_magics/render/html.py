"""Render panels as static HTML of at most 4 kB: no script, no style sheet, no widget, no external resource.

The HTML is readable without styles (untrusted notebooks, GitHub) and in light and dark themes: text has the color of
the page, only signs and edges are colored. JupyterLab aligns table cells to the right, so each cell sets
`text-align:left`.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from aip_magics.i18n import gettext as _
from aip_magics.printable import printable
from aip_magics.render import formatting, panels
from aip_magics.render.blocks import (
    SIGNS,
    Block,
    Code,
    Details,
    Inline,
    Line,
    Link,
    Mark,
    Panel,
    ProgressBar,
    Row,
    Span,
    Table,
    Tone,
)
from aip_magics.render.elements import Html, clip, el, escape, join, size

MAX_BYTES = 4096
MAX_ROWS = 60  # a panel of 4 kB has no space for more; further rows are not converted

MAX_ADDRESS = 300
MIN_CODE_BYTES = 240  # of code in a line of its own, whatever else is omitted: half a command is useless

# Operation names of the service: `projects/P/operations/create_iris_v1-1795438005632`, or the last part alone.
_OPERATION = re.compile(r"(?:projects/[^\s/]+/operations/)?\b[a-z]+_[\w.-]+-\d{10,}")

LEFT = "text-align:left"
# Exported pages set `pre` in the font of the page and break words anywhere; commands must stay readable.
CODE = LEFT + ";font-family:var(--jp-code-font-family,monospace);word-break:normal"
NO_BREAK = "\u00a0"
LONG_WORD = 30  # characters; a longer word may break anywhere, otherwise its table gets wider than the page
COLORS: dict[Tone, str] = {
    "good": "var(--jp-success-color0,#2e8b3d)",
    "bad": "var(--jp-error-color0,#d9363e)",
    "warn": "var(--jp-warn-color0,#c77700)",
    "busy": "var(--jp-brand-color1,#1a7fd4)",
    "idle": "var(--jp-ui-font-color2,#808080)",
    "away": "var(--jp-info-color0,#1a8a9a)",
}
BAR = "width:10em;vertical-align:middle;accent-color:" + COLORS["busy"]
LINK = "color:var(--jp-content-link-color,inherit)"  # the default blue of browsers is unreadable on black
MUTED = "color:var(--jp-ui-font-color2,inherit)"
FRAME = "border-left:3px solid {};padding-left:.8em;overflow-wrap:anywhere"
# JupyterLab centers tables and adds a margin below; `fixed` would make all columns equally wide.
# `break-word` keeps short words whole: with `anywhere` of the frame, browsers make columns of one letter.
TABLE = "margin:.2em 0;border-collapse:collapse;table-layout:auto;overflow-wrap:break-word"


@dataclasses.dataclass(frozen=True)
class _Limit:
    """The limits of a drawn panel: `bytes` of each text, `lines` of code, `below` a row."""

    blocks: int
    rows: int
    columns: int
    bytes: int
    lines: int
    below: int


# From generous to strict: the first that fits in MAX_BYTES is used.
_LIMITS = (
    _Limit(blocks=80, rows=60, columns=40, bytes=1200, lines=80, below=8),
    _Limit(blocks=60, rows=40, columns=24, bytes=600, lines=50, below=8),
    _Limit(blocks=48, rows=30, columns=12, bytes=400, lines=40, below=6),
    _Limit(blocks=40, rows=24, columns=10, bytes=240, lines=30, below=4),
    _Limit(blocks=30, rows=16, columns=8, bytes=160, lines=20, below=3),
    _Limit(blocks=22, rows=12, columns=7, bytes=110, lines=14, below=2),
    _Limit(blocks=22, rows=12, columns=7, bytes=110, lines=14, below=1),
    _Limit(blocks=22, rows=12, columns=7, bytes=80, lines=14, below=1),  # a usual deployment has eleven steps
    _Limit(blocks=16, rows=8, columns=6, bytes=80, lines=9, below=2),
    _Limit(blocks=16, rows=8, columns=6, bytes=80, lines=9, below=1),
    _Limit(blocks=12, rows=5, columns=5, bytes=60, lines=6, below=1),
    _Limit(blocks=6, rows=3, columns=3, bytes=40, lines=4, below=1),
)


def of(value: Any, *, now: float | None = None) -> str:
    """Render a value as an HTML panel of at most 4096 bytes.

    Args:
        value: A Version, Model or Operation, a list of these, a response with `predictions` (and `instances`, if
            known), an error, a RunState, findings, a plan; any other value is shown as JSON.
        now: Seconds since the epoch; lists then show ages instead of creation times.
    """
    return draw(panels.panel(value, now=now, max_rows=MAX_ROWS))


def draw(panel: Panel) -> str:
    """Render a panel as HTML, shortened to 4096 bytes."""
    for limit in _LIMITS:
        drawn = _frame(panel, _blocks(panel, limit))
        if len(drawn.encode()) <= MAX_BYTES:
            return drawn
    return _frame(panel, el("p", _("{label} is too large to display.", label=clip(panel.label, 400))))


def _frame(panel: Panel, inner: Html) -> Html:
    label = clip(panel.label, 200)
    return el("div", inner, role="group", aria_label=label, style=FRAME.format(COLORS[panel.tone]))


def _blocks(panel: Panel, limit: _Limit) -> Html:
    shown = [_block(block, limit) for block in panel.blocks[: limit.blocks]]
    left = len(panel.blocks) - len(shown)
    return join(*shown, *([el("p", _more(left, "part"))] if left else []))


def _block(block: Block, limit: _Limit) -> Html:
    if isinstance(block, Line):
        return el("div", _line(block, limit, min_code_bytes=MIN_CODE_BYTES))
    if isinstance(block, Table):
        return _table(block, limit)
    if isinstance(block, Details):
        return _details(block, limit)
    return _code(block, limit)


def _line(line: Line, limit: _Limit, *, min_code_bytes: int = 0) -> Html:
    return Html(" ".join(_inline(part, limit, max(limit.bytes, min_code_bytes)) for part in line.parts))


def _inline(part: Inline, limit: _Limit, code: int) -> Html:
    if isinstance(part, str):
        return escape(_clip(part, limit.bytes))
    if isinstance(part, Mark):
        sign = el("span", SIGNS[part.tone], aria_hidden="true", style=f"color:{COLORS[part.tone]}")
        return join(sign, NO_BREAK, part.word)
    if isinstance(part, ProgressBar):
        label = clip(part.label, limit.bytes) or _("progress")
        done = min(max(part.done, 0), part.total)
        return join(el("progress", value=done, max=part.total, aria_label=label, style=BAR), " ", part.text)
    return _link(part, limit) if isinstance(part, Link) else _span(part, limit, code)


def _link(link: Link, limit: _Limit) -> Html:
    text = clip(link.text, limit.bytes)
    address = printable(link.address)
    max_bytes = min(MAX_ADDRESS, 2 * limit.bytes)  # a shortened address would be useless
    if not address.startswith("https://") or size(address) > max_bytes:
        return escape(text)
    return el("a", text, href=address, style=LINK)


def _span(span: Span, limit: _Limit, code: int) -> Html:
    text = _clip(span.text, code if span.style == "code" else limit.bytes)
    if span.style == "strong":
        return el("b", text)
    if span.style == "code":
        return el("code", text)
    return el("span", text, style=MUTED) if span.style == "muted" else escape(text)


def _table(table: Table, limit: _Limit) -> Html:
    heads = table.heads[: limit.columns]
    hidden = len(table.heads) - len(heads)
    rows = table.rows[-limit.rows :] if table.tail else table.rows[: limit.rows]
    left = table.more + len(table.rows) - len(rows)
    body = [_row(row, len(heads), limit) for row in rows]
    if left:
        cell = el("td", _more(left, "earlier row" if table.tail else "row"), colspan=len(heads), style=LEFT)
        body.insert(0 if table.tail else len(body), el("tr", cell))
    caption = join(clip(table.caption, limit.bytes), *([" · ", _more(hidden, "column")] if hidden else []))
    return el(
        "table",
        *([el("caption", caption, style=LEFT)] if caption else []),
        el("thead", el("tr", *(el("th", clip(head, limit.bytes), scope="col", style=LEFT) for head in heads))),
        el("tbody", *body),
        cellpadding=4,
        style=TABLE,
    )


def _row(row: Row, columns: int, limit: _Limit) -> Html:
    first, *others = row.cells[:columns]
    cells = [el("th", _line(first, limit), scope="row", style=_cell_style(first))]
    cells += [el("td", _cell(cell, limit), style=_cell_style(cell)) for cell in others]
    drawn = el("tr", *cells)
    if not row.below:
        return drawn
    lines = [_line(line, limit) for line in row.below[-limit.below :]]
    if left := len(row.below) - len(lines):
        lines.insert(0, _more(left, "earlier line"))
    below = [el("div", line) for line in lines] if len(lines) > 1 else lines
    return join(drawn, el("tr", el("td", *below, colspan=columns, style=LEFT + ";padding-left:2em")))


def _cell(cell: Line, limit: _Limit) -> Html:
    """Render a cell. A short cell with a mark does not wrap, because a wrapped unit would double the height of rows."""
    texts = [_text(part) for part in cell.parts]
    if not any(isinstance(part, Mark) for part in cell.parts) or sum(map(len, texts)) > LONG_WORD:
        return _line(cell, limit)
    whole = [part.replace(" ", NO_BREAK) if isinstance(part, str) else part for part in cell.parts]
    return Html(NO_BREAK.join(_inline(part, limit, limit.bytes) for part in whole))


def _cell_style(cell: Line) -> str:
    long = any(len(word) > LONG_WORD for part in cell.parts for word in _text(part).split())
    return LEFT + ";overflow-wrap:anywhere" if long else LEFT


def _clip(text: str, max_bytes: int) -> str:
    """Shorten the text like `clip`, but keep the name of an operation whole, because users copy the name."""
    if named := _OPERATION.search(text):
        least = size(text[: named.end()])
        max_bytes = max(max_bytes, least) if least <= MIN_CODE_BYTES else max_bytes
    return clip(text, max_bytes)


def _text(part: Inline) -> str:
    if isinstance(part, str):
        return part
    return part.word if isinstance(part, Mark) else part.text


def _code(code: Code, limit: _Limit) -> Html:
    lines = code.text.splitlines()
    shown = "\n".join(clip(line, limit.bytes) for line in lines[: limit.lines])
    left = code.more + len(lines) - min(len(lines), limit.lines)
    return el("pre", shown, *([f"\n… {formatting.describe_omitted(left, 'line')}"] if left else []), style=CODE)


def _details(details: Details, limit: _Limit) -> Html:
    return el("details", el("summary", clip(details.summary, limit.bytes)), _code(details.code, limit))


def _more(count: int, what: formatting.OmittedKind) -> Html:
    return el("i", formatting.describe_omitted(count, what))
