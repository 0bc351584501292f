"""The current state of a run, computed from its events."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

from aip_magics.errors import AipError
from aip_magics.events import Detached, Event, Failed, Note, Progress, StepFinished, StepSkipped, StepStarted
from aip_magics.i18n import gettext as _
from aip_magics.render import formatting

Status = Literal["running", "done", "skipped", "failed", "detached"]
RunStatus = Literal["running", "done", "failed", "detached"]

MAX_NOTES = 50  # the log of a worker may be endless


@dataclasses.dataclass(frozen=True)
class StepRow:
    """One step of a run.

    `started` is a time of the clock of `RunState.now`; `elapsed` is set, in seconds, when the step has ended. `summary`
    is the outcome in one line: the result, the reason for skipping, the failure, or how to wait again.
    """

    id: str
    title: str
    status: Status = "running"
    started: float = 0.0
    elapsed: float | None = None
    summary: str = ""
    notes: tuple[Note, ...] = ()
    dropped_notes: int = 0
    progress: Progress | None = None

    def ended(self, status: Status, now: float, summary: str) -> StepRow:
        """Return the row of the ended step."""
        elapsed = max(now - self.started, 0.0)
        return dataclasses.replace(self, status=status, elapsed=elapsed, summary=summary, progress=None)


@dataclasses.dataclass(frozen=True)
class RunState:
    """The rows of the steps in the order of their start, and the status of the run.

    Immutable: the reporter passes the time, in seconds of any monotonic clock. Events may arrive in any order; a step
    without a StepStarted event gets a row with its id as the title.
    """

    title: str = ""
    rows: tuple[StepRow, ...] = ()
    status: RunStatus = "running"
    error: AipError | None = None
    started: float | None = None
    now: float = 0.0
    operation: str = ""  # set when detached: the operation that is still running
    reattach: str = ""  # set when detached: the line that waits for the operation

    def apply(self, event: Event, now: float) -> RunState:
        """Return the state after an event that arrived at `now`."""
        change = _CHANGES.get(type(event))
        state = self.at(now)
        return change(state, event) if change else state

    def at(self, now: float) -> RunState:
        """Return the same state at a later time (a heartbeat)."""
        started = now if self.started is None else self.started
        return dataclasses.replace(self, started=started, now=max(now, self.now if self.started is not None else now))

    def finished(self, now: float) -> RunState:
        """Return the state after the last event: done, unless the run failed or was detached."""
        state = self.at(now)
        return dataclasses.replace(state, status="done") if state.status == "running" else state

    @property
    def elapsed(self) -> float:
        """Seconds since the first event."""
        return self.now - self.started if self.started is not None else 0.0

    def seconds(self, row: StepRow) -> float:
        """The duration of a step, so far if the step is running."""
        return row.elapsed if row.elapsed is not None else max(self.now - row.started, 0.0)

    def row(self, step: str) -> StepRow | None:
        """The row of this step; None without a row."""
        return next((row for row in self.rows if row.id == step), None)

    def _with(self, row: StepRow) -> RunState:
        if self.row(row.id) is None:
            return dataclasses.replace(self, rows=(*self.rows, row))
        return dataclasses.replace(self, rows=tuple(row if old.id == row.id else old for old in self.rows))

    def _row(self, step: str) -> StepRow:
        return self.row(step) or StepRow(step, step, started=self.now)


def _started(state: RunState, event: StepStarted) -> RunState:
    # A step that starts again (a retry) restarts its clock and keeps its notes.
    row = state._row(event.step)
    restarted = dataclasses.replace(
        row, title=event.title, status="running", started=state.now, elapsed=None, summary="", progress=None
    )
    return state._with(restarted)


def _progress(state: RunState, event: Progress) -> RunState:
    row = state._row(event.step)
    return state._with(dataclasses.replace(row, progress=event)) if row.status == "running" else state


def _note(state: RunState, event: Note) -> RunState:
    row = state._row(event.step)
    notes = (*row.notes, event)
    if len(notes) <= MAX_NOTES:
        return state._with(dataclasses.replace(row, notes=notes))
    # Warnings are dropped last.
    drop = next((i for i, note in enumerate(notes) if note.level == "info"), 0)
    kept = notes[:drop] + notes[drop + 1 :]
    return state._with(dataclasses.replace(row, notes=kept, dropped_notes=row.dropped_notes + 1))


def _finished(state: RunState, event: StepFinished) -> RunState:
    return state._with(state._row(event.step).ended("done", state.now, event.summary))


def _skipped(state: RunState, event: StepSkipped) -> RunState:
    return state._with(state._row(event.step).ended("skipped", state.now, event.reason))


def _failed(state: RunState, event: Failed) -> RunState:
    row = state._row(event.step).ended("failed", state.now, formatting.first_line(event.error.message))
    return dataclasses.replace(state._with(row), status="failed", error=event.error)


def _detached(state: RunState, event: Detached) -> RunState:
    row = state._row(event.step).ended(
        "detached", state.now, _("{operation} is still running", operation=event.operation)
    )
    return dataclasses.replace(state._with(row), status="detached", operation=event.operation, reattach=event.reattach)


_CHANGES: dict[type[Event], Callable[[RunState, Any], RunState]] = {
    StepStarted: _started,
    Progress: _progress,
    Note: _note,
    StepFinished: _finished,
    StepSkipped: _skipped,
    Failed: _failed,
    Detached: _detached,
}
