"""`update`, `set-default`: what can be changed of a model or version that is there."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from aip_magics.client import calls
from aip_magics.commands import show
from aip_magics.commands.common import options
from aip_magics.commands.common.cell_body import read_mapping, substitute
from aip_magics.commands.common.command import Command, Context
from aip_magics.commands.deploy import read_config
from aip_magics.errors import FieldError, OptionError
from aip_magics.events import StepFinished, StepStarted
from aip_magics.i18n import gettext as _
from aip_magics.resource_names import is_full
from aip_magics.spec import Model, Version, nearest
from aip_magics.targets import Target

# What the API lets change (discovery document ml v1, models.patch and versions.patch).
OF_MODEL = ("description", "labels")
OF_VERSION = ("description", "labels", "manualScaling", "autoScaling", "requestLoggingConfig")


def add_update(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("version", nargs="?", metavar="VERSION", help=_("left out: the model itself"))
    parser.add_argument("--model", required=True, metavar="NAME", help=_("the model, or that of the version"))
    parser.add_argument("--description", help=_("'' takes it away"))
    labels = parser.add_argument_group(_("labels"))
    labels.add_argument("--update-labels", type=options.pairs, metavar="K=V,…", help=_("add or change these"))
    labels.add_argument("--remove-labels", type=options.split_commas, metavar="K,…", help=_("take these away"))
    labels.add_argument("--clear-labels", action="store_true", help=_("take all away (before --update-labels)"))
    nodes = parser.add_argument_group(_("of a version"))
    nodes.add_argument("--nodes", type=int, metavar="N", help=_("manual scaling: so many nodes"))
    options.add_nodes(nodes)
    options.add_request_logging(nodes)
    nodes.add_argument("--config", metavar="FILE", help=_("YAML file with the fields, as gcloud takes it"))
    show.add_dry_run(parser)
    options.add_target(parser)
    options.add_output(parser)


def update(args: argparse.Namespace, body: str | None, context: Context) -> Model | Version | show.DryRun | str:
    """Change a version or a model, by flags or by fields in the cell, and return it as it is then."""
    fields = _asked(args, body, context)
    target = context.target(args)
    if args.update_labels or args.remove_labels or args.clear_labels:
        fields["labels"] = _labels(args, target)
    if not fields:
        raise OptionError(_("nothing to change was given"), where="update", fix="--description, --update-labels …")
    # Read as the resource they are part of: a mistake is found before it is sent.
    resource = (Version if args.version else Model).from_json(fields)
    sent, mask = resource.to_json(), list(_mask(fields))
    name = calls.model_name(target.project, args.model)
    if args.version is not None:
        name = calls.version_name(target.project, args.model, args.version)
    instead = show.preview(args, context, target, [calls.patch(name, sent, mask), show.Wait()])
    if instead is not None:
        return instead
    target.connect()
    client = target.client
    context.face.emit(StepStarted("update", _("Update {name}", name=name)))
    if args.version:
        client.wait(client.update_version(args.model, args.version, sent, mask))
    else:
        client.wait(client.update_model(args.model, sent, mask))
    context.face.emit(StepFinished("update", _("changed: {fields}", fields=", ".join(mask))))
    found = client.get_version(args.model, args.version) if args.version else client.get_model(args.model)
    context.face.show(found)
    return found


def _asked(args: argparse.Namespace, body: str | None, context: Context) -> dict[str, Any]:
    """The fields to change: the line wins over the cell, the cell over `--config`'s file."""
    fields = {**read_config(args.config), **substitute(read_mapping(body or ""), context.names)}
    line = dict(_line(args))
    if {"autoScaling", "manualScaling"} <= line.keys():
        text = _("a version scales by hand or by itself, not both")
        raise OptionError(text, where="--nodes", fix=_("leave --nodes or --min-nodes and --max-nodes out"))
    fields.update(line)
    allowed = OF_VERSION if args.version else OF_MODEL
    for name in fields:
        if name not in allowed:
            kind = "version" if args.version else "model"
            fix = nearest(str(name), list(allowed)) or _("one of {names}", names=", ".join(allowed))
            raise FieldError(_("{field} cannot be changed", field=name), where=f"{kind}.{name}", fix=fix)
    return fields


def _line(args: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    if args.description is not None:
        yield "description", args.description
    if args.nodes is not None:
        yield "manualScaling", {"nodes": args.nodes}
    counts = {"minNodes": args.min_nodes, "maxNodes": args.max_nodes}
    if given := {name: count for name, count in counts.items() if count is not None}:
        yield "autoScaling", given
    yield from options.request_logging(args).items()


def _labels(args: argparse.Namespace, target: Target) -> dict[str, str]:
    """All labels as they are to be: the API replaces the whole map, so what is there is asked for first."""
    there: Mapping[str, str] = {}
    if not args.clear_labels:
        target.connect()
        client = target.client
        found = client.get_version(args.model, args.version) if args.version else client.get_model(args.model)
        there = found.labels or {}
    gone = set(args.remove_labels or ())
    return {**{key: value for key, value in there.items() if key not in gone}, **(args.update_labels or {})}


def _mask(fields: Mapping[str, Any]) -> Iterator[str]:
    """The update mask, as gcloud sends it: single counts of the nodes, else whole fields."""
    for name, value in fields.items():
        if name in ("autoScaling", "manualScaling") and isinstance(value, Mapping) and value:
            yield from (f"{name}.{part}" for part in value)
        else:
            yield name


def add_set_default(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("version", metavar="VERSION", help=_("the version that answers for the model from now on"))
    parser.add_argument("--model", metavar="NAME", help=_("the model of the version"))
    show.add_dry_run(parser)
    options.add_target(parser)
    options.add_output(parser)


def set_default(args: argparse.Namespace, _body: str | None, context: Context) -> Version | show.DryRun | str:
    """Make a READY version the model's default one, and return it."""
    if not args.model and not is_full(args.version):
        raise OptionError(_("a model is wanted"), where="--model", fix="%aip_set_default v2 --model iris")
    target = context.target(args)
    name = calls.version_name(target.project, args.model or "", args.version)
    instead = show.preview(args, context, target, [calls.set_default(name)])
    if instead is not None:
        return instead
    target.connect()
    found = target.client.set_default("", name)
    context.face.show(found)
    return found


UPDATE = Command(
    "update", add_update, update, example="%aip_update v1 --model iris --update-labels stage=live", changes=True
)
SET_DEFAULT = Command(
    "set-default", add_set_default, set_default, example="%aip_set_default v2 --model iris", changes=True
)
