"""The upload step of a run: the model files to the directory of the version, packages to paths by content."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from aip_magics.deploy.steps import Step, Steps
from aip_magics.events import Progress
from aip_magics.i18n import gettext as _
from aip_magics.i18n import ngettext
from aip_magics.spec import Version
from aip_magics.storage import DigestCache, GsUri, ProgressSnapshot, TransferPaths, UploadPlan, plan_upload, upload
from aip_magics.targets import Target
from aip_magics.wording import join_names, size_text

if TYPE_CHECKING:
    from aip_magics.artifacts import ModelDir
    from aip_magics.deploy.plan import Plan

MAX_KEYS = 3  # names in the summary


def upload_step(steps: Steps, deployed: Plan, target: Target, versions: Sequence[Version] = ()) -> None:
    """Upload the missing files. Files that another of the model's `versions` has are copied in Cloud Storage."""
    with steps("upload") as step:
        local_state = TransferPaths.below(target.settings.data_dir)
        uploads = _plan_uploads(deployed, target, local_state.digests, versions)
        if not uploads:
            step.skip(_("the model is already in Cloud Storage: {origin}", origin=deployed.deployment.origin))
            return
        progress = _StepProgress(step, uploads)
        for one in uploads:
            upload(
                target.storage_client,
                one,
                progress=progress,
                checkpoints=local_state.checkpoints,
                digests=local_state.digests,
            )
            progress.finish_upload(one)
        step.done(_summary(uploads, deployed.model_dir), uploads[0])


def _plan_uploads(
    deployed: Plan, target: Target, digests: DigestCache, versions: Sequence[Version]
) -> list[UploadPlan]:
    uploads: list[UploadPlan] = []
    if deployed.upload_to is not None and deployed.model_dir is not None:
        source = _copy_source(deployed.upload_to, versions)
        files = deployed.model_dir.files
        uploads.append(
            # The directory belongs to the version: files that were removed locally are deleted there too.
            plan_upload(
                target.storage_client, files, deployed.upload_to, copy_from=source, delete_extra=True, digests=digests
            )
        )
    for file in deployed.packages:
        # Other objects below this path belong to other deployments and are kept.
        uploads.append(plan_upload(target.storage_client, [file], file.destination, digests=digests))
    return uploads


def _copy_source(destination: GsUri, versions: Sequence[Version]) -> GsUri | None:
    """The directory of the newest other version in the same bucket, which most likely has the same files."""
    others = [
        GsUri.parse(version.deploymentUri)
        for version in sorted(versions, key=lambda version: version.createTime or "", reverse=True)
        if version.deploymentUri and version.deploymentUri.startswith(f"gs://{destination.bucket}/")
    ]
    return next((other for other in others if other != destination), None)


class _StepProgress:
    """Report the progress of several uploads as the progress of one step."""

    def __init__(self, step: Step, uploads: Sequence[UploadPlan]) -> None:
        self._step = step
        self._total = sum(one.bytes_to_send for one in uploads)
        self._finished = 0

    def __call__(self, now: ProgressSnapshot) -> None:
        total = max(self._total, self._finished + now.total)
        self._step.emit(Progress(self._step.id, self._finished + now.done, total, "bytes", progress_note(now)))

    def finish_upload(self, finished: UploadPlan) -> None:
        """Count the bytes of a finished upload."""
        self._finished += finished.bytes_to_send


def progress_note(now: ProgressSnapshot) -> str:
    """Describe the progress of a transfer, for example `3 of 12 files, 4.2 MB/s, 7 s left: saved_model.pb`."""
    parts = [ngettext("{done} of {number} file", "{done} of {number} files", now.files_total, done=now.files_done)]
    if now.assembling and now.done >= now.total:  # nothing is transferred any more
        parts.append(_("assembling the parts in Cloud Storage"))
        return f"{', '.join(parts)}: {now.assembling}"
    if now.rate:
        parts.append(f"{size_text(int(now.rate))}/s")
    if now.seconds_left is not None and now.seconds_left >= 1:
        parts.append(_("{seconds:.0f} s left", seconds=now.seconds_left))
    return ", ".join(parts) + (f": {now.name}" if now.name else "")


def _summary(uploads: Sequence[UploadPlan], model_dir: ModelDir | None) -> str:
    uploaded = sum(len(one.send) for one in uploads)
    total = size_text(sum(one.bytes_to_send for one in uploads))
    parts = [ngettext("{number} file uploaded ({size})", "{number} files uploaded ({size})", uploaded, size=total)]
    if copied := sum(len(one.copy) for one in uploads):
        parts.append(_("{count} copied from another version", count=copied))
    if kept := sum(len(one.keep) for one in uploads):
        parts.append(_("{count} unchanged", count=kept))
    if deleted := sum(len(one.remove) for one in uploads):
        parts.append(_("{count} deleted", count=deleted))
    if keys := model_dir.skipped_keys if model_dir else ():
        parts.append(_("not uploaded: {names}", names=join_names(keys, MAX_KEYS)))
    return f"{', '.join(parts)} → {uploads[0].destination}"
