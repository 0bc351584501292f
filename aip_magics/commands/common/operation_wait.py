"""Wait for, leave or cancel the long-running operation of a command, and record its outcome in the history."""

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
    """Add `--async` and `--cancel-on-interrupt`."""
    group = parser.add_argument_group(_("waiting"))
    if asynchronous:
        group.add_argument("--async", dest="asynchronous", action="store_true", help=_("do not wait for the operation"))
    group.add_argument(
        "--cancel-on-interrupt",
        action="store_true",
        help=_("cancel the operation on interrupt (default: the operation keeps running)"),
    )


class OperationTracker:
    """Tracks the operation of one run: passes events to the reporter and records the operation in the history.

    By default an interrupt detaches from the operation; with `--cancel-on-interrupt` it cancels the operation.
    """

    def __init__(self, args: argparse.Namespace, context: Context, target: Target, verb: str) -> None:
        self._args = args
        self._context = context
        self._target = target
        self._verb = verb
        self._operation = ""
        self.cancelled: Interrupted | None = None

    def record_start(self, operation: Operation) -> None:
        """Record that the operation runs, so that `attach` finds it."""
        self._operation = operation.name or ""
        if self._context.history is None:
            return
        target_options = get_target_options(self._args, self._context)
        what = operation_subject(operation)
        self._context.history.add(self._verb, "running", what=what, operation=self._operation, where=target_options)

    def record_end(self, outcome: str, error: str = "") -> None:
        """Record the outcome of the operation."""
        if self._context.history is not None and self._operation:
            self._context.history.ended(self._operation, outcome, error)

    def emit(self, event: Event) -> None:
        """Pass an event of a run to the reporter, and record what it says about the operation."""
        if isinstance(event, StepFinished) and isinstance(event.value, Operation):
            self.record_start(event.value)
        elif isinstance(event, StepFinished) and event.step == STEP:
            self.record_end("done")
        elif isinstance(event, Failed) and isinstance(event.error, OperationFailed):
            self.record_end("failed", type(event.error).__name__)
        elif isinstance(event, Detached) and self._args.cancel_on_interrupt:
            event = self.cancel(event.operation)
        self._context.reporter.emit(event)

    def cancel(self, operation: str) -> Failed:
        """Cancel the operation and return the event that says so."""
        self._target.client.cancel(operation)
        self.record_end("cancelled")
        self.cancelled = Interrupted(
            _("interrupted by the user; the operation was canceled"),
            where=operation,
            fix=_("run the command again to start over"),
        )
        return Failed(STEP, self.cancelled)

    def wait(self, operation: Operation) -> Operation:
        """Wait until the operation is done.

        Returns:
            The finished operation; after an interrupt the operation as it was before the wait.

        Raises:
            OperationFailed: The operation failed.
            Interrupted: An interrupt canceled the operation.
        """
        self._operation = operation.name or ""
        self.emit(StepStarted(STEP, _("Wait for {operation}", operation=operation.id)))
        last_state = ""

        def on_poll(polled: Operation) -> None:
            nonlocal last_state
            self.emit(Heartbeat(STEP))
            if (state := operation_state(polled)) and state != last_state:
                last_state = state
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
        """Do not wait for the operation; a notebook shows its progress in the background."""
        self._operation = operation.name or ""
        if operation.done:
            self._record_done(operation)
        elif self._context.watch_operation is not None:
            poll = functools.partial(self._target.client.get_operation, self._operation)
            pending = PendingOperation(operation, poll, self._target.poll_seconds, self._record_done)
            self._context.watch_operation(pending)

    def _record_done(self, operation: Operation) -> None:
        self.record_end("failed" if operation.error else "done", "OperationFailed" if operation.error else "")


def reattach(operation: Operation) -> str:
    """Return the magic that waits for the operation again."""
    return f"%aip_attach {operation.name}"


def operation_result(operation: Operation, target: Target) -> Version | Operation:
    """Return the Version that the operation created, else the operation itself."""
    metadata = operation.metadata
    if metadata is None or metadata.operationType != "CREATE_VERSION" or metadata.version is None:
        return operation
    return target.client.get_version("", metadata.version.name or "")


def operation_state(operation: Operation) -> str:
    """Return the state of the operation's version; empty for an operation without a version."""
    metadata = operation.metadata
    return str(metadata.version.state or "") if metadata and metadata.version else ""


def operation_subject(operation: Operation) -> str:
    """Return the full name of the operation's version or model."""
    metadata = operation.metadata
    if metadata is None:
        return ""
    return (metadata.version.name if metadata.version else None) or metadata.modelName or ""
