"""`pull`: download a gs:// directory or object: only changed files, checksums verified, files replaced atomically."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from aip_magics.commands.common import options
from aip_magics.commands.common.command import Command, Context
from aip_magics.commands.common.transfer_steps import TransferSteps, connect_target, resume_command
from aip_magics.i18n import gettext as _
from aip_magics.i18n import ngettext

if TYPE_CHECKING:
    from aip_magics.storage import DownloadedFile, DownloadPlan
    from aip_magics.targets import Target


MAX_LISTED = 20  # warnings about file names


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uri", metavar="gs://BUCKET/PATH", help=_("a directory or an object in Cloud Storage"))
    parser.add_argument(
        "directory", metavar="DIR", help=_("local directory for the files; created if it does not exist")
    )
    options.add_dry_run(parser, help_text=_("show what would be downloaded without downloading it"))
    options.add_target(parser)
    options.add_output(parser)


def run(args: argparse.Namespace, _body: str | None, context: Context) -> list[DownloadedFile] | DownloadPlan | str:
    """Download and return the files; or the DownloadPlan of a dry run, or the text of `--show`.

    The latter two list the objects but download nothing. StorageError if there is no such object or directory.
    """
    from aip_magics.storage import TransferPaths, download_directory, is_risky

    target = connect_target(args, context)
    if args.dry_run or args.show:
        return _preview(args, target, context)
    steps = TransferSteps(context.reporter.emit, resume_command("pull", [args.uri, args.directory], args))
    with steps.step("download", _("Download")) as step:
        digests = TransferPaths.below(target.settings.data_dir).digests
        directory = Path(os.path.expanduser(args.directory))
        fetched = list(
            download_directory(
                target.storage_client, args.uri, directory, progress=steps.progress("download"), digests=digests
            )
        )
        for name in [each.name for each in fetched if is_risky(each.name)][:MAX_LISTED]:
            text = _("{name}: shells, git, editors or Python run files with this name", name=name)
            if not name.isprintable():
                text = _("{name!r} contains invisible or terminal control characters", name=name)
            step.note(text, "warning")
        kept = sum(each.kept for each in fetched)
        step.done(_summary(len(fetched) - kept, kept), fetched)
    context.reporter.show(fetched)
    return fetched


def _preview(args: argparse.Namespace, target: Target, context: Context) -> DownloadPlan | str:
    """Return the script of `--show` or the plan of `--dry-run`."""
    from aip_magics.commands import show
    from aip_magics.storage import TransferPaths, plan_download

    digests = TransferPaths.below(target.settings.data_dir).digests
    plan = plan_download(target.storage_client, args.uri, Path(os.path.expanduser(args.directory)), digests)
    result: DownloadPlan | str = plan
    if args.show:
        names = tuple(name for _kind, name, _size in plan.rows)
        download = show.Download(plan.source.bucket, plan.source.prefix, names, plan.directory, all=plan.all)
        result = show.render_script(args.show, [download], target)
    context.reporter.show(result)
    return result


def _summary(count: int, kept: int) -> str:
    if not kept:
        return ngettext("downloaded and verified {number} file", "downloaded and verified {number} files", count)
    return ngettext(
        "downloaded and verified {number} file, {kept} unchanged",
        "downloaded and verified {number} files, {kept} unchanged",
        count,
        kept=kept,
    )


COMMAND = Command("pull", add_options, run, example="%aip_pull gs://my-bucket/iris/v1 ./export")
