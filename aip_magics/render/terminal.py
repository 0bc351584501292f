"""The face of a terminal: a readable line per change of state, results as text or as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

from aip_magics.events import Event, Tick
from aip_magics.render import json as as_json
from aip_magics.render import text
from aip_magics.render.state import RunState


class TerminalFace:
    """Writes events by `report` and results by `write`, one call per line or block.

    `clock` gives seconds on a clock that does not go back. With `form` json a result is one JSON document.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        report: Callable[[str], None],
        clock: Callable[[], float],
        *,
        form: Literal["text", "json"] = "text",
        quiet: bool = False,
    ) -> None:
        self._write = write
        self._report = report
        self._clock = clock
        self._form = form
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
        if self._form == "json":
            self._write(json.dumps(as_json.to_json(value), ensure_ascii=False, indent=2))
        elif not self._quiet:
            self._write(text.of(value))
