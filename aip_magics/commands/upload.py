"""`upload`: a directory to gs://, only what differs, checked at both ends; stopped anywhere, it continues."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from aip_magics.commands.common import options
from aip_magics.commands.common.command import Command, Context
from aip_magics.commands.common.options import ScriptFormat
from aip_magics.commands.common.transfer_steps import TransferSteps, connect_target, resume_command
from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _

if TYPE_CHECKING:
    from aip_magics.artifacts import File, Listing
    from aip_magics.deploy.steps import Step
    from aip_magics.storage import Bucket, Digests, GsUri, Stored, UploadPlan
    from aip_magics.targets import Target

MAX_LISTED = 5  # names of one kind in the notes; the plan has all


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", metavar="DIR", help=_("what is uploaded: a directory, or one file"))
    parser.add_argument("uri", metavar="gs://BUCKET/PATH", help=_("the directory that it becomes"))
    parser.add_argument("--delete-extra", action="store_true", help=_("remove objects there that have no file here"))
    options.add_dry_run(parser, told=_("show what would be sent, send nothing"))
    options.add_target(parser)
    options.add_output(parser)


def run(args: argparse.Namespace, _body: str | None, context: Context) -> list[Stored] | UploadPlan | str:
    """What lies at the destination now, a Stored for each file; the UploadPlan of a dry run, the text of `--show`.

    A bucket that is not there is made in the target's region. ModelDirError where there is nothing to upload.
    """
    from aip_magics.artifacts import list_files
    from aip_magics.storage import GsUri, make_bucket, transfers, upload

    destination = GsUri.parse(args.uri)
    found = list_files(Path(args.directory).expanduser())
    target = connect_target(args, context)
    if args.show:
        return _shown(args.show, found, destination, target, context, delete_extra=args.delete_extra)
    here = transfers(target.settings.data_dir)
    steps = TransferSteps(context.face.emit, resume_command("upload", [args.directory, args.uri], args))
    with steps.step("plan", _("Compare with what is there")) as step:
        bucket, todo = _compare(step, found, destination, target, here.digests, delete_extra=args.delete_extra)
    if args.dry_run:
        context.face.show(todo)
        return todo
    if bucket is None:
        with steps.step("bucket", _("Bucket")) as step:
            made = make_bucket(target.store, destination.bucket, project=target.project, location=target.default_region)
            step.done(made.told, made)
    with steps.step("upload", _("Upload")) as step:
        progress = steps.progress("upload")
        stored = list(upload(target.store, todo, progress=progress, journal=here.journal, digests=here.digests))
        step.done(_told(stored, todo), stored)
    context.face.show(stored)
    return stored


def _shown(
    form: ScriptFormat, found: Listing, destination: GsUri, target: Target, context: Context, *, delete_extra: bool
) -> str:
    """The equivalent lines. Nothing is contacted: they send what differs, or all."""
    from aip_magics.commands import show

    bucket, prefix = destination.bucket, destination.prefix
    if found.given_file and delete_extra:
        text = _("for a single file there are no lines that remove all others there")
        raise OptionError(text, where="--delete-extra", fix=_("name the directory, or leave the option out"))
    files = tuple(show.Upload(file.path, bucket, prefix + file.name) for file in _files(found))
    left_out = tuple(one.name for one in found.left_out)
    whole = show.Sync(found.path, files, left_out, bucket, prefix, delete_extra)
    sent = [show.MakeBucket(bucket, target.default_region), *(files if found.given_file else [whole])]
    lines = show.render_script(form, sent, target)
    context.face.show(lines)
    return lines


def _compare(
    step: Step, found: Listing, destination: GsUri, target: Target, digests: Digests, *, delete_extra: bool
) -> tuple[Bucket | None, UploadPlan]:
    """The bucket, where it is there, and what is to be done; tells what the user should know before it begins."""
    from aip_magics.render.panels.upload import summary
    from aip_magics.storage import find_bucket, plan

    for left_out in found.left_out[:MAX_LISTED]:
        step.note(_("left out: {name} ({reason})", name=left_out.name, reason=left_out.reason))
    bucket = find_bucket(target.store, destination.bucket)
    todo = plan(target.store, _files(found), destination, delete_extra=delete_extra, digests=digests)
    for remote in todo.remove[:MAX_LISTED]:
        step.note(_("is removed there: {name}", name=remote.name), "warning")
    if bucket and target.region and not bucket.is_in(target.region):
        text = _("the bucket is in {there}, not in {here}", there=bucket.location, here=target.region)
        step.note(text, "warning")
    step.done(summary(todo), todo)
    return bucket, todo


def _files(found: Listing) -> list[File]:
    if found.truncated:
        text = _("there are more than {count:,} files", count=len(found.files))
        raise OptionError(text, where="DIR", fix=_("name a directory further down"))
    files = [file for file in found.files if found.given_file in (None, file.name)]
    if not files:
        text = _("{name} is a hidden file, which is not uploaded", name=found.given_file)
        raise OptionError(text, where="DIR", fix=_("name it otherwise"))
    return files


def _told(stored: list[Stored], todo: UploadPlan) -> str:
    if todo.unchanged:
        return _("nothing to do: all is there already")
    made = [each for each in stored if each.kind != "kept"]
    return _("{made} of {all} files sent or copied, checked there", made=len(made), all=len(stored))


COMMAND = Command(
    "upload", add_options, run, example="%aip_upload ./export gs://my-bucket/iris/v1 --dry-run", changes=True
)
