"""A deployment started by a button: it runs in a thread, updates existing outputs and can be stopped.

A callback of a widget blocks the kernel until it returns, and new output of a thread appears below the cell that ran
last; updating a display by its id is safe from any thread and always reaches the right output.
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
from aip_magics.commands.common.model_source import keep_saved
from aip_magics.commands.form import FormRequest
from aip_magics.errors import AipError
from aip_magics.events import Event
from aip_magics.notebook.form.state import FormState
from aip_magics.notebook.reporter import NotebookReporter

EMPTY = {"text/plain": ""}


class OutputSlots:
    """Outputs of the cell that shows the form, empty at first, filled whatever cell runs later.

    `button` is the output for the Stop button during the run; it is empty again at the end.
    """

    def __init__(self, count: int) -> None:
        self._free = [show(EMPTY) for _ in range(count)]
        self.button = show(EMPTY)

    def place(self, bundle: dict[str, Any], **_: Any) -> Any:
        """Fill the next output (the last one again when all are used) and return its handle."""
        handle = self._free.pop(0) if len(self._free) > 1 else self._free[0]
        handle.update(bundle, raw=True)
        return handle


class FormReporter(NotebookReporter):
    """Reporter of a run started by a form. After `stop` the next event interrupts the run, like Ctrl-C."""

    def __init__(self, outputs: OutputSlots) -> None:
        super().__init__("aip_deploy", display=outputs.place)
        self._stop = threading.Event()
        self._stopped = False

    def stop(self) -> None:
        """Interrupt the run at its next event."""
        self._stop.set()

    def emit(self, event: Event) -> None:
        super().emit(event)
        if self._stop.is_set() and not self._stopped:
            self._stopped = True  # once: the events about the interruption must pass
            raise KeyboardInterrupt


class BackgroundDeploy:
    """A deployment in a thread of its own. `value` or `error` is set at the end; then `on_end` is called."""

    def __init__(
        self, request: FormRequest, state: FormState, reporter: FormReporter, on_end: Callable[[], None]
    ) -> None:
        self.value: Any = None
        self.error: AipError | None = None
        self._reporter = reporter
        self._on_end = on_end
        self._deployment = state.deployment
        self._args = build_args(request.args, state)
        self._context = dataclasses.replace(request.context, reporter=reporter)
        self._thread = threading.Thread(target=self._run, name="aip_magics form deploy", daemon=True)
        self._thread.start()

    def wait(self, seconds: float | None = None) -> None:
        """Wait for the end of the deployment, at most so long."""
        self._thread.join(seconds)

    def _run(self) -> None:
        # The real command, so that the history records the run, but with the deployment of the form.
        command = dataclasses.replace(deploy.COMMAND, run=self._perform)
        try:
            self.value = execute(command, self._args, None, self._context)
        except AipError as error:
            self.error = error
            self._reporter.show(error)
        finally:
            self._reporter.finish()
            self._on_end()

    def _perform(self, args: argparse.Namespace, _body: str | None, context: Context) -> Any:
        keep_saved(self._deployment.origin, args, context)
        return deploy.perform(self._deployment, args, context)


def build_args(base: argparse.Namespace, state: FormState) -> argparse.Namespace:
    """Build the options of the run, with the target chosen in the form and without --async: the thread waits."""
    args = copy.copy(base)
    for name in ("target", "project", "endpoint", "storage_endpoint"):
        setting = getattr(state.settings, name)
        setattr(args, name, setting.value if setting is not None and setting.source == "argument" else None)
    args.region = state.target.region or "global"
    args.regions = None  # part of the deployment
    args.model, args.version = state.deployment.model.name, state.deployment.version.name
    args.asynchronous = False
    return args


def show(bundle: dict[str, Any]) -> Any:
    """Display a bundle in the running cell and return the handle for updates."""
    from IPython.display import display

    return display(bundle, raw=True, display_id=True)
