"""The panel of an operation that goes on while other cells run."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable
from typing import Any

from aip_magics.commands.common.command import PendingOperation
from aip_magics.commands.common.operation_wait import STEP, operation_state, operation_subject
from aip_magics.errors import AipError, OperationFailed, Unavailable
from aip_magics.events import Event, Failed, Note, StepFinished, StepStarted
from aip_magics.i18n import gettext as _
from aip_magics.notebook.reporter import mime_bundle, publish
from aip_magics.render.run_state import RunState
from aip_magics.spec import Operation

REDRAW_SECONDS = 1.0
PATIENCE_SECONDS = 300.0  # an endpoint that cannot be reached is asked again for so long

_ending = threading.Event()  # set when the kernel ends: nothing is drawn any more
atexit.register(_ending.set)


def show_operation(
    pending: PendingOperation, title: str, *, ended: Callable[[Operation], None] = lambda _unused: None
) -> threading.Thread:
    """Show how the operation goes on, in this cell's output, from a thread; returns at once.

    The thread sleeps between two questions, and ends with the operation or the kernel. `ended` is told of the operation
    when it is done.
    """
    panel = _Panel(title, pending.operation)
    thread = threading.Thread(target=_go_on, args=(pending, panel, ended), name="aip_magics operation", daemon=True)
    thread.start()
    return thread


class _Panel:
    def __init__(self, title: str, operation: Operation) -> None:
        name = operation.name or ""
        start = StepStarted(STEP, _("Wait for {operation}", operation=operation.id))
        self._state = RunState(title).apply(start, time.monotonic())
        told = _("{name} goes on; %aip_attach {name} waits for it", name=name)
        self._state = self._state.apply(Note(STEP, told), time.monotonic())
        self._handle: Any = publish(mime_bundle(self._state), display_id=True)
        self._drawn = time.monotonic()

    def emit(self, event: Event, *, last: bool = False) -> None:
        self._state = self._state.apply(event, time.monotonic())
        self.draw(last=last)

    def draw(self, *, last: bool = False) -> None:
        now = time.monotonic()
        self._state = self._state.finished(now) if last else self._state.at(now)
        if not _ending.is_set():
            self._handle.update(mime_bundle(self._state), raw=True)
            self._drawn = now

    def tick(self) -> None:
        """The time goes on; seldom enough not to flood a notebook that is left alone for an hour."""
        pause = REDRAW_SECONDS if self._state.elapsed < 60 else 10 * REDRAW_SECONDS
        if time.monotonic() - self._drawn >= pause:
            self.draw()


def _go_on(pending: PendingOperation, panel: _Panel, ended: Callable[[Operation], None]) -> None:
    operation, shown, reached = pending.operation, "", time.monotonic()
    while not operation.done:
        if _ending.wait(pending.pause):
            return
        try:
            operation = pending.poll()
            reached = time.monotonic()
        except Unavailable as error:
            if time.monotonic() - reached > PATIENCE_SECONDS:
                return panel.emit(Failed(STEP, error))
        except AipError as error:
            return panel.emit(Failed(STEP, error))
        if (state := operation_state(operation)) and state != shown:
            shown = state
            panel.emit(Note(STEP, _("state: {state}", state=state)))
        panel.tick()
    pending.ended(operation)
    ended(operation)
    panel.emit(_end(operation), last=operation.error is None)
    return None


def _end(operation: Operation) -> Event:
    if operation.error is None:
        return StepFinished(STEP, _("done: {what}", what=operation_subject(operation)))
    message = operation.error.message or _("the operation failed without a message")
    return Failed(STEP, OperationFailed(message, operation=operation, where=operation.name or ""))
