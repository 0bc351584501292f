"""`create-model`, `create-version`: one API request each, as `gcloud ai-platform models|versions create`."""

from __future__ import annotations

import argparse
import dataclasses

from aip_magics.commands import show
from aip_magics.commands.common import options
from aip_magics.commands.common.cell_body import read_mapping, substitute
from aip_magics.commands.common.command import Command, Context
from aip_magics.commands.common.operation_wait import OperationTracker, add_waiting, operation_result
from aip_magics.commands.deploy import build_requested_version, refuse_output_only
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
    """Create a Model and return it. The body of the cell may set more fields. AlreadyExists if the name is in use."""
    target = context.target(args)
    fields = substitute(read_mapping(body or ""), context.names)
    refuse_output_only(fields, Model)
    model = Model.from_json({"regions": [target.default_region], **fields, **options.model_fields(args)})
    shown = show.preview(args, context, target, target.plans.create_model(model))
    if shown is not None:
        return shown
    target.connect()
    context.reporter.emit(StepStarted("model", _("Create model {model}", model=model.id)))
    created = target.client.create_model(model)
    context.reporter.emit(StepFinished("model", _("created {name}", name=created.name)))
    context.reporter.show(created)
    return created


def add_create_version(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("version", metavar="VERSION", help=_("name of the version"))
    parser.add_argument("--model", required=True, metavar="NAME", help=_("an existing model"))
    options.add_version(parser)
    parser.add_argument("--config", metavar="FILE", help=_("YAML file with Version fields, as in gcloud"))
    add_waiting(parser)
    show.add_dry_run(parser)
    options.add_target(parser)
    options.add_output(parser)


def create_version(
    args: argparse.Namespace, body: str | None, context: Context
) -> Version | Operation | show.DryRun | str:
    """Create a Version from a model in Cloud Storage, exactly as requested, without checks or defaults.

    Return the Version, or the Operation with `--async`. `deploy` also checks, uploads and chooses defaults.
    """
    version = build_requested_version(args, body, context)
    if args.origin:
        version = dataclasses.replace(version, deploymentUri=args.origin)
    if not version.container and not (version.deploymentUri or "").startswith("gs://"):
        raise OptionError(
            _("expected a Cloud Storage directory"),
            where="--origin",
            fix=_("run %aip_upload DIR gs://BUCKET/DIRECTORY first, or use %aip_deploy, which uploads the model"),
        )
    target = context.target(args)
    wait = [] if args.asynchronous else [show.Wait()]
    shown = show.preview(args, context, target, [*target.plans.create_version(args.model, version), *wait])
    if shown is not None:
        return shown
    target.connect()
    tracker = OperationTracker(args, context, target, "create-version")
    step = "version"
    tracker.emit(
        StepStarted(step, _("Create version {version} of model {model}", version=version.id, model=args.model))
    )
    operation = target.client.create_version(args.model, version)
    tracker.emit(StepFinished(step, _("{name} is running", name=operation.name), operation))
    if args.asynchronous:
        tracker.leave(operation)
        return operation
    operation = tracker.wait(operation)
    if not operation.done:
        return operation
    value = operation_result(operation, target)
    context.reporter.show(value)
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
