"""`pull`: what lies in gs:// as files here; only what differs, checked, each file at once and whole."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from aip_magics.commands.common import options
from aip_magics.commands.common.command import Command, Context
from aip_magics.commands.common.transfer_steps import TransferSteps, connect_target, resume_command
from aip_magics.i18n import gettext as _

if TYPE_CHECKING:
    from aip_magics.storage import Fetched, PullPlan
    from aip_magics.targets import Target


MAX_LISTED = 20  # warnings of names


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("uri", metavar="gs://BUCKET/PATH", help=_("a directory or an object in Cloud Storage"))
    parser.add_argument("directory", metavar="DIR", help=_("where its files go; made where it is not there"))
    options.add_dry_run(parser, told=_("show what would be fetched, fetch nothing"))
    options.add_target(parser)
    options.add_output(parser)


def run(args: argparse.Namespace, _body: str | None, context: Context) -> list[Fetched] | PullPlan | str:
    """The files, a Fetched for each object; the PullPlan of a dry run, the text of `--show`.

    Both look at what is there, and fetch nothing. StorageError where there is nothing of that name.
    """
    from aip_magics.storage import is_risky, pull, transfers

    target = connect_target(args, context)
    if args.dry_run or args.show:
        return _instead(args, target, context)
    steps = TransferSteps(context.face.emit, resume_command("pull", [args.uri, args.directory], args))
    with steps.step("download", _("Download")) as step:
        digests = transfers(target.settings.data_dir).digests
        directory = Path(args.directory).expanduser()
        fetched = list(pull(target.store, args.uri, directory, progress=steps.progress("download"), digests=digests))
        for name in [each.name for each in fetched if is_risky(each.name)][:MAX_LISTED]:
            text = _("{name}: shells, git, editors or Python run files of such a name", name=name)
            if not name.isprintable():
                text = _("{name!r} has characters that are not seen, or drive a terminal", name=name)
            step.note(text, "warning")
        kept = sum(each.kept for each in fetched)
        step.done(_told(len(fetched) - kept, kept), fetched)
    context.face.show(fetched)
    return fetched


def _instead(args: argparse.Namespace, target: Target, context: Context) -> PullPlan | str:
    """What `--show` or `--dry-run` asks for."""
    from aip_magics.commands import show
    from aip_magics.storage import plan_pull, transfers

    digests = transfers(target.settings.data_dir).digests
    found = plan_pull(target.store, args.uri, Path(args.directory).expanduser(), digests)
    result: PullPlan | str = found
    if args.show:
        names = tuple(name for _kind, name, _size in found.rows)
        fetch = show.Download(found.source.bucket, found.source.prefix, names, found.directory, all=found.all)
        result = show.render_script(args.show, [fetch], target)
    context.face.show(result)
    return result


def _told(count: int, kept: int) -> str:
    if not kept:
        return _("{count} files fetched and checked", count=count)
    return _("{count} files fetched and checked, {kept} unchanged", count=count, kept=kept)


COMMAND = Command("pull", add_options, run, example="%aip_pull gs://my-bucket/iris/v1 ./export")
