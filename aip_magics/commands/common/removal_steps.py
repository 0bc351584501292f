"""Shared by `remove` and `delete --artifacts`: delete objects as a step with progress, and say how far an end came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aip_magics.errors import AipError, Interrupted, OptionError
from aip_magics.events import Progress
from aip_magics.i18n import gettext as _
from aip_magics.i18n import ngettext
from aip_magics.wording import MAX_NAMES

if TYPE_CHECKING:
    from aip_magics.commands.common.transfer_steps import TransferSteps
    from aip_magics.deploy.version_artifacts import ListedVersion
    from aip_magics.storage import Removal, RemovalPlan, StorageClient
    from aip_magics.targets import Target

STEP = "remove"


def remove_objects(steps: TransferSteps, client: StorageClient, plan: RemovalPlan, resume_line: str) -> Removal:
    """Run the plan as a step.

    Raises:
        Interrupted: The user stopped the run; the text has the number of deleted objects, the fix the `resume_line`.
        StorageError: An object could not be deleted.
    """
    from aip_magics.render.panels.removal import deleted_of
    from aip_magics.storage import RemovalRun

    planned = len(plan.objects)
    with steps.step(STEP, _("Delete objects")) as step:
        run = RemovalRun(
            client, plan, progress=lambda now: step.emit(Progress(STEP, now.files_done, now.files_total, "objects"))
        )
        try:
            removal = run.run()
        except KeyboardInterrupt:
            text = ngettext(
                "interrupted by the user after {done} of {number} object",
                "interrupted by the user after {done} of {number} objects",
                planned,
                done=f"{run.result.count:,}",
            )
            fix = _("resume with: {line}", line=resume_line)
            raise Interrupted(text, where=_("Delete objects"), fix=fix) from None
        except AipError:
            step.note(deleted_of(run.result, planned), "warning")
            raise
        for uri in removal.replaced[:MAX_NAMES]:
            step.note(_("kept: {uri} (replaced after it was listed)", uri=uri), "warning")
        step.done(deleted_of(removal, planned), removal)
    return removal


def list_versions_of(target: Target) -> list[ListedVersion]:
    """List the versions that may use objects. OptionError if the target does not tell."""
    from aip_magics.deploy.version_artifacts import list_all_versions

    try:
        return list_all_versions(target)
    except AipError as error:
        text = _("could not check which versions use the objects: {reason}", reason=error.message)
        fix = _("add --force to delete the objects without this check")
        raise OptionError(text, where=error.where, fix=fix) from error
