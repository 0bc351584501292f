"""`traffic`, `promote`, `rollback`: show, split and move the traffic of a model between its versions."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from aip_magics.commands import show
from aip_magics.commands.common import options
from aip_magics.commands.common.command import Command, Context
from aip_magics.commands.common.model_choice import choose_model, given_model
from aip_magics.commands.common.traffic_change import Traffic, change_traffic, open_journal
from aip_magics.commands.common.traffic_split import ALL, check_versions, format_split, parse_split
from aip_magics.errors import NotFound, OptionError
from aip_magics.i18n import gettext as _
from aip_magics.targets import Capability, Target
from aip_magics.wording import join_names

PROMOTE_LINE = "%aip_promote v2 --model iris"
ROLLBACK_LINE = "%aip_rollback --model iris"
TrafficResult = Traffic | show.DryRun | str


def add_traffic(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help=_("the model"))
    parser.add_argument(
        "weights",
        nargs="*",
        metavar="VERSION=PERCENT",
        help=_("the new split, adding up to 100 (default: show the current one)"),
    )
    show.add_dry_run(parser)
    options.add_target(parser)
    options.add_output(parser)


def traffic(args: argparse.Namespace, _body: str | None, context: Context) -> TrafficResult:
    """Return the Traffic of a model: percent by version. With VERSION=PERCENT set it first.

    AI Platform and its compatible endpoints send all requests to the default version; there `v2=100` is `%aip_promote
    v2`, and a split is refused.
    """
    target = context.target(args)
    name = target.model_name(args.model, "MODEL")
    if not args.weights:
        shown = show.preview(args, context, target, target.plans.get_traffic(args.model))
        if shown is not None:
            return shown
        target.connect()
        found = Traffic(name, target.client.get_traffic(args.model))
        context.reporter.show(found)
        return found
    split = parse_split(args.weights, lambda version: _version_id(target, args.model, version))
    return _change(args, context, target, args.model, split)


def add_promote(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("version", metavar="VERSION", help=_("the version that gets all traffic"))
    _add_model(parser)


def promote(args: argparse.Namespace, _body: str | None, context: Context) -> TrafficResult:
    """Send all traffic of the model to the version and return the Traffic; `%aip_rollback` undoes it.

    On AI Platform this makes the version the default, as `%aip_set_default` does. That magic is the call of this API
    and returns the Version; `%aip_promote` works for every target, says what was before, and sends nothing if the
    version has all traffic already.
    """
    target = context.target(args)
    model = _model(args, target, PROMOTE_LINE, args.version)
    return _change(args, context, target, model, {_version_id(target, model, args.version): ALL})


def add_rollback(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)


def rollback(args: argparse.Namespace, _body: str | None, context: Context) -> TrafficResult:
    """Return the traffic of the model to where it went before, and return the Traffic.

    Before means: before the last change by `%aip_promote`, `%aip_traffic`, `%aip_set_default` or `%aip_rollback` of
    this user on this machine. A second rollback thus undoes the first. If another client has changed the traffic since,
    the split before that change is restored.
    """
    target = context.target(args)
    model = _model(args, target, ROLLBACK_LINE)
    current = names = None
    if not (args.show or args.dry_run):
        target.connect()
        current, names = target.client.get_traffic(model), _version_ids(target, model)
        if not names:
            text = _("no version of the model gets requests")
            raise NotFound(text, where="--model", fix=f"%aip_list --model {model}")
    entry = open_journal(target, model).find_before(current)
    if entry is None:
        version = next((name for name in names or () if name not in (current or ())), "VERSION")
        text = _("no earlier traffic of model {model} is known on this machine", model=model)
        raise OptionError(text, where="--model", fix=_("use {line}", line=f"%aip_promote {version} --model {model}"))
    if names is not None:
        _require_versions(names, model, entry.split)
    return _change(args, context, target, model, entry.split, names)


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="NAME", help=_("the model (default: the project's only model)"))
    show.add_dry_run(parser)
    options.add_target(parser)
    options.add_output(parser)


def _model(args: argparse.Namespace, target: Target, line: str, *versions: str) -> str:
    """Return the model of the line, or the project's only one; a preview, which sends nothing, cannot ask for it."""
    if given_model(args.model, *versions) is None:
        if args.show or args.dry_run:
            raise OptionError(_("a model name is required"), where="--model", fix=line)
        target.connect()
    return choose_model(target, args.model, line, *versions)


def _version_id(target: Target, model: str, version: str) -> str:
    """The ID of a version of the model, given by its ID or full name, as the target spells it."""
    given_model(model, version)  # refuses a version of another model
    return target.version_name(model, version).rpartition("/")[2]


def _version_ids(target: Target, model: str) -> list[str]:
    return [version.id for version in target.client.list_versions(model)]


def _change(
    args: argparse.Namespace,
    context: Context,
    target: Target,
    model: str,
    split: Mapping[str, int],
    names: Sequence[str] | None = None,
) -> TrafficResult:
    """Change the traffic, or preview the change. `names` are the model's versions if they are known already."""
    if len(split) > 1:
        fix = _("use {line}", line=f"%aip_promote {next(iter(split))} --model {model.rpartition('/')[2]}")
        target.require(Capability.TRAFFIC_SPLIT, where=format_split(split), fix=fix)
    shown = show.preview(args, context, target, lambda: target.plans.set_traffic(model, split))
    if shown is not None:
        return shown
    target.connect()
    names = _version_ids(target, model) if names is None else names
    check_versions(split, names, model.rpartition("/")[2])
    found = change_traffic(target, model, split)
    context.reporter.show(found)
    return found


def _require_versions(names: Sequence[str], model: str, split: Mapping[str, int]) -> None:
    """NotFound for a version that had traffic before and is deleted."""
    if gone := [version for version in split if version not in names]:
        text = _("version {version}, which had traffic before, no longer exists", version=gone[0])
        line = f"%aip_promote VERSION --model {model}"
        raise NotFound(
            text,
            where=f"{model}/{gone[0]}",
            fix=_("use {line} with one of {names}", line=line, names=join_names(names)),
        )


def _is_change(args: argparse.Namespace) -> bool:
    return bool(args.weights)


TRAFFIC = Command(
    "traffic", add_traffic, traffic, example="%aip_traffic iris v2=10 v1=90", changes=True, is_change=_is_change
)
PROMOTE = Command("promote", add_promote, promote, example=PROMOTE_LINE, changes=True)
ROLLBACK = Command("rollback", add_rollback, rollback, example=ROLLBACK_LINE, changes=True)
