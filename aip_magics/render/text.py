"""Render events and values as plain text, for terminals and for the `text/plain` of each HTML panel."""

from __future__ import annotations

from typing import Any

from aip_magics.events import Detached, Event, Failed, Note, Progress, StepFinished, StepSkipped, StepStarted
from aip_magics.i18n import gettext as _
from aip_magics.printable import block, one_line
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
)
from aip_magics.render.panel_kind import get_panel_kind
from aip_magics.render.run_state import RunState

BAR_WIDTH = 20
GAP = "  "


def of(value: Any, *, now: float | None = None, rows: int | None = None) -> str:
    """Render a value as plain text without a trailing line end.

    A Version, Model or Operation is rendered as YAML, line for line like the output of gcloud.

    Args:
        value: Any value that `html.of` accepts.
        now: Seconds since the epoch; lists then show ages instead of creation times.
        rows: The maximum number of rows of a table.
    """
    if isinstance(value, str):
        return "\n".join(block(value))
    kind = get_panel_kind(value)
    if kind in ("version", "model", "operation"):
        return describe(value)
    if kind == "served":
        return describe(value.version)
    return draw(panels.panel(value, now=now, max_rows=rows))


def aside(value: Any) -> str:
    """Remarks on a value that are not part of its text: the runtime of a version is not part of its YAML."""
    if get_panel_kind(value) != "served":
        return ""
    from aip_magics.render.panels.describe import protection, served_by

    remarks = (served_by(value.runtime), protection(value.runtime))
    return "\n".join(one_line(remark) for remark in remarks if remark)


def describe(resource: Any) -> str:
    """Render a resource as YAML with sorted keys, as printed by `gcloud ai-platform … describe`."""
    from aip_magics.render import yaml  # PyYAML is loaded on first use

    return yaml.dump(resource).rstrip("\n")


def progress_text(state: RunState) -> str:
    """Render a run, one line per step: the text version of the progress panel."""
    return of(state)


def event_line(event: Event, elapsed: float) -> str | None:
    """Format a change of state in one line; None for frequent events (Progress).

    `elapsed` is the time since the start of the run, in seconds.
    """
    description = _describe_event(event)
    return None if description is None else f"[{formatting.duration(elapsed):>8}] {one_line(description)}"


def progress_line(event: Progress, elapsed: float) -> str:
    """Format the progress of a step in one line."""
    progress = f"{event.step}: {formatting.amount(event.done, event.total, event.unit)}"
    return f"[{formatting.duration(elapsed):>8}] {one_line(f'{progress}, {event.note}' if event.note else progress)}"


def _describe_event(event: Event) -> str | None:
    if isinstance(event, StepStarted):
        return f"{SIGNS['busy']} {event.title}"
    if isinstance(event, StepFinished):
        return f"{SIGNS['good']} {event.step}: {event.summary or formatting.status('done')}"
    if isinstance(event, StepSkipped):
        return f"{SIGNS['idle']} {event.step}: {formatting.status('skipped')}, {event.reason}"
    if isinstance(event, Note):
        sign, word = SIGNS["warn"], _("warning:")
        return f"{sign} {event.step}: {word} {event.text}" if event.level == "warning" else f"  {event.text}"
    if isinstance(event, Failed):
        return (
            f"{SIGNS['bad']} {event.step}: {formatting.status('failed')}: {formatting.first_line(event.error.message)}"
        )
    if isinstance(event, Detached):
        message = _(
            "{operation} is still running; run {line} to wait for it", operation=event.operation, line=event.reattach
        )
        return f"{SIGNS['away']} {message}"
    return None


def draw(panel: Panel) -> str:
    """Render a panel as plain text."""
    return "\n".join("\n".join(_block(block)) for block in panel.blocks)


def _block(block: Block) -> list[str]:
    if isinstance(block, Line):
        return [_line(block)]
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Details):
        return [f"{one_line(block.summary)}:", *_code(block.code)]
    return _code(block)


def _line(line: Line) -> str:
    return " ".join(_inline(part) for part in line.parts)


def _inline(part: Inline) -> str:
    if isinstance(part, Mark):
        return f"{SIGNS[part.tone]} {one_line(part.word)}"
    if isinstance(part, Link):
        return one_line(f"{part.text} {part.address}")
    if isinstance(part, ProgressBar):
        done = min(max(part.done, 0), part.total) * BAR_WIDTH // part.total
        return f"[{'#' * done}{'-' * (BAR_WIDTH - done)}] {one_line(part.text)}"
    return one_line(part.text if isinstance(part, Span) else part)


def _code(code: Code) -> list[str]:
    lines = block(code.text, "  ") if code.text else []
    return [*lines, f"  … {formatting.describe_omitted(code.more, 'line')}"] if code.more else lines


def _table(table: Table) -> list[str]:
    heads = [one_line(head).upper() for head in table.heads]
    drawn = [[_line(cell) for cell in row.cells] for row in table.rows]
    widths = [max(map(formatting.width, column)) for column in zip(heads, *drawn, strict=True)]
    lines = [_columns(heads, widths)]
    for row, cells in zip(table.rows, drawn, strict=True):
        lines += [_columns(cells, widths), *_below(row)]
    if table.more:
        omitted = f"… {formatting.describe_omitted(table.more, 'earlier row' if table.tail else 'row')}"
        lines.insert(1 if table.tail else len(lines), omitted)
    return [one_line(table.caption), *lines] if table.caption else lines


def _columns(cells: list[str], widths: list[int]) -> str:
    padded = [cell + " " * (width - formatting.width(cell)) for cell, width in zip(cells, widths, strict=True)]
    return GAP.join(padded).rstrip()


def _below(row: Row) -> list[str]:
    return [f"    {_line(line)}" for line in row.below]
