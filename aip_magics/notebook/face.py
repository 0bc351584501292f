"""The face of a notebook: one panel for the run, one output for each result, all plain HTML with its text beside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from aip_magics.events import Event, Progress, Tick
from aip_magics.render import html, text
from aip_magics.render.state import RunState

UPDATE_SECONDS = 0.5  # at most two updates a second: more floods the front end and the saved file


class NotebookFace:
    """Draws a run into one display that is updated in place; what is saved is its last state."""

    def __init__(self, title: str, *, quiet: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._state = RunState(title)
        self._quiet = quiet
        self._clock = clock
        self._handle: Any = None
        self._drawn = 0.0

    def emit(self, event: Event) -> None:
        now = self._clock()
        self._state = self._state.apply(event, now)
        often = isinstance(event, (Progress, Tick))
        if not (often and now - self._drawn < UPDATE_SECONDS):
            self._draw(now)

    def finish(self) -> None:
        """Draw the last state."""
        if self._state.rows:
            self._state = self._state.finished(self._clock())
            self._draw(self._clock())

    def show(self, value: Any) -> None:
        if not self._quiet:
            self.finish()
            _display(_bundle(value))

    def _draw(self, now: float) -> None:
        if self._quiet:
            return
        self._drawn = now
        if self._handle is None:
            self._handle = _display(_bundle(self._state), display_id=True)
        else:
            self._handle.update(_bundle(self._state), raw=True)


def _bundle(value: Any) -> dict[str, str]:
    return {"text/html": html.of(value), "text/plain": text.of(value)}


def _display(bundle: dict[str, str], **options: Any) -> Any:
    from IPython.display import display

    return display(bundle, raw=True, **options)
