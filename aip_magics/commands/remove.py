"""`remove`: delete objects in Cloud Storage, single ones or all below a directory, unless a version uses them."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from aip_magics.commands.common import options
from aip_magics.commands.common.command import Command, Context
from aip_magics.commands.common.transfer_steps import TransferSteps, connect_target, resume_command
from aip_magics.errors import OptionError
from aip_magics.i18n import gettext as _

if TYPE_CHECKING:
    from aip_magics.deploy.steps import Step
    from aip_magics.storage import Removal, RemovalPlan, RemovalUri
    from aip_magics.targets import Target


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "uris",
        nargs="+",
        metavar="gs://BUCKET/PATH",
        help=_("an object, or with a slash at the end all objects below a directory; no wildcards"),
    )
    parser.add_argument("--yes", "-y", action="store_true", help=_("delete without asking"))
    parser.add_argument(
        "--force", action="store_true", help=_("delete also what versions use, or all objects of a bucket")
    )
    options.add_dry_run(parser, help_text=_("list the objects and their sizes without deleting them"))
    options.add_target(parser)
    options.add_output(parser)


def run(args: argparse.Namespace, _body: str | None, context: Context) -> Removal | RemovalPlan | str:
    """Delete the objects and return a Removal; or the RemovalPlan of a dry run, or the text of `--show`.

    The latter two list the objects but delete nothing. An object that was replaced since it was listed is kept.
    What versions of the project use is kept, unless with `--force`; versions of other projects are not known.
    StorageError if no URI has an object.
    """
    from aip_magics.commands.common.removal_steps import remove_objects
    from aip_magics.render.panels.removal import objects_to_delete
    from aip_magics.storage import RemovalUri, plan_removal
    from aip_magics.wording import join_names

    uris = [RemovalUri.parse(text) for text in args.uris]
    if not (args.show or args.dry_run):
        _check_confirmed(args, uris)
    target = connect_target(args, context)
    resume_line = _resume_line(args)
    steps = TransferSteps(context.reporter.emit, resume_line)
    with steps.step("plan", _("List objects")) as step:
        plan = plan_removal(target.storage_client, uris)
        for missing in plan.missing:
            step.note(_("no objects found: {uri}", uri=missing), "warning")
        plan = dataclasses.replace(plan, used_by=_find_users(step, plan, args, target))
        step.done(objects_to_delete(plan), plan)
    if args.dry_run and not args.show:
        context.reporter.show(plan)
        return plan
    if plan.used_by:
        text = _("the objects are used by {versions}", versions=join_names(plan.used_by))
        fix = _("delete these versions first, or add --force")
        raise OptionError(text, where=", ".join(plan.uris), fix=fix)
    if args.show:
        return _show_script(args.show, uris, plan, target, context)
    removal = remove_objects(steps, target.storage_client, plan, resume_line)
    context.reporter.show(removal)
    return removal


def _check_confirmed(args: argparse.Namespace, uris: Sequence[RemovalUri]) -> None:
    for uri in uris:
        if uri.is_bucket and not args.force:
            text = _("the URI names all objects of the bucket")
            fix = _("use a directory such as {uri}DIRECTORY/, or add --force", uri=uri)
            raise OptionError(text, where=str(uri), fix=fix)
    if not args.yes:
        text = _("deleting {what} requires confirmation", what=", ".join(args.uris))
        raise OptionError(text, where="--yes", fix=_("add --yes to confirm, or --dry-run to list the objects"))


def _resume_line(args: argparse.Namespace) -> str:
    changes = "--dry-run" if args.dry_run else "--yes"
    mode = f"--show={args.show}" if args.show else changes
    return resume_command("remove", [*args.uris, mode, *(["--force"] if args.force else [])], args)


def _show_script(
    form: options.ScriptFormat, uris: Sequence[RemovalUri], plan: RemovalPlan, target: Target, context: Context
) -> str:
    from aip_magics.commands import show

    calls: list[show.PlannedCall] = []
    left = list(plan.objects)
    for uri in sorted(uris, key=lambda uri: not uri.is_directory):
        if objects := tuple(each for each in left if uri.names(each)):
            calls.append(show.Remove(objects, str(uri) if uri.is_directory else ""))
            left = [each for each in left if not uri.names(each)]
    script = show.render_script(form, calls, target)
    context.reporter.show(script)
    return script


def _find_users(step: Step, plan: RemovalPlan, args: argparse.Namespace, target: Target) -> tuple[str, ...]:
    """The versions that use objects of the plan; none with `--force`, which does not ask for them."""
    if args.force:
        return ()
    settings = target.settings
    if settings.storage_endpoint and not settings.endpoint:
        step.note(_("versions that use the objects are unknown: --endpoint is not set"), "warning")
        return ()
    from aip_magics.commands.common.removal_steps import list_versions_of
    from aip_magics.deploy.version_artifacts import ArtifactUsers

    users = ArtifactUsers(list_versions_of(target))
    return tuple(sorted({label for each in plan.objects for label in users.find(each.uri)}))


COMMAND = Command(
    "remove",
    add_options,
    run,
    example="%aip_remove gs://my-bucket/iris/v1/ --dry-run",
    changes=True,
    failed=lambda value: bool(getattr(value, "replaced", ())),
)
