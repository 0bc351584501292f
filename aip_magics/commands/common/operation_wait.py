"""Long-running operations as commands see them: begun, waited for, left to go on, cancelled, written down."""

from __future__ import annotations

import argparse
import functools
from typing import TYPE_CHECKING

from aip_magics.commands.common.command import Context, PendingOperation
from aip_magics.commands.common.execution import get_target_options
from aip_magics.errors import Interrupted, OperationFailed
from aip_magics.events import Detached, Event, Failed, Heartbeat, Note, StepFinished, StepStarted
from aip_magics.i18n import gettext as _
from aip_magics.spec import Operation, Version

if TYPE_CHECKING:
    from aip_magics.targets import Target

STEP = "wait"


def add_waiting(parser: argparse.ArgumentParser, *, asynchronous: bool = True) -> None:
    """`--async` and `--cancel-on-interrupt`."""
    group = parser.add_argument_group(_("waiting"))
    if asynchronous:
        group.add_argument("--async", dest="asynchronous", action="store_true", help=_("do not wait for the operation"))
    group.add_argument(
        "--cancel-on-interrupt",
        action="store_true",
        help=_("an interrupt cancels the operation; left out: it goes on without you"),
    )


class OperationTracker:
    """The operation of one run: an `emit` that passes events on, and writes down what becomes of the operation.

    With `--cancel-on-interrupt` an interrupt, which else detaches, cancels the operation.
    """

    def __init__(self, args: argparse.Namespace, context: Context, target: Target, verb: str) -> None:
        self._args = args
        self._context = context
        self._target = target
        self._verb = verb
        self._operation = ""
        self.cancelled: Interrupted | None = None

    def began(self, operation: Operation) -> None:
        """Write down that the operation runs: from now on `attach` finds it."""
        self._operation = operation.name or ""
        if self._context.journal is None:
            return
        place = get_target_options(self._args, self._context)
        what = operation_subject(operation)
        self._context.journal.add(self._verb, "running", what=what, operation=self._operation, where=place)

    def ended(self, outcome: str, error: str = "") -> None:
        if self._context.journal is not None and self._operation:
            self._context.journal.ended(self._operation, outcome, error)

    def emit(self, event: Event) -> None:
        """Pass an event of a run on to the face."""
        if isinstance(event, StepFinished) and isinstance(event.value, Operation):
            self.began(event.value)
        elif isinstance(event, StepFinished) and event.step == STEP:
            self.ended("done")
        elif isinstance(event, Failed) and isinstance(event.error, OperationFailed):
            self.ended("failed", type(event.error).__name__)
        elif isinstance(event, Detached) and self._args.cancel_on_interrupt:
            event = self.cancel(event.operation)
        self._context.face.emit(event)

    def cancel(self, operation: str) -> Failed:
        self._target.client.cancel(operation)
        self.ended("cancelled")
        self.cancelled = Interrupted(
            _("stopped by you, and the operation is cancelled"),
            where=operation,
            fix=_("run the same again to start anew"),
        )
        return Failed(STEP, self.cancelled)

    def wait(self, operation: Operation) -> Operation:
        """Wait until it is done and return it; after an interrupt as it then was, unless that cancels it.

        OperationFailed where it failed, Interrupted where it was cancelled.
        """
        self._operation = operation.name or ""
        self.emit(StepStarted(STEP, _("Wait for {operation}", operation=operation.id)))
        shown = ""

        def on_poll(now: Operation) -> None:
            nonlocal shown
            self.emit(Heartbeat(STEP))
            if (state := operation_state(now)) and state != shown:
                shown = state
                self.emit(Note(STEP, _("state: {state}", state=state)))

        try:
            operation = self._target.client.wait(operation, on_poll=on_poll)
        except KeyboardInterrupt:
            self.emit(Detached(STEP, operation.name or "", reattach(operation)))
            if self.cancelled:
                raise self.cancelled from None
            return operation
        except OperationFailed as error:
            self.emit(Failed(STEP, error))
            raise
        self.emit(StepFinished(STEP, _("done")))
        return operation

    def leave(self, operation: Operation) -> None:
        """Let it go on: a notebook shows how it does, everyone else is told the line that waits for it."""
        self._operation = operation.name or ""
        if operation.done:
            self._done(operation)
        elif self._context.follow is not None:
            poll = functools.partial(self._target.client.get_operation, self._operation)
            self._context.follow(PendingOperation(operation, poll, self._target.poll_seconds, self._done))

    def _done(self, operation: Operation) -> None:
        self.ended("failed" if operation.error else "done", "OperationFailed" if operation.error else "")


def reattach(operation: Operation) -> str:
    """The line that waits for the operation again."""
    return f"%aip_attach {operation.name}"


def operation_result(operation: Operation, target: Target) -> Version | Operation:
    """The Version that a creation made, else the operation itself."""
    metadata = operation.metadata
    if metadata is None or metadata.operationType != "CREATE_VERSION" or metadata.version is None:
        return operation
    return target.client.get_version("", metadata.version.name or "")


def operation_state(operation: Operation) -> str:
    """The state of the version that the operation is about; empty where it is about none."""
    metadata = operation.metadata
    return str(metadata.version.state or "") if metadata and metadata.version else ""


def operation_subject(operation: Operation) -> str:
    """The full name of the version or model that the operation is about."""
    metadata = operation.metadata
    if metadata is None:
        return ""
    return (metadata.version.name if metadata.version else None) or metadata.modelName or ""
