"""The face of a terminal: a readable line per change of state, results as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aip_magics.events import Event, Heartbeat, Progress
from aip_magics.render import text
from aip_magics.render.run_state import RunState

PROGRESS_SECONDS = 2.0  # without another line: then one tells how far the step is


class TerminalReporter:
    """Writes events by `report` and results by `write` (None: not at all), one call per line or block.

    `clock` gives seconds on a clock that does not go back.
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
        self._told = 0.0  # when the last line was written

    def emit(self, event: Event) -> None:
        if self._quiet or isinstance(event, Heartbeat):
            return
        self._state = self._state.apply(event, self._clock())
        line = self._line(event)
        if line is not None:
            self._told = self._state.now
            self._report(line)

    def _line(self, event: Event) -> str | None:
        if not isinstance(event, Progress):
            return text.event_line(event, self._state.elapsed)
        late = self._state.now - self._told >= PROGRESS_SECONDS
        return text.progress_line(event, self._state.elapsed) if late else None

    def show(self, value: Any) -> None:
        if self._write is not None and not self._quiet:
            self._write(text.of(value))
            if told := text.aside(value):
                self._report(told)
