"""`update`, `set-default`: change an existing model or version."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aip_magics.commands import show
from aip_magics.commands.common import options
from aip_magics.commands.common.cell_body import read_mapping, substitute
from aip_magics.commands.common.command import Command, Context
from aip_magics.commands.common.traffic_change import recorded_change
from aip_magics.commands.common.traffic_split import ALL
from aip_magics.commands.deploy import read_config
from aip_magics.errors import FieldError, OptionError
from aip_magics.events import StepFinished, StepStarted
from aip_magics.i18n import gettext as _
from aip_magics.resource_names import is_full
from aip_magics.spec import Model, Version, nearest
from aip_magics.targets import Target

# Fields that the API can update (discovery document ml v1, models.patch and versions.patch).
MODEL_FIELDS = ("description", "labels")
VERSION_FIELDS = ("description", "labels", "manualScaling", "autoScaling", "requestLoggingConfig")


def add_update(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("version", nargs="?", metavar="VERSION", help=_("default: the model itself"))
    parser.add_argument("--model", required=True, metavar="NAME", help=_("the model, or the model of the version"))
    parser.add_argument("--description", help=_("'' removes it"))
    labels = parser.add_argument_group(_("labels"))
    labels.add_argument("--update-labels", type=options.pairs, metavar="K=V,…", help=_("labels to add or change"))
    labels.add_argument("--remove-labels", type=options.split_commas, metavar="K,…", help=_("labels to remove"))
    labels.add_argument("--clear-labels", action="store_true", help=_("remove all labels (before --update-labels)"))
    nodes = parser.add_argument_group(_("options for versions"))
    nodes.add_argument("--nodes", type=int, metavar="N", help=_("number of nodes (manual scaling)"))
    options.add_nodes(nodes)
    options.add_request_logging(nodes)
    nodes.add_argument("--config", metavar="FILE", help=_("YAML file with the fields, as in gcloud"))
    show.add_dry_run(parser)
    options.add_target(parser)
    options.add_output(parser)


def update(args: argparse.Namespace, body: str | None, context: Context) -> Model | Version | show.DryRun | str:
    """Change a version or a model by options or by fields in the cell, and return the changed resource."""
    fields = _read_changes(args, body, context)
    target = context.target(args)
    if args.update_labels or args.remove_labels or args.clear_labels:
        fields["labels"] = _labels(args, target)
    if not fields:
        raise OptionError(_("no changes were given"), where="update", fix="--description, --update-labels …")
    # Parse the fields as their resource to find mistakes before a request is sent.
    resource = (Version if args.version else Model).from_json(fields)
    changes, mask = resource.to_json(), list(_mask(fields))
    name = target.version_name(args.model, args.version) if args.version is not None else target.model_name(args.model)
    shown = show.preview(args, context, target, lambda: _planned(args, target, changes, mask))
    if shown is not None:
        return shown
    target.connect()
    client = target.client
    context.reporter.emit(StepStarted("update", _("Update {name}", name=name)))
    if args.version:
        client.wait(client.update_version(args.model, args.version, changes, mask))
    else:
        client.wait(client.update_model(args.model, changes, mask))
    context.reporter.emit(StepFinished("update", _("changed: {fields}", fields=", ".join(mask))))
    found = client.get_version(args.model, args.version) if args.version else client.get_model(args.model)
    context.reporter.show(found)
    return found


def _planned(
    args: argparse.Namespace, target: Target, changes: Mapping[str, Any], mask: Sequence[str]
) -> Sequence[show.PlannedCall]:
    if args.version is not None:
        return target.plans.update_version(args.model, args.version, changes, mask)
    return target.plans.update_model(args.model, changes, mask)


def _read_changes(args: argparse.Namespace, body: str | None, context: Context) -> dict[str, Any]:
    """Read the fields to change: options override the cell, the cell overrides the file of `--config`."""
    fields = {**read_config(args.config), **substitute(read_mapping(body or ""), context.names)}
    line = dict(_option_fields(args))
    if {"autoScaling", "manualScaling"} <= line.keys():
        text = _("manual and automatic scaling cannot be combined")
        raise OptionError(text, where="--nodes", fix=_("remove --nodes, or --min-nodes and --max-nodes"))
    fields.update(line)
    allowed = VERSION_FIELDS if args.version else MODEL_FIELDS
    for name in fields:
        if name not in allowed:
            kind = "version" if args.version else "model"
            fix = nearest(str(name), list(allowed)) or _("use one of {names}", names=", ".join(allowed))
            raise FieldError(_("{field} cannot be changed", field=name), where=f"{kind}.{name}", fix=fix)
    return fields


def _option_fields(args: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    """Yield the fields that the options change."""
    if args.description is not None:
        yield "description", args.description
    if args.nodes is not None:
        yield "manualScaling", {"nodes": args.nodes}
    counts = {"minNodes": args.min_nodes, "maxNodes": args.max_nodes}
    if given := {name: count for name, count in counts.items() if count is not None}:
        yield "autoScaling", given
    yield from options.request_logging(args).items()


def _labels(args: argparse.Namespace, target: Target) -> dict[str, str]:
    """Build the complete new labels. The API replaces the whole map, so the current labels are fetched first."""
    current: Mapping[str, str] = {}
    if not args.clear_labels:
        target.connect()
        client = target.client
        resource = client.get_version(args.model, args.version) if args.version else client.get_model(args.model)
        current = resource.labels or {}
    removed = set(args.remove_labels or ())
    return {**{key: value for key, value in current.items() if key not in removed}, **(args.update_labels or {})}


def _mask(fields: Mapping[str, Any]) -> Iterator[str]:
    """Yield the field mask as gcloud sends it: the subfields of node counts, otherwise whole fields."""
    for name, value in fields.items():
        if name in ("autoScaling", "manualScaling") and isinstance(value, Mapping) and value:
            yield from (f"{name}.{part}" for part in value)
        else:
            yield name


def add_set_default(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("version", metavar="VERSION", help=_("version to make the default"))
    parser.add_argument("--model", metavar="NAME", help=_("the model of the version"))
    show.add_dry_run(parser)
    options.add_target(parser)
    options.add_output(parser)


def set_default(args: argparse.Namespace, _body: str | None, context: Context) -> Version | show.DryRun | str:
    """Make a READY version the default of its model, and return it. `%aip_rollback` undoes this.

    The call setDefault of AI Platform's API; `%aip_promote` is the same for every target and shows what was before.
    """
    if not args.model and not is_full(args.version):
        raise OptionError(_("a model name is required"), where="--model", fix="%aip_set_default v2 --model iris")
    target = context.target(args)
    name = target.version_name(args.model or "", args.version)
    shown = show.preview(args, context, target, lambda: target.plans.set_default("", name))
    if shown is not None:
        return shown
    target.connect()
    with recorded_change(target, name.rpartition("/versions/")[0]) as change:
        found = target.client.set_default("", name)
        change.after = {found.id: ALL}  # on Vertex AI, the name may be a number
    context.reporter.show(found)
    return found


UPDATE = Command(
    "update", add_update, update, example="%aip_update v1 --model iris --update-labels stage=live", changes=True
)
SET_DEFAULT = Command(
    "set-default", add_set_default, set_default, example="%aip_set_default v2 --model iris", changes=True
)
