"""A deploy that was begun by a button: it runs in a thread, draws into outputs that are there already, can be stopped.

A callback of a widget keeps the kernel from everything else until it returns, and what a thread displays appears below
whatever cell ran last; updating a display by its id is safe from any thread and always meets the right output.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import threading
from collections.abc import Callable
from typing import Any

from aip_magics.commands import deploy
from aip_magics.commands.common.command import Context
from aip_magics.commands.common.execution import execute
from aip_magics.commands.form import FormRequest
from aip_magics.errors import AipError
from aip_magics.events import Event
from aip_magics.notebook.form.state import FormState
from aip_magics.notebook.reporter import NotebookReporter

EMPTY = {"text/plain": ""}


class OutputSlots:
    """Outputs of the cell that shows the form, empty at first, filled whatever cell runs then.

    `button` is for what can be pressed while the run goes on; it is empty again in the end.
    """

    def __init__(self, count: int) -> None:
        self._free = [show(EMPTY) for _ in range(count)]
        self.button = show(EMPTY)

    def place(self, bundle: dict[str, Any], **_: Any) -> Any:
        """Fill the next output (the last one again, when all are used); returns its handle."""
        handle = self._free.pop(0) if len(self._free) > 1 else self._free[0]
        handle.update(bundle, raw=True)
        return handle


class FormReporter(NotebookReporter):
    """The face of a run that a form began. After `stop` the next event interrupts the run, as Ctrl-C would."""

    def __init__(self, outputs: OutputSlots) -> None:
        super().__init__("aip_deploy", display=outputs.place)
        self._stop = threading.Event()
        self._stopped = False

    def stop(self) -> None:
        self._stop.set()

    def emit(self, event: Event) -> None:
        super().emit(event)
        if self._stop.is_set() and not self._stopped:
            self._stopped = True  # once: the events that tell of the stop have to get through
            raise KeyboardInterrupt


class BackgroundDeploy:
    """A deploy in a thread of its own. `value` and `error` are set when it is over; `ended` is called then."""

    def __init__(self, asked: FormRequest, state: FormState, face: FormReporter, ended: Callable[[], None]) -> None:
        self.value: Any = None
        self.error: AipError | None = None
        self._face = face
        self._ended = ended
        self._deployment = state.deployment
        self._args = build_args(asked.args, state)
        self._context = dataclasses.replace(asked.context, face=face)
        self._thread = threading.Thread(target=self._run, name="aip_magics form deploy", daemon=True)
        self._thread.start()

    def wait(self, seconds: float | None = None) -> None:
        self._thread.join(seconds)

    def _run(self) -> None:
        # The very command, so that the journal has it, too; only the deployment is settled already.
        command = dataclasses.replace(deploy.COMMAND, run=self._perform)
        try:
            self.value = execute(command, self._args, None, self._context)
        except AipError as error:
            self.error = error
            self._face.show(error)
        finally:
            self._face.finish()
            self._ended()

    def _perform(self, args: argparse.Namespace, _body: str | None, context: Context) -> Any:
        return deploy.perform(self._deployment, args, context)


def build_args(given: argparse.Namespace, state: FormState) -> argparse.Namespace:
    """The options of the run, with the endpoint that was chosen in the form. The thread waits: no --async."""
    args = copy.copy(given)
    args.region = state.target.region or "global"
    args.regions = None  # the deployment has it
    args.model, args.version = state.deployment.model.name, state.deployment.version.name
    args.asynchronous = False
    return args


def show(bundle: dict[str, Any]) -> Any:
    """Display this in the cell that runs; returns the handle by which it is replaced."""
    from IPython.display import display

    return display(bundle, raw=True, display_id=True)
