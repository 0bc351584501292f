"""Panels as HTML that lasts: no script, no style sheet, no widget, nothing loaded; at most 4 kB.

Readable with every style stripped (an untrusted notebook, GitHub), and in light and dark themes: text keeps the colour
of the page, only signs and edges are coloured. JupyterLab aligns cells to the right and strips `style` from nothing
else, so each text cell says `text-align:left` itself.
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
MAX_ROWS = 60  # no panel of 4 kB holds more: nothing beyond is even looked at

MAX_ADDRESS = 300
MIN_CODE_BYTES = 240  # of a line of its own, however little else is drawn: half a command is of no use

# As the service names them: `projects/P/operations/create_iris_v1-1795438005632`, or the last part alone.
_OPERATION = re.compile(r"(?:projects/[^\s/]+/operations/)?\b[a-z]+_[\w.-]+-\d{10,}")

LEFT = "text-align:left"
# Exported pages give `pre` the font of the page and break its words anywhere: a command is to be read and copied.
CODE = LEFT + ";font-family:var(--jp-code-font-family,monospace);word-break:normal"
NO_BREAK = "\u00a0"
LONG_WORD = 30  # characters: a longer one may be broken anywhere, else it makes its table wider than the page
COLOURS: dict[Tone, str] = {
    "good": "var(--jp-success-color0,#2e8b3d)",
    "bad": "var(--jp-error-color0,#d9363e)",
    "warn": "var(--jp-warn-color0,#c77700)",
    "busy": "var(--jp-brand-color1,#1a7fd4)",
    "idle": "var(--jp-ui-font-color2,#808080)",
    "away": "var(--jp-info-color0,#1a8a9a)",
}
BAR = "width:10em;vertical-align:middle;accent-color:" + COLOURS["busy"]
LINK = "color:var(--jp-content-link-color,inherit)"  # a browser's own blue cannot be read on black
MUTED = "color:var(--jp-ui-font-color2,inherit)"
FRAME = "border-left:3px solid {};padding-left:.8em;overflow-wrap:anywhere"
# JupyterLab centres tables and gives them a margin below; `fixed` would cut the columns to equal widths.
# `break-word` keeps short words whole: `anywhere` of the frame lets a browser make columns of one letter's width.
TABLE = "margin:.2em 0;border-collapse:collapse;table-layout:auto;overflow-wrap:break-word"


@dataclasses.dataclass(frozen=True)
class _Limit:
    """How much of a panel is drawn: `bytes` of each text, `lines` of code, `below` a row."""

    blocks: int
    rows: int
    columns: int
    bytes: int
    lines: int
    below: int


# From all to nearly nothing: the first that fits in MOST_BYTES is taken.
_LIMITS = (
    _Limit(blocks=80, rows=60, columns=40, bytes=1200, lines=80, below=8),
    _Limit(blocks=60, rows=40, columns=24, bytes=600, lines=50, below=8),
    _Limit(blocks=48, rows=30, columns=12, bytes=400, lines=40, below=6),
    _Limit(blocks=40, rows=24, columns=10, bytes=240, lines=30, below=4),
    _Limit(blocks=30, rows=16, columns=8, bytes=160, lines=20, below=3),
    _Limit(blocks=22, rows=12, columns=7, bytes=110, lines=14, below=2),
    _Limit(blocks=22, rows=12, columns=7, bytes=110, lines=14, below=1),
    _Limit(blocks=22, rows=12, columns=7, bytes=80, lines=14, below=1),  # eleven steps are a usual deployment
    _Limit(blocks=16, rows=8, columns=6, bytes=80, lines=9, below=2),
    _Limit(blocks=16, rows=8, columns=6, bytes=80, lines=9, below=1),
    _Limit(blocks=12, rows=5, columns=5, bytes=60, lines=6, below=1),
    _Limit(blocks=6, rows=3, columns=3, bytes=40, lines=4, below=1),
)


def of(value: Any, *, now: float | None = None) -> str:
    """The value as one HTML panel of at most 4096 bytes.

    `now`, in seconds since the epoch, turns creation times in lists into ages. Takes a Version, Model or Operation, a
    list of them, a reply with `predictions` (and `instances`, if known), an error, a RunState, findings, a plan;
    anything else is shown as its JSON.
    """
    return draw(panels.panel(value, now=now, most=MAX_ROWS))


def draw(panel: Panel) -> str:
    """The panel as HTML, as much of it as fits in 4096 bytes."""
    for limit in _LIMITS:
        drawn = _frame(panel, _blocks(panel, limit))
        if len(drawn.encode()) <= MAX_BYTES:
            return drawn
    return _frame(panel, el("p", _("{label} is too large to be shown here.", label=clip(panel.label, 400))))


def _frame(panel: Panel, inner: Html) -> Html:
    label = clip(panel.label, 200)
    return el("div", inner, role="group", aria_label=label, style=FRAME.format(COLOURS[panel.tone]))


def _blocks(panel: Panel, limit: _Limit) -> Html:
    shown = [_block(block, limit) for block in panel.blocks[: limit.blocks]]
    left = len(panel.blocks) - len(shown)
    return join(*shown, *([el("p", _more(left, "part"))] if left else []))


def _block(block: Block, limit: _Limit) -> Html:
    if isinstance(block, Line):
        return el("div", _line(block, limit, least_code=MIN_CODE_BYTES))
    if isinstance(block, Table):
        return _table(block, limit)
    if isinstance(block, Details):
        return _details(block, limit)
    return _code(block, limit)


def _line(line: Line, limit: _Limit, *, least_code: int = 0) -> Html:
    return Html(" ".join(_inline(part, limit, max(limit.bytes, least_code)) for part in line.parts))


def _inline(part: Inline, limit: _Limit, code: int) -> Html:
    if isinstance(part, str):
        return escape(_clip(part, limit.bytes))
    if isinstance(part, Mark):
        sign = el("span", SIGNS[part.tone], aria_hidden="true", style=f"color:{COLOURS[part.tone]}")
        return join(sign, NO_BREAK, part.word)
    if isinstance(part, ProgressBar):
        label = clip(part.label, limit.bytes) or _("progress")
        done = min(max(part.done, 0), part.total)
        return join(el("progress", value=done, max=part.total, aria_label=label, style=BAR), " ", part.text)
    return _link(part, limit) if isinstance(part, Link) else _span(part, limit, code)


def _link(link: Link, limit: _Limit) -> Html:
    text = clip(link.text, limit.bytes)
    address = printable(link.address)
    if not address.startswith("https://") or size(address) > min(
        MAX_ADDRESS, 2 * limit.bytes
    ):  # half an address leads nowhere
        return escape(text)
    return el("a", text, href=address, style=LINK)


def _span(span: Span, limit: _Limit, code: int) -> Html:
    text = _clip(span.text, code if span.look == "code" else limit.bytes)
    if span.look == "strong":
        return el("b", text)
    if span.look == "code":
        return el("code", text)
    return el("span", text, style=MUTED) if span.look == "muted" else escape(text)


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
    """The cell; a short one with a mark on one line: a number apart from its unit makes every row two lines high."""
    texts = [_text(part) for part in cell.parts]
    if not any(isinstance(part, Mark) for part in cell.parts) or sum(map(len, texts)) > LONG_WORD:
        return _line(cell, limit)
    whole = [part.replace(" ", NO_BREAK) if isinstance(part, str) else part for part in cell.parts]
    return Html(NO_BREAK.join(_inline(part, limit, limit.bytes) for part in whole))


def _cell_style(cell: Line) -> str:
    long = any(len(word) > LONG_WORD for part in cell.parts for word in _text(part).split())
    return LEFT + ";overflow-wrap:anywhere" if long else LEFT


def _clip(text: str, most: int) -> str:
    """The text, cut as `clip` does, but not before the end of an operation's name: that is there to be copied."""
    if named := _OPERATION.search(text):
        least = size(text[: named.end()])
        most = max(most, least) if least <= MIN_CODE_BYTES else most
    return clip(text, most)


def _text(part: Inline) -> str:
    if isinstance(part, str):
        return part
    return part.word if isinstance(part, Mark) else part.text


def _code(code: Code, limit: _Limit) -> Html:
    lines = code.text.splitlines()
    shown = "\n".join(clip(line, limit.bytes) for line in lines[: limit.lines])
    left = code.more + len(lines) - min(len(lines), limit.lines)
    return el("pre", shown, *([f"\n… {formatting.skipped_files(left, 'line')}"] if left else []), style=CODE)


def _details(details: Details, limit: _Limit) -> Html:
    return el("details", el("summary", clip(details.summary, limit.bytes)), _code(details.code, limit))


def _more(count: int, what: formatting.SkippedFile) -> Html:
    return el("i", formatting.skipped_files(count, what))
