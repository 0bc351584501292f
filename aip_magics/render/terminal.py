"""Reporter for terminals: one line per change of state, results as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aip_magics.events import Event, Heartbeat, Progress
from aip_magics.render import text
from aip_magics.render.run_state import RunState

PROGRESS_SECONDS = 2.0  # after so long without output, a line shows the progress of the step


class TerminalReporter:
    """Write events with `report` and results with `write` (None: no results), one call per line or block.

    `clock` is a monotonic clock in seconds.
    """

    def __init__(
        self,
        write: Callable[[str], None] | None,
        report: Callable[[str], None],
        clock: Callable[[], float],
        *,
        quiet: bool = False,
    ) -> None:
        self._write = write
        self._report = report
        self._clock = clock
        self._quiet = quiet
        self._state = RunState()
        self._reported_at = 0.0  # the time of the last line

    def emit(self, event: Event) -> None:
        """Write a line for the event, unless the event changes no state."""
        if self._quiet or isinstance(event, Heartbeat):
            return
        self._state = self._state.apply(event, self._clock())
        line = self._line(event)
        if line is not None:
            self._reported_at = self._state.now
            self._report(line)

    def _line(self, event: Event) -> str | None:
        if not isinstance(event, Progress):
            return text.event_line(event, self._state.elapsed)
        late = self._state.now - self._reported_at >= PROGRESS_SECONDS
        return text.progress_line(event, self._state.elapsed) if late else None

    def show(self, value: Any) -> None:
        """Write a result."""
        if self._write is not None and not self._quiet:
            self._write(text.of(value))
            if remarks := text.aside(value):
                self._report(remarks)
