"""`create-model`, `create-version`: one call of the API each, as `gcloud ai-platform models|versions create`."""

from __future__ import annotations

import argparse
import dataclasses

from aip_magics.client import calls
from aip_magics.commands import show
from aip_magics.commands.common import options
from aip_magics.commands.common.cell_body import read_mapping, substitute
from aip_magics.commands.common.command import Command, Context
from aip_magics.commands.common.operation_wait import OperationTracker, add_waiting, operation_result
from aip_magics.commands.deploy import refuse_output_only, version_asked
from aip_magics.errors import OptionError
from aip_magics.events import StepFinished, StepStarted
from aip_magics.i18n import gettext as _
from aip_magics.spec import Model, Operation, Version


def add_create_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help=_("name of the model"))
    options.add_model(parser)
    show.add_dry_run(parser)
    options.add_target(parser)
    options.add_output(parser)


def create_model(args: argparse.Namespace, body: str | None, context: Context) -> Model | show.DryRun | str:
    """Make a Model resource and return it; the body of the cell has more of its fields. AlreadyExists where it is."""
    target = context.target(args)
    fields = substitute(read_mapping(body or ""), context.names)
    refuse_output_only(fields, Model)
    model = Model.from_json({"regions": [target.default_region], **fields, **options.model_fields(args)})
    instead = show.preview(args, context, target, [calls.create_model(target.project, model)])
    if instead is not None:
        return instead
    target.connect()
    context.face.emit(StepStarted("model", _("Create model {model}", model=model.id)))
    made = target.client.create_model(model)
    context.face.emit(StepFinished("model", _("{name} is made", name=made.name)))
    context.face.show(made)
    return made


def add_create_version(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("version", metavar="VERSION", help=_("name of the version"))
    parser.add_argument("--model", required=True, metavar="NAME", help=_("a model that is there"))
    options.add_version(parser)
    parser.add_argument("--config", metavar="FILE", help=_("YAML file with Version fields, as gcloud takes it"))
    add_waiting(parser)
    show.add_dry_run(parser)
    options.add_target(parser)
    options.add_output(parser)


def create_version(
    args: argparse.Namespace, body: str | None, context: Context
) -> Version | Operation | show.DryRun | str:
    """Make a Version of a model that lies in Cloud Storage, just as it is asked for: nothing is checked or derived.

    Returns the Version, or the Operation where it is not waited for. `deploy` is the command that does it all.
    """
    version = version_asked(args, body, context)
    if args.origin:
        version = dataclasses.replace(version, deploymentUri=args.origin)
    if not version.container and not (version.deploymentUri or "").startswith("gs://"):
        raise OptionError(
            _("a directory in Cloud Storage is wanted"),
            where="--origin",
            fix=_("%aip_upload DIR gs://BUCKET/DIRECTORY first; or %aip_deploy, which uploads by itself"),
        )
    target = context.target(args)
    model = calls.model_name(target.project, args.model)
    waited = [] if args.asynchronous else [show.Wait()]
    instead = show.preview(args, context, target, [calls.create_version(model, version), *waited])
    if instead is not None:
        return instead
    target.connect()
    watch = OperationTracker(args, context, target, "create-version")
    step = "version"
    watch.emit(StepStarted(step, _("Create version {version} of model {model}", version=version.id, model=args.model)))
    operation = target.client.create_version(args.model, version)
    watch.emit(StepFinished(step, _("{name} goes on", name=operation.name), operation))
    if args.asynchronous:
        watch.leave(operation)
        return operation
    operation = watch.wait(operation)
    if not operation.done:
        return operation
    value = operation_result(operation, target)
    context.face.show(value)
    return value


CREATE_MODEL = Command(
    "create-model", add_create_model, create_model, example="%aip_create_model iris --regions us-central1", changes=True
)
CREATE_VERSION = Command(
    "create-version",
    add_create_version,
    create_version,
    example="%aip_create_version v1 --model iris --origin gs://BUCKET/iris --runtime-version 2.11 --async",
    changes=True,
)
