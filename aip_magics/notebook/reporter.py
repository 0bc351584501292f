"""The face of a notebook: one panel for the run, one output for each result, all plain HTML with its text beside it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aip_magics.events import Event
from aip_magics.render import html, text
from aip_magics.render.run_state import RunState

if TYPE_CHECKING:
    from aip_magics.commands.form import FormRequest

MAX_ROWS = 60  # of the text twin: a notebook is no place for 100,000 predictions; the value that is returned has all
UPDATE_SECONDS = 0.5  # at most two updates a second: more floods the front end and the saved file


class NotebookReporter:
    """Draws a run into one display that is updated in place; what is saved is its last state.

    A thread redraws twice a second while the run goes on, so that the time passes on the screen during a long step too,
    and a hundred quick events make one update. Updating a display by its id is safe from any thread and always meets
    the right output; nothing else is done there.
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
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def emit(self, event: Event) -> None:
        with self._lock:
            self._state = self._state.apply(event, self._clock())
        if self._quiet or self._handle is not None:
            return
        self._handle = self._display(mime_bundle(self._state), display_id=True)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._redraw, name="aip_magics panel", daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Draw the last state and stop redrawing."""
        self._over.set()
        if self._thread is None:
            return
        self._thread.join()
        self._thread = None
        self._state = self._state.finished(self._clock())
        self._handle.update(mime_bundle(self._state), raw=True)
        # What may come after a result has a panel of its own, below it.
        self._handle, self._state = None, RunState(self._state.title)

    def show(self, value: Any) -> None:
        if not self._quiet:
            self.finish()
            self._display(mime_bundle(value))

    def open_form(self, asked: FormRequest) -> Any:
        """Show a form in the cell that runs."""
        from aip_magics.notebook.form import Form

        return Form(asked)

    def _redraw(self) -> None:
        while not self._over.wait(UPDATE_SECONDS):
            with self._lock:
                state = self._state.at(self._clock())
            self._handle.update(mime_bundle(state), raw=True)


def mime_bundle(value: Any) -> dict[str, str]:
    """The value as HTML, and as text beside it."""
    plain = text.of(value, rows=MAX_ROWS)
    if told := text.aside(value):
        plain += "".join(f"\n# {line}" for line in told.splitlines())  # comments: the text stays YAML
    return {"text/html": html.of(value), "text/plain": plain}


def publish(bundle: dict[str, str], **options: Any) -> Any:
    """Display a bundle; returns its handle where `display_id=True` asks for one."""
    from IPython.display import display

    return display(bundle, raw=True, **options)
