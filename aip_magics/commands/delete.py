"""`delete`: delete a version or a model, and with `--artifacts` what its deployment uploaded."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING

from aip_magics.commands import show
from aip_magics.commands.common import options
from aip_magics.commands.common.command import Command, Context
from aip_magics.commands.common.transfer_steps import TransferSteps, resume_command
from aip_magics.errors import AipError, Interrupted, OptionError
from aip_magics.events import StepFinished, StepStarted
from aip_magics.i18n import gettext as _
from aip_magics.i18n import ngettext
from aip_magics.spec import Version

if TYPE_CHECKING:
    from aip_magics.deploy.version_artifacts import ArtifactPlan
    from aip_magics.storage import Removal
    from aip_magics.targets import Target


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("version", nargs="?", metavar="VERSION", help=_("default: the model itself"))
    parser.add_argument("--model", required=True, metavar="NAME", help=_("the model, or the model of the version"))
    parser.add_argument("--all-versions", action="store_true", help=_("delete the model with all its versions"))
    parser.add_argument(
        "--artifacts",
        action="store_true",
        help=_("delete also the objects that deploying uploaded, unless another version uses them"),
    )
    parser.add_argument("--yes", "-y", action="store_true", help=_("delete without asking"))
    show.add_dry_run(parser)
    options.add_target(parser)
    options.add_output(parser)


def run(args: argparse.Namespace, _body: str | None, context: Context) -> show.DryRun | Removal | str | None:
    """Delete a version, or a model without versions (or with all of them), and wait until this is done.

    With `--artifacts` also delete the objects below `gs://BUCKET/MODEL/VERSION/` that are the version's deploymentUri,
    and its packages at `gs://BUCKET/packages/`, and return a Removal. What another version uses is kept, and so is
    every other deploymentUri: its objects are your own, `%aip_remove` deletes them.
    """
    target = context.target(args)
    model = target.model_name(args.model)
    name = model
    if args.version is not None:  # an empty VERSION is a mistake and must not delete the model
        name = target.version_name(args.model, args.version)
    what = (
        _("version {version} of model {model}", version=args.version, model=args.model)
        if args.version
        else _("model {model}", model=args.model)
    )
    confirmed = args.yes or args.show or args.dry_run
    if not confirmed and not args.artifacts:
        raise OptionError(
            _("deleting {what} requires confirmation", what=what), where="--yes", fix=_("add --yes to confirm")
        )
    versions: list[Version] = []
    if args.all_versions and name == model:
        target.connect()  # a dry run too has to list the versions
        # The default version must be deleted last.
        versions = sorted(target.client.list_versions(args.model), key=lambda version: bool(version.isDefault))
    artifacts = _Artifacts(args, context, target, name, versions) if args.artifacts else None
    if artifacts and not confirmed:
        raise artifacts.confirmation(what)
    names = [*(version.name or "" for version in versions), name]

    def plan() -> list[show.PlannedCall]:
        objects = [show.Remove(artifacts.plan.removal.objects)] if artifacts else []
        if name != model:
            return [*target.plans.delete_version("", name), *objects]
        return [*target.plans.delete_model(name, [version.name or "" for version in versions]), *objects]

    shown = show.preview(args, context, target, plan)
    if shown is not None:
        return artifacts.preview(shown) if artifacts and isinstance(shown, show.DryRun) else shown
    target.connect()
    try:
        context.reporter.emit(StepStarted("delete", _("Delete {what}", what=what)))
        for number, name in enumerate(names):
            client = target.client
            try:
                client.wait(client.delete_model(name) if name == model else client.delete_version("", name))
            except AipError as error:
                if number and artifacts and artifacts.plan.removal.objects:
                    error.fix = artifacts.fix_of_remaining()  # this command lists deleted versions no more
                raise
        context.reporter.emit(StepFinished("delete", _("deleted {what}", what=what)))
        return artifacts.remove() if artifacts else None
    except KeyboardInterrupt:
        if artifacts and artifacts.plan.removal.objects:
            raise artifacts.interrupted() from None
        raise


class _Artifacts:
    """The objects that are deleted with versions: planned before the versions are deleted, removed afterwards."""

    def __init__(
        self, args: argparse.Namespace, context: Context, target: Target, name: str, versions: list[Version]
    ) -> None:
        from aip_magics.deploy.version_artifacts import list_all_versions, plan_artifacts
        from aip_magics.render.panels.removal import objects_to_delete

        target.connect()
        self._args = args
        self._context = context
        self._target = target
        self._versions = versions or ([target.client.get_version("", name)] if args.version else [])
        with TransferSteps(context.reporter.emit, self._repeat_line()).step("artifacts", _("List objects")) as step:
            self.plan: ArtifactPlan = plan_artifacts(target, self._versions, list_all_versions(target))
            for uri in self.plan.foreign:
                step.note(_("kept: {uri} (not uploaded by deploying); %aip_remove deletes it", uri=uri))
            for uri, labels in self.plan.used:
                step.note(_("kept: {uri} (used by {versions})", uri=uri, versions=", ".join(labels)))
            step.done(objects_to_delete(self.plan.removal), self.plan.removal)

    def confirmation(self, what: str) -> OptionError:
        """The error that asks for `--yes` and names the objects."""
        from aip_magics.wording import join_names

        removal = self.plan.removal
        text = _("deleting {what} requires confirmation", what=what)
        if removal.objects:
            text = ngettext(
                "deleting {what} and {number} object requires confirmation: {uris}",
                "deleting {what} and {number} objects requires confirmation: {uris}",
                len(removal.objects),
                what=what,
                uris=join_names(each.uri for each in removal.objects),
            )
        return OptionError(text, where="--yes", fix=_("add --yes to confirm"))

    def preview(self, shown: show.DryRun) -> show.DryRun:
        """Show the objects of a dry run below its requests."""
        self._context.reporter.show(self.plan.removal)
        return dataclasses.replace(shown, removal=self.plan.removal)

    def remove(self) -> Removal:
        """Delete the objects that no version uses now."""
        from aip_magics.commands.common.removal_steps import remove_objects
        from aip_magics.deploy.version_artifacts import keep_used, list_all_versions
        from aip_magics.render.panels.removal import objects_to_delete
        from aip_magics.storage import Removal

        if not self.plan.removal.objects:
            return Removal(self.plan.removal.uris, ())
        # The versions are gone, so that this command cannot be repeated.
        line = self._remove_line()
        steps = TransferSteps(self._context.reporter.emit, line)
        try:
            with steps.step("artifacts", _("List objects")) as step:
                # A version may have been created since, also one with the name of a deleted version.
                plan = keep_used(self.plan, (), list_all_versions(self._target)).removal
                step.done(objects_to_delete(plan), plan)
            removal = remove_objects(steps, self._target.storage_client, plan, line)
        except Interrupted:
            raise
        except AipError as error:
            error.fix = _("run {line} to delete the rest", line=line)
            raise
        self._context.reporter.show(removal)
        return removal

    def interrupted(self) -> Interrupted:
        """The error for an interrupt after which versions may be deleted and their objects are not."""
        text = _("interrupted by the user; the uploaded objects remain")
        return Interrupted(text, where="--artifacts", fix=self.fix_of_remaining())

    def fix_of_remaining(self) -> str:
        """The fix of an error after which versions may be deleted and their objects are not."""
        return _("run {line} once the versions are deleted", line=self._remove_line())

    def _repeat_line(self) -> str:
        given = vars(self._args)
        arguments = [*([self._args.version] if self._args.version else []), f"--model={self._args.model}"]
        flags = ("all-versions", "artifacts", "yes", "dry-run")
        arguments += [f"--{name}" for name in flags if given[name.replace("-", "_")]]
        arguments += [f"--show={self._args.show}"] if self._args.show else []
        return resume_command("delete", arguments, self._args)

    def _remove_line(self) -> str:
        return resume_command("remove", [*self.plan.removal.uris, "--yes"], self._args)


COMMAND = Command("delete", add_options, run, example="%aip_delete v1 --model iris --yes", changes=True)
