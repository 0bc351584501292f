"""`upload`: upload a directory to gs://: only changed files, checksums verified, resumable after an interrupt."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from aip_magics.commands.common import options
from aip_magics.commands.common.command import Command, Context
from aip_magics.commands.common.options import ScriptFormat
from aip_magics.commands.common.transfer_steps import TransferSteps, connect_target, resume_command
from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _
from aip_magics.local_path import local_path

if TYPE_CHECKING:
    from aip_magics.artifacts import File, Listing
    from aip_magics.deploy.steps import Step
    from aip_magics.storage import Bucket, DigestCache, GsUri, UploadedFile, UploadPlan
    from aip_magics.targets import Target

MAX_LISTED = 5  # names of one kind in the notes; the plan has all of them


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", metavar="DIR", help=_("directory or single file to upload"))
    parser.add_argument("uri", metavar="gs://BUCKET/PATH", help=_("destination directory"))
    parser.add_argument("--delete-extra", action="store_true", help=_("delete remote objects that have no local file"))
    options.add_include(parser)
    options.add_dry_run(parser, help_text=_("show what would be uploaded without uploading it"))
    options.add_target(parser)
    options.add_output(parser)


def run(args: argparse.Namespace, _body: str | None, context: Context) -> list[UploadedFile] | UploadPlan | str:
    """Upload the files and return a UploadedFile for each; or the UploadPlan of a dry run, or the text of `--show`.

    A missing bucket is created in the target's region. ModelDirError if there is nothing to upload.
    """
    from aip_magics.artifacts import list_files
    from aip_magics.storage import GsUri, TransferPaths, create_bucket, upload

    destination = GsUri.parse(args.uri)
    listing = list_files(local_path(args.directory), include=args.include)
    target = connect_target(args, context)
    if args.show:
        return _show_script(args.show, listing, destination, target, context, delete_extra=args.delete_extra)
    local_state = TransferPaths.below(target.settings.data_dir)
    steps = TransferSteps(context.reporter.emit, resume_command("upload", [args.directory, args.uri], args))
    with steps.step("plan", _("Compare with Cloud Storage")) as step:
        bucket, upload_plan = _compare(
            step, listing, destination, target, local_state.digests, delete_extra=args.delete_extra
        )
    if args.dry_run:
        context.reporter.show(upload_plan)
        return upload_plan
    if bucket is None:
        with steps.step("bucket", _("Bucket")) as step:
            created = create_bucket(
                target.storage_client, destination.bucket, project=target.project, location=target.default_region
            )
            step.done(created.summary, created)
    with steps.step("upload", _("Upload")) as step:
        progress = steps.progress("upload")
        checkpoints, digests = local_state.checkpoints, local_state.digests
        stored = list(
            upload(target.storage_client, upload_plan, progress=progress, checkpoints=checkpoints, digests=digests)
        )
        step.done(_summary(stored, upload_plan), stored)
    context.reporter.show(stored)
    return stored


def _show_script(
    script_format: ScriptFormat,
    listing: Listing,
    destination: GsUri,
    target: Target,
    context: Context,
    *,
    delete_extra: bool,
) -> str:
    """Return an equivalent script. No request is sent, so a script that cannot compare uploads all files."""
    from aip_magics.commands import show

    bucket, prefix = destination.bucket, destination.prefix
    if listing.given_file and delete_extra:
        text = _("--show cannot delete other objects when a single file is uploaded")
        raise OptionError(text, where="--delete-extra", fix=_("upload the directory, or remove the option"))
    files = tuple(show.Upload(file.path, bucket, prefix + file.name) for file in _get_files(listing))
    skipped = tuple(one.name for one in listing.left_out)
    sync = show.Sync(listing.path, files, skipped, bucket, prefix, delete_extra)
    calls = [show.MakeBucket(bucket, target.default_region), *(files if listing.given_file else [sync])]
    script = show.render_script(script_format, calls, target)
    context.reporter.show(script)
    return script


def _compare(
    step: Step, listing: Listing, destination: GsUri, target: Target, digests: DigestCache, *, delete_extra: bool
) -> tuple[Bucket | None, UploadPlan]:
    """Compare local files and objects; return the bucket, if it exists, and the plan. Notes warn before the upload."""
    from aip_magics.render.panels.upload import summary
    from aip_magics.storage import find_bucket, plan_upload

    for skipped in listing.left_out[:MAX_LISTED]:
        if skipped.kind == "key":
            text = _(
                "skipped: {name} ({reason}); use --include {name} to upload it",
                name=skipped.name,
                reason=skipped.reason,
            )
            step.note(text, "warning")
        else:
            step.note(_("skipped: {name} ({reason})", name=skipped.name, reason=skipped.reason))
    bucket = find_bucket(target.storage_client, destination.bucket)
    upload_plan = plan_upload(
        target.storage_client, _get_files(listing), destination, delete_extra=delete_extra, digests=digests
    )
    for remote in upload_plan.remove[:MAX_LISTED]:
        step.note(_("will be deleted: {name}", name=remote.name), "warning")
    if bucket and target.region and not bucket.is_in(target.region):
        text = _("the bucket is in {there}, not in {here}", there=bucket.location, here=target.region)
        step.note(text, "warning")
    step.done(summary(upload_plan), upload_plan)
    return bucket, upload_plan


def _get_files(listing: Listing) -> list[File]:
    if listing.truncated:
        text = _("the directory contains more than {count:,} files", count=len(listing.files))
        raise OptionError(text, where="DIR", fix=_("upload a subdirectory instead"))
    files = [file for file in listing.files if listing.given_file in (None, file.name)]
    if not files:
        text = _("{name} is a hidden file; hidden files are not uploaded", name=listing.given_file)
        raise OptionError(text, where="DIR", fix=_("add --include {name}", name=listing.given_file))
    return files


def _summary(stored: list[UploadedFile], upload_plan: UploadPlan) -> str:
    if upload_plan.unchanged:
        return _("nothing to do: all files are up to date")
    changed = [one for one in stored if one.kind != "kept"]
    return _("uploaded or copied {made} of {all} files, checksums verified", made=len(changed), all=len(stored))


COMMAND = Command(
    "upload", add_options, run, example="%aip_upload ./export gs://my-bucket/iris/v1 --dry-run", changes=True
)
