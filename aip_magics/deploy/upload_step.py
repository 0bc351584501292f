"""The upload step of a run: the model directory to its version's own directory, packages under their content."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aip_magics.deploy.steps import Step, Steps, size
from aip_magics.events import Progress
from aip_magics.i18n import gettext as _
from aip_magics.spec import Version
from aip_magics.storage import Digests, GsUri, Standing, UploadPlan, plan, transfers, upload
from aip_magics.targets import Target

if TYPE_CHECKING:
    from aip_magics.deploy.plan import Plan


def upload_step(steps: Steps, deployed: Plan, target: Target, versions: Sequence[Version] = ()) -> None:
    """Send what the target does not have. `versions` are those the model has: what they hold is copied there."""
    with steps("upload") as step:
        here = transfers(target.settings.data_dir)
        works = _plans(deployed, target, here.digests, versions)
        if not works:
            step.skip(_("the model lies at {origin} already", origin=deployed.deployment.origin))
            return
        told = _StepProgress(step, works)
        for work in works:
            upload(target.store, work, progress=told, journal=here.journal, digests=here.digests)
            told.next(work)
        step.done(_summary(works), works[0])


def _plans(deployed: Plan, target: Target, digests: Digests, versions: Sequence[Version]) -> list[UploadPlan]:
    works: list[UploadPlan] = []
    if deployed.upload_to is not None and deployed.model_dir is not None:
        source = _copy_source(deployed.upload_to, versions)
        files = deployed.model_dir.files
        works.append(
            # The version's own directory: what was removed here must not linger there.
            plan(target.store, files, deployed.upload_to, copy_from=source, delete_extra=True, digests=digests)
        )
    for file in deployed.packages:
        works.append(plan(target.store, [file], file.destination, digests=digests))  # what else lies there is not ours
    return works


def _copy_source(destination: GsUri, versions: Sequence[Version]) -> GsUri | None:
    """The directory of the newest other version in the same bucket: most of the same files lie there, if any do."""
    others = [
        GsUri.parse(version.deploymentUri)
        for version in sorted(versions, key=lambda version: version.createTime or "", reverse=True)
        if version.deploymentUri and version.deploymentUri.startswith(f"gs://{destination.bucket}/")
    ]
    return next((other for other in others if other != destination), None)


class _StepProgress:
    """The progress of several uploads as that of one step."""

    def __init__(self, step: Step, works: Sequence[UploadPlan]) -> None:
        self._step = step
        self._total = sum(work.bytes_to_send for work in works)
        self._before = 0

    def __call__(self, now: Standing) -> None:
        total = max(self._total, self._before + now.total)
        self._step.emit(Progress(self._step.id, self._before + now.done, total, "bytes", progress_note(now)))

    def next(self, work: UploadPlan) -> None:
        """The next upload begins, after this one."""
        self._before += work.bytes_to_send


def progress_note(now: Standing) -> str:
    """`3 of 12 files, 4.2 MB/s, 7 s left: saved_model.pb`."""
    if now.files_total == 1:
        parts = [_("{done} of 1 file", done=now.files_done)]
    else:
        parts = [_("{done} of {total} files", done=now.files_done, total=now.files_total)]
    if now.rate:
        parts.append(f"{size(int(now.rate))}/s")
    if now.seconds_left is not None and now.seconds_left >= 1:
        parts.append(_("{seconds:.0f} s left", seconds=now.seconds_left))
    return ", ".join(parts) + (f": {now.name}" if now.name else "")


def _summary(works: Sequence[UploadPlan]) -> str:
    sent = sum(len(work.send) for work in works)
    parts = [_("{count} sent ({size})", count=sent, size=size(sum(work.bytes_to_send for work in works)))]
    if copied := sum(len(work.copy) for work in works):
        parts.append(_("{count} copied from another version", count=copied))
    if kept := sum(len(work.keep) for work in works):
        parts.append(_("{count} unchanged", count=kept))
    if removed := sum(len(work.remove) for work in works):
        parts.append(_("{count} removed", count=removed))
    return f"{', '.join(parts)} → {works[0].destination}"
