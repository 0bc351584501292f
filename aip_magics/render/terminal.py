"""The face of a terminal: a readable line per change of state, results as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aip_magics.events import Event, Tick
from aip_magics.render import text
from aip_magics.render.state import RunState


class TerminalFace:
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

    def emit(self, event: Event) -> None:
        if self._quiet or isinstance(event, Tick):
            return
        self._state = self._state.apply(event, self._clock())
        line = text.event_line(event, self._state.elapsed)
        if line is not None:
            self._report(line)

    def show(self, value: Any) -> None:
        if self._write is not None and not self._quiet:
            self._write(text.of(value))
