"""What the commands that move files between here and Cloud Storage have in common: the target, and the steps."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aip_magics.commands.common.command import Context
from aip_magics.commands.common.execution import given_target_options
from aip_magics.errors import AipError, Interrupted, SettingsError
from aip_magics.events import Event, Failed, Progress, StepStarted
from aip_magics.i18n import gettext as _
from aip_magics.settings import LOCAL_PROJECT

if TYPE_CHECKING:
    from aip_magics.deploy.steps import Step
    from aip_magics.storage import Standing
    from aip_magics.targets import Target

Emit = Callable[[Event], None]


def connect_target(args: argparse.Namespace, context: Context) -> Target:
    """The target of the command. `--storage-endpoint` alone means a compatible endpoint, as `--endpoint` does."""
    if not args.storage_endpoint or args.target:
        return context.target(args)
    given = {**vars(args), "target": "aiplatform"}
    try:
        return context.target(argparse.Namespace(**given))
    except SettingsError as error:
        if error.where != "project":
            raise
        # A project is only needed to make a bucket, and compatible endpoints take any.
        return context.target(argparse.Namespace(**{**given, "project": LOCAL_PROJECT}))


def resume_command(verb: str, places: Sequence[str], args: argparse.Namespace) -> str:
    """The line that does the same again, and so continues what was stopped."""
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in given_target_options(args).items()]
    if getattr(args, "delete_extra", False):
        flags.append("--delete-extra")
    return shlex.join([f"%aip_{verb}", *places, *flags])


class TransferSteps:
    """Its steps, as events. `line` continues it when it was stopped."""

    def __init__(self, emit: Emit, line: str) -> None:
        self._emit = emit
        self._line = line

    @contextmanager
    def step(self, id: str, title: str) -> Iterator[Step]:
        """One step. Interrupted, with the line that continues it, for Ctrl-C or the stop button."""
        from aip_magics.deploy.steps import Step

        self._emit(StepStarted(id, title))
        try:
            yield Step(id, self._emit)
        except KeyboardInterrupt:
            fix = _("it continues with: {line}", line=self._line)
            error = Interrupted(_("stopped by you"), where=title, fix=fix)
            self._emit(Failed(id, error))
            raise error from None
        except AipError as error:
            self._emit(Failed(id, error))
            raise

    def progress(self, id: str) -> Callable[[Standing], None]:
        """What is to be called as the transfer of this step goes on."""
        from aip_magics.deploy.upload_step import progress_note

        return lambda now: self._emit(Progress(id, now.done, now.total, "bytes", progress_note(now)))
