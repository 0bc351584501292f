"""`deploy`: deploy a model directory as a READY version with one command."""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aip_magics import deploy
from aip_magics.commands import show
from aip_magics.commands.common import options
from aip_magics.commands.common.cell_body import read_mapping, reading_value, substitute
from aip_magics.commands.common.command import Command, Context
from aip_magics.commands.common.instances import from_value
from aip_magics.commands.common.model_inputs import deployment_inputs
from aip_magics.commands.common.model_source import is_in_memory, package_names, resolve_origin
from aip_magics.commands.common.operation_wait import OperationTracker, add_waiting
from aip_magics.deploy import Deployment, Plan
from aip_magics.errors import AipError, ChecksFailed, FieldError, OperationFailed, OptionError
from aip_magics.events import Failed
from aip_magics.i18n import gettext as _
from aip_magics.spec import Model, Operation, Version
from aip_magics.targets import Capability, Target

Deployed = Version | Operation | Plan | str | None


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "version", nargs="?", metavar="VERSION", help=_("name of the version (default: the next free name)")
    )
    run = add_deployment(parser)
    run.add_argument("--replace", action="store_true", help=_("replace a different version of the same name"))
    run.add_argument(
        "--try",
        dest="force_trial",
        action="store_true",
        help=_("run the local trial even if nothing has changed since the last one passed"),
    )
    run.add_argument("--dry-run", action="store_true", help=_("show the plan and the requests without sending them"))
    add_waiting(parser)
    show.add_dry_run(parser, dry_run=False)
    options.add_target(parser)
    options.add_output(parser)


def add_deployment(parser: argparse.ArgumentParser) -> Any:
    """Add the options that say what to deploy; return the group of options that say how."""
    parser.add_argument("--model", metavar="NAME", help=_("model resource (default: name of the directory)"))
    options.add_version(parser)
    options.add_request_logging(parser.add_argument_group(_("request logging")))
    options.add_model(parser, prefix="--model-")
    run = parser.add_argument_group(_("run"))
    run.add_argument("--config", metavar="FILE", help=_("YAML file with Version fields, as in gcloud"))
    options.add_include(run)
    run.add_argument("--skip", action="append", default=[], metavar="CHECK", help=_("skip this check"))
    run.add_argument("--strict", action="store_true", help=_("treat warnings of the checks as errors"))
    options.add_env(run)
    options.add_trust(run)
    return run


def run(args: argparse.Namespace, body: str | None, context: Context) -> Deployed:
    """Deploy and return the Version, the Operation with `--async`, or the Plan of a dry run.

    With `--show` return a script that sends the same requests. Beside the fields of the Version, the cell accepts
    `test:`, the test instances, and `model:`, the fields of a Model that does not exist yet (description, labels,
    logging).
    """
    return perform(build_deployment(args, body, context), args, context)


def perform(deployment: Deployment, args: argparse.Namespace, context: Context) -> Deployed:
    """Deploy a deployment that is already built. `args` choose the target and how to run."""
    target = context.target(args)
    if args.show or args.dry_run:
        return _preview(deployment, args, context, target)
    tracker = OperationTracker(args, context, target, "deploy")
    try:
        result = deploy.run(deployment, target, tracker.emit, wait=not args.asynchronous)
    except OperationFailed as error:
        _add_version_state(error, target)
        raise
    if tracker.cancelled:
        raise tracker.cancelled
    if args.asynchronous and result.operation is not None:
        tracker.leave(result.operation)
    if result.version is None:
        return result.operation
    context.reporter.show(result.version)
    if result.online is not None:
        context.reporter.show(result.online)
    return result.version


def _preview(deployment: Deployment, args: argparse.Namespace, context: Context, target: Target) -> deploy.Plan | str:
    """Return the plan of `--dry-run` or the script of `--show`. No request is sent."""
    if args.show and deployment.env != "current" and target.has(Capability.OWN_PYTHON):
        raise OptionError(
            _("--show is not available with --env, whose environment is built by the deployment"),
            where="--show",
            fix=_("use --dry-run, or omit --env"),
        )
    try:
        plan = deploy.dry_run(deployment, target)
    except ChecksFailed as error:
        context.reporter.emit(Failed("checks", error))  # a notebook then shows all findings, as in a real run
        raise
    result: deploy.Plan | str = plan
    if args.show:
        calls = show.deployment_calls(plan, target, deployment.test, wait=not args.asynchronous)
        result = show.render_script(args.show, calls, target)
    context.reporter.show(result)
    return result


def build_deployment(
    args: argparse.Namespace, body: str | None, context: Context, *, complete: bool = True
) -> Deployment:
    """Build the requested deployment. Options override the cell, the cell overrides the file of `--config`.

    Only with `complete` is a missing directory an error; otherwise the origin is empty.
    """
    fields = _read_fields(args, body, context)
    test = fields.pop("test", None)
    model = fields.pop("model", None)
    origin_in_cell = fields.pop("deploymentUri", None)
    origin = resolve_origin(args.origin or origin_in_cell, args, context)
    if complete and not origin:
        raise OptionError(_("the model's directory is missing"), where="--origin", fix=_("add --origin DIR"))
    version = _with_line({**fields, **options.request_logging(args)}, args, context)
    if test is not None:
        with reading_value(_("a value in the cell"), "test"):
            test = from_value(test, "test", deployment_inputs(origin or "", version, args, context))
    return Deployment(
        origin=origin or "",
        model=_model(model, args),
        version=version,
        staging_bucket=args.staging_bucket,
        test=test,
        include=tuple(args.include),
        replace=args.replace,
        skip=frozenset(args.skip),
        strict=args.strict,
        trust=args.trust or is_in_memory(args.origin or origin_in_cell, context),
        env=args.env,
        force_trial=args.force_trial,
    )


def build_requested_version(args: argparse.Namespace, body: str | None, context: Context) -> Version:
    """Build the Version from options, cell and `--config`, without defaults."""
    return _with_line(_read_fields(args, body, context), args, context)


def _read_fields(args: argparse.Namespace, body: str | None, context: Context) -> dict[str, Any]:
    """Read the fields of the cell and of the file of `--config`; the cell overrides the file."""
    fields = {**read_config(args.config), **substitute(read_mapping(body or ""), context.names)}
    refuse_output_only(fields, Version)
    return fields


def refuse_output_only(fields: Mapping[str, Any], resource: type[Model | Version]) -> None:
    """Raise FieldError for a field that the service sets."""
    for name in sorted(resource.OUTPUT_ONLY & fields.keys()):
        where = f"{resource.__name__.lower()}.{name}"
        raise FieldError(_("{field} is set by the service", field=name), where=where, fix=_("remove the field"))


def _model(given: Any, args: argparse.Namespace) -> Model:
    """Build the Model from `model:` in the cell and the options; a string in the cell is the name."""
    fields = {"name": given} if isinstance(given, str) else {} if given is None else given
    if isinstance(fields, Mapping):
        refuse_output_only(fields, Model)
        if "regions" in fields:  # the options choose the endpoint before the cell is read
            text = _("the model's region must be given as an option")
            raise FieldError(text, where="model.regions", fix="--regions us-central1")
        fields = {**fields, **options.model_fields(args)}
    return Model.from_json(fields)


def _with_line(fields: dict[str, Any], args: argparse.Namespace, context: Context) -> Version:
    """Build the Version from the fields of the cell, overridden by the options."""
    line = options.version_fields(args)
    if "autoScaling" in line:
        fields.pop("manualScaling", None)
    for source in (fields, line):
        if "packageUris" in source:
            source["packageUris"] = list(package_names(source["packageUris"], context))
    from_cell = Version.from_json(fields)
    return dataclasses.replace(from_cell, **_get_set_fields(options.build_version(line)))


def _get_set_fields(version: Version) -> dict[str, Any]:
    values = {field.name: getattr(version, field.name) for field in dataclasses.fields(version)}
    return {name: value for name, value in values.items() if value is not None}


def read_config(name: str | None) -> dict[str, Any]:
    """Read the fields in the YAML file of `--config`; none without a file. OptionError if it cannot be read."""
    if not name:
        return {}
    path = Path(os.path.expanduser(name))
    try:
        return read_mapping(path.read_text("utf-8-sig"), name)
    except OSError as error:
        raise OptionError(
            _("could not read the file: {reason}", reason=error.strerror or error),
            where=f"--config {name}",
        ) from None
    except UnicodeDecodeError:
        raise OptionError(_("the file is not UTF-8 text"), where=f"--config {name}") from None


def _add_version_state(error: OperationFailed, target: Target) -> None:
    """Add the state of the version to the error of a failed creation."""
    operation = error.operation
    version = operation.metadata.version if operation.metadata else None
    if version is None or not version.name:
        return
    try:
        failed = target.client.get_version("", version.name)
    except AipError:
        return
    error.where = _("{name} is {state}", name=failed.name, state=failed.state)


COMMAND = Command(
    name="deploy",
    add_options=add_options,
    run=run,
    example="""%%aip_deploy --model iris --origin ./export
test:
  instances:
  - [5.1, 3.5, 1.4, 0.2]""",
    changes=True,
)
