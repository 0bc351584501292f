"""The panel of a pending operation, updated while other cells run."""

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
PATIENCE_SECONDS = 300.0  # for so long an unreachable endpoint is polled again

_exiting = threading.Event()  # set when the kernel exits: nothing is drawn any more
atexit.register(_exiting.set)


def show_operation(
    pending: PendingOperation, title: str, *, on_end: Callable[[Operation], None] = lambda _unused: None
) -> threading.Thread:
    """Show a pending operation in the output of this cell, from a thread.

    The thread sleeps between polls, and ends with the operation or the kernel.

    Args:
        pending: The operation.
        title: The title of the panel.
        on_end: Called with the operation when it is done.

    Returns:
        The started thread.
    """
    panel = _Panel(title, pending.operation)
    thread = threading.Thread(target=_watch, args=(pending, panel, on_end), name="aip_magics operation", daemon=True)
    thread.start()
    return thread


class _Panel:
    """A display that is updated in place."""

    def __init__(self, title: str, operation: Operation) -> None:
        name = operation.name or ""
        start = StepStarted(STEP, _("Wait for {operation}", operation=operation.id))
        self._state = RunState(title).apply(start, time.monotonic())
        hint = _("{name} is still running; run %aip_attach {name} to wait for it", name=name)
        self._state = self._state.apply(Note(STEP, hint), time.monotonic())
        self._handle: Any = publish(mime_bundle(self._state), display_id=True)
        self._drawn_at = time.monotonic()

    def emit(self, event: Event, *, last: bool = False) -> None:
        self._state = self._state.apply(event, time.monotonic())
        self.draw(last=last)

    def draw(self, *, last: bool = False) -> None:
        now = time.monotonic()
        self._state = self._state.finished(now) if last else self._state.at(now)
        if not _exiting.is_set():
            self._handle.update(mime_bundle(self._state), raw=True)
            self._drawn_at = now

    def update_time(self) -> None:
        """Update the elapsed time, after a minute less often, to limit the messages to an unattended notebook."""
        interval = REDRAW_SECONDS if self._state.elapsed < 60 else 10 * REDRAW_SECONDS
        if time.monotonic() - self._drawn_at >= interval:
            self.draw()


def _watch(pending: PendingOperation, panel: _Panel, on_end: Callable[[Operation], None]) -> None:
    operation, shown_state, reached_at = pending.operation, "", time.monotonic()
    while not operation.done:
        if _exiting.wait(pending.pause):
            return
        try:
            operation = pending.poll()
            reached_at = time.monotonic()
        except Unavailable as error:
            if time.monotonic() - reached_at > PATIENCE_SECONDS:
                return panel.emit(Failed(STEP, error))
        except AipError as error:
            return panel.emit(Failed(STEP, error))
        if (state := operation_state(operation)) and state != shown_state:
            shown_state = state
            panel.emit(Note(STEP, _("state: {state}", state=state)))
        panel.update_time()
    pending.ended(operation)
    on_end(operation)
    panel.emit(_final_event(operation), last=operation.error is None)
    return None


def _final_event(operation: Operation) -> Event:
    if operation.error is None:
        return StepFinished(STEP, _("done: {what}", what=operation_subject(operation)))
    message = operation.error.message or _("the operation failed without a message")
    return Failed(STEP, OperationFailed(message, operation=operation, where=operation.name or ""))
