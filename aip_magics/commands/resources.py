"""`describe`, `list`, `delete`: what is there, and no longer."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from aip_magics.client import Request, calls
from aip_magics.commands import show
from aip_magics.commands.common import options
from aip_magics.commands.common.command import Command, Context
from aip_magics.commands.logs import embedded
from aip_magics.errors import ApiError, OptionError
from aip_magics.events import StepFinished, StepStarted
from aip_magics.i18n import gettext as _
from aip_magics.resource_names import is_full
from aip_magics.spec import Model, Operation, Version
from aip_magics.targets import Target


@dataclasses.dataclass(frozen=True)
class Served:
    """A version and what the embedded server says of the Python that serves it: `python`, `libraries`."""

    version: Version
    runtime: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two versions of a model, side by side, with the runtimes that serve them where they are known."""

    left: Version
    right: Version
    left_runtime: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    right_runtime: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "versions": [self.left.to_json(), self.right.to_json()],
            "runtimes": [dict(self.left_runtime), dict(self.right_runtime)],
        }


Described = Model | Version | Operation | Comparison | Mapping[str, Any]


def add_describe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("version", nargs="?", metavar="VERSION", help=_("left out: the model itself"))
    parser.add_argument("--model", metavar="NAME", help=_("the model, or that of the version"))
    parser.add_argument("--operation", metavar="NAME", help=_("describe a long-running operation"))
    parser.add_argument(
        "--compare", metavar="VERSION", help=_("another version of the model, to stand beside this one")
    )
    parser.add_argument("--stats", action="store_true", help=_("of a version: requests, errors, latencies and nodes"))
    show.add_dry_run(parser)
    options.add_target(parser)
    options.add_output(parser)


def describe(args: argparse.Namespace, _body: str | None, context: Context) -> Described | show.DryRun | str:
    """The Version, Model or Operation as the service describes it; with `--stats` how a version is served.

    With `--compare` a Comparison.
    """
    _check_describe(args)
    target = context.target(args)
    instead = show.preview(args, context, target, _describe_calls(args, target))
    if instead is not None:
        return instead
    embedded(target, _("statistics")) if args.stats else target.connect()
    found = _described(args, target)
    context.face.show(Served(found, _runtime(target, found)) if isinstance(found, Version) else found)
    return found


def _check_describe(args: argparse.Namespace) -> None:
    if bool(args.operation) == bool(args.model) and not is_full(args.version):
        raise OptionError(_("a model or an operation is wanted"), where="--model", fix="%aip_describe v1 --model iris")
    for flag, given in (("--stats", args.stats), ("--compare", args.compare)):
        if given and not args.version:
            fix = f"%aip_describe v1 --model iris {flag}"
            raise OptionError(_("a version is wanted"), where=flag, fix=fix)


def _describe_calls(args: argparse.Namespace, target: Target) -> list[Request]:
    if args.operation:
        return [calls.get(calls.operation_name(target.project, args.operation))]
    if not args.version:
        return [calls.get(calls.model_name(target.project, args.model))]
    names = [calls.version_name(target.project, args.model, name) for name in _versions(args)]
    return [calls.version_stats(name) if args.stats else calls.get(name) for name in names]


def _versions(args: argparse.Namespace) -> list[str]:
    return [args.version, *([args.compare] if args.compare else [])]


def _described(args: argparse.Namespace, target: Target) -> Described:
    client = target.client
    if args.stats:
        return client.version_stats(args.model, args.version)
    if args.operation:
        return client.get_operation(args.operation)
    if not args.version:
        return client.get_model(args.model)
    versions = [client.get_version(args.model, name) for name in _versions(args)]
    if len(versions) == 1:
        return versions[0]
    left, right = versions
    return Comparison(left, right, _runtime(target, left), _runtime(target, right))


def _runtime(target: Target, version: Version) -> Mapping[str, Any]:
    """What serves the version; nothing where the target does not tell."""
    if target.kind == "local":
        with contextlib.suppress(ApiError):  # a version that is just being made or deleted
            return target.client.version_runtime("", version.name or "")
    return {}


def add_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="NAME", help=_("list its versions; left out: the models"))
    parser.add_argument("--operations", action="store_true", help=_("list the operations"))
    show.add_dry_run(parser)
    options.add_target(parser)
    options.add_output(parser)


def list_(
    args: argparse.Namespace, _body: str | None, context: Context
) -> Sequence[Model | Version | Operation] | show.DryRun | str:
    """The models, the versions of a model, or the operations: a list."""
    if args.model and args.operations:
        raise OptionError(_("versions or operations, not both"), where="--operations", fix=_("leave --model out"))
    target = context.target(args)
    project = target.project
    if args.operations:
        sent = calls.list_operations(project)
    else:
        model = calls.model_name(project, args.model) if args.model else ""
        sent = calls.list_versions(model) if model else calls.list_models(project)
    instead = show.preview(args, context, target, [sent])
    if instead is not None:
        return instead
    target.connect()
    found: Sequence[Model | Version | Operation]
    if args.operations:
        found = target.client.list_operations()
    else:
        found = target.client.list_versions(args.model) if args.model else target.client.list_models()
    context.face.show(found)
    return found


def add_delete(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("version", nargs="?", metavar="VERSION", help=_("left out: the model itself"))
    parser.add_argument("--model", required=True, metavar="NAME", help=_("the model, or that of the version"))
    parser.add_argument("--all-versions", action="store_true", help=_("delete the model with all its versions"))
    parser.add_argument("--yes", "-y", action="store_true", help=_("really delete; nothing is asked"))
    show.add_dry_run(parser)
    options.add_target(parser)
    options.add_output(parser)


def delete(args: argparse.Namespace, _body: str | None, context: Context) -> show.DryRun | str | None:
    """Delete a version, or a model without (or with all) its versions; waits until it is done."""
    target = context.target(args)
    model = calls.model_name(target.project, args.model)
    name = model
    if args.version is not None:  # an empty one is a mistake, and must not delete the model
        name = calls.version_name(target.project, args.model, args.version)
    what = (
        _("version {version} of model {model}", version=args.version, model=args.model)
        if args.version
        else _("model {model}", model=args.model)
    )
    asked_only = args.show or args.dry_run
    if not (args.yes or asked_only):
        raise OptionError(
            _("this would delete {what}", what=what), where="--yes", fix=_("add --yes to really delete it")
        )
    versions: list[Version] = []
    if args.all_versions and name == model:
        target.connect()  # which they are is asked for a dry run too
        # The default version can be deleted only as the last one.
        versions = sorted(target.client.list_versions(args.model), key=lambda version: bool(version.isDefault))
    names = [*(version.name or "" for version in versions), name]
    sent = [call for name in names for call in (calls.delete(name), show.Wait())]
    instead = show.preview(args, context, target, sent)
    if instead is not None:
        return instead
    target.connect()
    context.face.emit(StepStarted("delete", _("Delete {what}", what=what)))
    for name in names:
        version = name != model
        client = target.client
        client.wait(client.delete_version("", name) if version else client.delete_model(name))
    context.face.emit(StepFinished("delete", _("{what} is deleted", what=what)))
    return None


DESCRIBE = Command("describe", add_describe, describe, example="%aip_describe v2 --model iris --compare v1")
LIST = Command("list", add_list, list_, example="%aip_list --model iris")
DELETE = Command("delete", add_delete, delete, example="%aip_delete v1 --model iris --yes", changes=True)
