"""Reporter of a notebook: one panel for the run, one output per result, each as static HTML and plain text."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from aip_magics.events import Event
from aip_magics.render import html, text
from aip_magics.render.run_state import RunState

MAX_ROWS = 60  # of the plain text: 100,000 predictions would bloat the notebook; the returned value has all rows
UPDATE_SECONDS = 0.5  # more than two updates a second would flood the front end


class NotebookReporter:
    """Show a run in one display that is updated in place; the notebook saves the last state.

    A thread redraws twice a second during the run, so that the elapsed time advances during a long step and many quick
    events cause one update. The thread only updates a display by its id, which is safe from any thread and always
    reaches the right output.
    """

    def __init__(
        self,
        title: str,
        *,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
        display: Callable[..., Any] | None = None,
    ) -> None:
        self._state = RunState(title)
        self._quiet = quiet
        self._clock = clock
        self._display = display or publish
        self._handle: Any = None
        self._lock = threading.Lock()
        self._finished = threading.Event()
        self._thread: threading.Thread | None = None

    def emit(self, event: Event) -> None:
        """Apply an event; the first event shows the panel."""
        with self._lock:
            self._state = self._state.apply(event, self._clock())
        if self._quiet or self._handle is not None:
            return
        self._handle = self._display(mime_bundle(self._state), display_id=True)
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._redraw, name="aip_magics panel", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Draw the last state and stop redrawing."""
        self._finished.set()
        if self._thread is None:
            return
        self._thread.join()
        self._thread = None
        self._state = self._state.finished(self._clock())
        self._handle.update(mime_bundle(self._state), raw=True)
        # Events after a result get a new panel below the result.
        self._handle, self._state = None, RunState(self._state.title)

    def show(self, value: Any) -> None:
        """Show a result below the panel of the run."""
        if not self._quiet:
            self.finish()
            self._display(mime_bundle(value))

    def _redraw(self) -> None:
        while not self._finished.wait(UPDATE_SECONDS):
            with self._lock:
                state = self._state.at(self._clock())
            self._handle.update(mime_bundle(state), raw=True)


def mime_bundle(value: Any) -> dict[str, str]:
    """Render a value as HTML and plain text."""
    plain = text.of(value, rows=MAX_ROWS)
    if remarks := text.aside(value):
        plain += "".join(f"\n# {line}" for line in remarks.splitlines())  # comments: the text stays valid YAML
    return {"text/html": html.of(value), "text/plain": plain}


def publish(bundle: dict[str, str], **options: Any) -> Any:
    """Display a bundle; returns the handle with `display_id=True`."""
    from IPython.display import display

    return display(bundle, raw=True, **options)
