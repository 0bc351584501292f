"""Shared by `upload` and `pull`: connect to the target, emit steps and progress, name the line that resumes."""

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
from aip_magics.target_types import AI_PLATFORM, LOCAL

if TYPE_CHECKING:
    from aip_magics.deploy.steps import Step
    from aip_magics.storage import ProgressSnapshot
    from aip_magics.targets import Target

Emit = Callable[[Event], None]


def connect_target(args: argparse.Namespace, context: Context) -> Target:
    """Choose the target of a transfer. `--storage-endpoint` alone implies a compatible endpoint, as `--endpoint`."""
    if not args.storage_endpoint or args.target:
        return context.target(args)
    options = {**vars(args), "target": AI_PLATFORM.name}
    try:
        return context.target(argparse.Namespace(**options))
    except SettingsError as error:
        if error.where != "project":
            raise
        # Only the creation of a bucket needs a project, and compatible endpoints accept any.
        return context.target(argparse.Namespace(**{**options, "project": LOCAL.default_project}))


def resume_command(verb: str, arguments: Sequence[str], args: argparse.Namespace) -> str:
    """Return the magic that repeats the command and so resumes an interrupted transfer."""
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in given_target_options(args).items()]
    flags += [f"--include={pattern}" for pattern in getattr(args, "include", ())]
    if getattr(args, "delete_extra", False):
        flags.append("--delete-extra")
    return shlex.join([f"%aip_{verb}", *arguments, *flags])


class TransferSteps:
    """Emits the steps of a transfer. `resume_line` is the magic that resumes an interrupted transfer."""

    def __init__(self, emit: Emit, resume_line: str) -> None:
        self._emit = emit
        self._resume_line = resume_line

    @contextmanager
    def step(self, id: str, title: str) -> Iterator[Step]:
        """Run one step. Ctrl-C or the stop button raises Interrupted, whose fix is the line that resumes."""
        from aip_magics.deploy.steps import Step

        self._emit(StepStarted(id, title))
        try:
            yield Step(id, self._emit)
        except KeyboardInterrupt:
            fix = _("resume with: {line}", line=self._resume_line)
            error = Interrupted(_("interrupted by the user"), where=title, fix=fix)
            self._emit(Failed(id, error))
            raise error from None
        except AipError as error:
            self._emit(Failed(id, error))
            raise

    def progress(self, id: str) -> Callable[[ProgressSnapshot], None]:
        """Return a callback that emits the progress of this step."""
        from aip_magics.deploy.upload_step import progress_note

        return lambda now: self._emit(Progress(id, now.done, now.total, "bytes", progress_note(now)))
