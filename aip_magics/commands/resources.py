"""`describe`, `list`: read models, versions and operations."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from aip_magics.commands import show
from aip_magics.commands.common import options
from aip_magics.commands.common.command import Command, Context
from aip_magics.commands.logs import require_embedded
from aip_magics.commands.operations import page_size, show_newest
from aip_magics.errors import ApiError, OptionError
from aip_magics.i18n import gettext as _
from aip_magics.resource_names import is_full
from aip_magics.spec import Model, Operation, Version
from aip_magics.targets import Capability, Target


@dataclasses.dataclass(frozen=True)
class Served:
    """A version with its runtime on the embedded server: `python`, `libraries`."""

    panel_kind: ClassVar[str] = "served"
    version: Version
    runtime: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two versions of a model side by side, with their runtimes if known."""

    panel_kind: ClassVar[str] = "comparison"
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
    parser.add_argument("version", nargs="?", metavar="VERSION", help=_("default: the model itself"))
    parser.add_argument("--model", metavar="NAME", help=_("the model, or the model of the version"))
    parser.add_argument("--operation", metavar="NAME", help=_("describe a long-running operation"))
    parser.add_argument("--compare", metavar="VERSION", help=_("another version of the model to compare with"))
    parser.add_argument(
        "--stats", action="store_true", help=_("show a version's requests, errors, latencies and nodes")
    )
    show.add_dry_run(parser)
    options.add_target(parser)
    options.add_output(parser)


def describe(args: argparse.Namespace, _body: str | None, context: Context) -> Described | show.DryRun | str:
    """Return the Version, Model or Operation; with `--stats` the statistics of a version.

    With `--compare` return a Comparison.
    """
    _check_describe_options(args)
    target = context.target(args)
    shown = show.preview(args, context, target, _describe_calls(args, target))
    if shown is not None:
        return shown
    require_embedded(target, _("statistics")) if args.stats else target.connect()
    result = _fetch_described(args, target)
    with_runtime = Served(result, _fetch_runtime(target, result)) if isinstance(result, Version) else result
    context.reporter.show(with_runtime)
    return result


def _check_describe_options(args: argparse.Namespace) -> None:
    if bool(args.operation) == bool(args.model) and not is_full(args.version):
        raise OptionError(
            _("a model or an operation is required"), where="--model", fix="%aip_describe v1 --model iris"
        )
    for flag, given in (("--stats", args.stats), ("--compare", args.compare)):
        if given and not args.version:
            fix = f"%aip_describe v1 --model iris {flag}"
            raise OptionError(_("a version is required"), where=flag, fix=fix)


def _describe_calls(args: argparse.Namespace, target: Target) -> Sequence[show.PlannedCall]:
    if args.operation:
        return target.plans.get_operation(args.operation)
    if not args.version:
        return target.plans.get_model(args.model)
    plan = target.plans.get_stats if args.stats else target.plans.get_version
    return [request for name in _version_names(args) for request in plan(args.model or "", name)]


def _version_names(args: argparse.Namespace) -> list[str]:
    return [args.version, *([args.compare] if args.compare else [])]


def _fetch_described(args: argparse.Namespace, target: Target) -> Described:
    client = target.client
    if args.stats:
        return client.version_stats(args.model, args.version)
    if args.operation:
        return client.get_operation(args.operation)
    if not args.version:
        return client.get_model(args.model)
    versions = [client.get_version(args.model, name) for name in _version_names(args)]
    if len(versions) == 1:
        return versions[0]
    left, right = versions
    return Comparison(left, right, _fetch_runtime(target, left), _fetch_runtime(target, right))


def _fetch_runtime(target: Target, version: Version) -> Mapping[str, Any]:
    """Fetch the runtime of the version; empty if the target does not tell."""
    if target.has(Capability.VERSION_LOGS):
        with contextlib.suppress(ApiError):  # the version is being created or deleted
            return target.client.version_runtime("", version.name or "")
    return {}


def add_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="NAME", help=_("list the versions of this model (default: list the models)"))
    parser.add_argument("--operations", action="store_true", help=_("list the operations"))
    show.add_dry_run(parser)
    options.add_target(parser)
    options.add_output(parser)


def list_(
    args: argparse.Namespace, _body: str | None, context: Context
) -> Sequence[Model | Version | Operation] | show.DryRun | str:
    """Return a list of the models, the versions of a model, or the newest operations."""
    if args.model and args.operations:
        raise OptionError(
            _("versions and operations cannot be listed together"), where="--operations", fix=_("remove --model")
        )
    target = context.target(args)
    if args.operations:
        planned = target.plans.list_operations(page_size(target))
    else:
        planned = target.plans.list_versions(args.model) if args.model else target.plans.list_models()
    shown = show.preview(args, context, target, planned)
    if shown is not None:
        return shown
    target.connect()
    if args.operations:
        return show_newest(target, context)
    resources: Sequence[Model | Version]
    resources = target.client.list_versions(args.model) if args.model else target.client.list_models()
    context.reporter.show(resources)
    if billed := target.billed(args.model or ""):
        context.reporter.show(billed)
    return resources


DESCRIBE = Command("describe", add_describe, describe, example="%aip_describe v2 --model iris --compare v1")
LIST = Command("list", add_list, list_, example="%aip_list --model iris")
