"""The panel of a run: a row per step with its state, time and progress."""

from __future__ import annotations

from aip_magics.i18n import gettext as _
from aip_magics.render import formatting
from aip_magics.render.blocks import (
    Block,
    Line,
    Mark,
    Panel,
    ProgressBar,
    Row,
    Table,
    Tone,
    code,
    line,
    muted,
    row,
    strong,
)
from aip_magics.render.panels.error import error_blocks
from aip_magics.render.run_state import RunState, StepRow

TONES: dict[str, Tone] = {"running": "busy", "done": "good", "skipped": "idle", "failed": "bad", "detached": "away"}


def progress(state: RunState) -> Panel:
    """Build the panel of a run: the head, the steps, and the outcome."""
    tone = TONES[state.status]
    head = line(
        *([strong(state.title)] if state.title else []),
        Mark(tone, formatting.status(state.status)),
        formatting.duration(state.elapsed),
    )
    blocks: tuple[Block, ...] = (head,)
    if state.rows:
        rows = tuple(_row(state, step) for step in state.rows)
        blocks += (Table("", (_("Step"), _("State"), _("What")), rows, tail=True),)
    return Panel(state.title or _("progress"), tone, (*blocks, *_ending(state)))


def _row(state: RunState, step: StepRow) -> Row:
    return row(
        step.title,
        line(Mark(TONES[step.status], formatting.status(step.status)), formatting.duration(state.seconds(step))),
        _what(step),
        below=_notes(step),
    )


def _what(step: StepRow) -> Line:
    current = step.progress
    if current is None:
        return line(step.summary)
    amount = formatting.amount(current.done, current.total, current.unit)
    if current.total <= 0:  # without a known total a bar would be wrong
        return line(amount, muted(current.note) if current.note else "")
    return line(
        ProgressBar(current.done, current.total, step.title, amount), muted(current.note) if current.note else ""
    )


def _notes(step: StepRow) -> tuple[Line, ...]:
    # Warnings last: with little space the last lines are kept.
    notes = sorted(step.notes, key=lambda note: note.level == "warning")
    lines = [
        line(Mark("warn", _("warning:")), note.text) if note.level == "warning" else line(note.text) for note in notes
    ]
    dropped = [line(muted(f"… {formatting.describe_omitted(step.dropped_notes, 'earlier note')}"))]
    return (*(dropped if step.dropped_notes else []), *lines)


def _ending(state: RunState) -> tuple[Block, ...]:
    if state.error is not None:
        return error_blocks(state.error)
    if state.status != "detached":
        return ()
    return (
        line(_("No longer waiting. The operation continues in the background, even when this notebook is closed:")),
        line(code(state.operation)),
        *([line(_("To wait for the operation again:"), code(state.reattach))] if state.reattach else []),
    )
