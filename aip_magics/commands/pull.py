"""`pull`: what lies in gs:// as files here; only what differs, checked, each file at once and whole."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from aip_magics.commands import options
from aip_magics.commands.base import Command, Context
from aip_magics.commands.transfer import Transfer, again, target_of
from aip_magics.i18n import gettext as _

if TYPE_CHECKING:
    from aip_magics.storage import DownloadedFile, DownloadPlan
    from aip_magics.targets import Target


MOST_TOLD = 20  # warnings of names


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uri", metavar="gs://BUCKET/PATH", help=_("a directory or an object in Cloud Storage"))
    parser.add_argument("directory", metavar="DIR", help=_("where its files go; made where it is not there"))
    options.add_sending(parser, told=_("show what would be fetched, fetch nothing"))
    options.add_target(parser)
    options.add_output(parser)


def run(args: argparse.Namespace, _body: str | None, context: Context) -> list[DownloadedFile] | DownloadPlan | str:
    """The files, a DownloadedFile for each object; the DownloadPlan of a dry run, the text of `--show`.

    Both look at what is there, and fetch nothing. StorageError where there is nothing of that name.
    """
    from aip_magics.storage import TransferPaths, download_directory, is_risky

    target = target_of(args, context)
    if args.dry_run or args.show:
        return _instead(args, target, context)
    steps = Transfer(context.face.emit, again("pull", [args.uri, args.directory], args))
    with steps.step("download", _("Download")) as step:
        digests = TransferPaths.below(target.settings.data_dir).digests
        directory = Path(args.directory).expanduser()
        progress = steps.progress("download")
        fetched = list(
            download_directory(target.storage_client, args.uri, directory, progress=progress, digests=digests)
        )
        for name in [each.name for each in fetched if is_risky(each.name)][:MOST_TOLD]:
            text = _("{name}: shells, git, editors or Python run files of such a name", name=name)
            if not name.isprintable():
                text = _("{name!r} has characters that are not seen, or drive a terminal", name=name)
            step.note(text, "warning")
        kept = sum(each.kept for each in fetched)
        step.done(_told(len(fetched) - kept, kept), fetched)
    context.face.show(fetched)
    return fetched


def _instead(args: argparse.Namespace, target: Target, context: Context) -> DownloadPlan | str:
    """What `--show` or `--dry-run` asks for."""
    from aip_magics.commands import show
    from aip_magics.storage import TransferPaths, plan_download

    digests = TransferPaths.below(target.settings.data_dir).digests
    found = plan_download(target.storage_client, args.uri, Path(args.directory).expanduser(), digests)
    result: DownloadPlan | str = found
    if args.show:
        names = tuple(name for _kind, name, _size in found.rows)
        fetch = show.Fetch(found.source.bucket, found.source.prefix, names, found.directory, all=found.all)
        result = show.equivalent(args.show, [fetch], target)
    context.face.show(result)
    return result


def _told(count: int, kept: int) -> str:
    if not kept:
        return _("{count} files fetched and checked", count=count)
    return _("{count} files fetched and checked, {kept} unchanged", count=count, kept=kept)


COMMAND = Command("pull", add_options, run, example="%aip_pull gs://my-bucket/iris/v1 ./export")
