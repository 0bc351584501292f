"""`deploy`: from a directory to a READY version, in one go."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aip_magics import deploy
from aip_magics.commands import show
from aip_magics.commands.common import options
from aip_magics.commands.common.cell_body import answering, read_mapping, substitute
from aip_magics.commands.common.command import Command, Context
from aip_magics.commands.common.instances import from_value
from aip_magics.commands.common.model_source import is_in_memory, package_names
from aip_magics.commands.common.model_source import resolve_origin as origin_of
from aip_magics.commands.common.operation_wait import OperationTracker, add_waiting
from aip_magics.deploy import Deployment, Plan
from aip_magics.errors import AipError, ChecksFailed, FieldError, OperationFailed, OptionError
from aip_magics.events import Failed
from aip_magics.i18n import gettext as _
from aip_magics.spec import Model, Operation, Version
from aip_magics.targets import Target

Deployed = Version | Operation | Plan | str | None


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "version", nargs="?", metavar="VERSION", help=_("name of the version; left out: the next free one")
    )
    run = add_deployment(parser)
    run.add_argument("--replace", action="store_true", help=_("replace a different version of the same name"))
    run.add_argument("--dry-run", action="store_true", help=_("show plan and requests, send nothing"))
    add_waiting(parser)
    show.add_dry_run(parser, dry_run=False)
    options.add_target(parser)
    options.add_output(parser)


def add_deployment(parser: argparse.ArgumentParser) -> Any:
    """The options that say what is deployed; returns the group of those that say how."""
    parser.add_argument("--model", metavar="NAME", help=_("model resource; left out: name of the directory"))
    options.add_version(parser)
    options.add_request_logging(parser.add_argument_group(_("request logging")))
    options.add_model(parser, prefix="--model-")
    run = parser.add_argument_group(_("run"))
    run.add_argument("--config", metavar="FILE", help=_("YAML file with Version fields, as gcloud takes it"))
    run.add_argument("--skip", action="append", default=[], metavar="CHECK", help=_("leave this check out"))
    run.add_argument("--strict", action="store_true", help=_("warnings of the checks count as errors"))
    options.add_trust(run)
    return run


def run(args: argparse.Namespace, body: str | None, context: Context) -> Deployed:
    """Deploy; returns the Version, the Operation where it is not waited for, or the Plan of a dry run.

    With `--show` the text of what would be sent. Beside the fields of the Version, the cell takes `test:`, instances to
    try, and `model:`, the fields of a Model that the deploy makes (description, labels, logging).
    """
    return perform(deployment_of(args, body, context), args, context)


def perform(deployment: Deployment, args: argparse.Namespace, context: Context) -> Deployed:
    """The same for a deployment that is settled already; `args` say where it goes and how it is run."""
    target = context.target(args)
    if args.show or args.dry_run:
        return _instead(deployment, args, context, target)
    watch = OperationTracker(args, context, target, "deploy")
    try:
        result = deploy.run(deployment, target, watch.emit, wait=not args.asynchronous)
    except OperationFailed as error:
        _explain(error, result_of=target)
        raise
    if watch.cancelled:
        raise watch.cancelled
    if args.asynchronous and result.operation is not None:
        watch.leave(result.operation)
    if result.version is None:
        return result.operation
    context.face.show(result.version)
    if result.online is not None:
        context.face.show(result.online)
    return result.version


def _instead(deployment: Deployment, args: argparse.Namespace, context: Context, target: Target) -> deploy.Plan | str:
    """What `--dry-run` or `--show` asks for. Nothing is contacted."""
    try:
        plan = deploy.dry_run(deployment, target)
    except ChecksFailed as error:
        context.face.emit(Failed("checks", error))  # so that a notebook shows all findings, as in a real run
        raise
    result: deploy.Plan | str = plan
    if args.show:
        sent = show.deployment_calls(plan, target, deployment.test, wait=not args.asynchronous)
        result = show.render_script(args.show, sent, target)
    context.face.show(result)
    return result


def deployment_of(args: argparse.Namespace, body: str | None, context: Context, *, complete: bool = True) -> Deployment:
    """The deployment that the command asks for: the line wins over the cell's body, the body over `--config`'s file.

    One that need not be `complete` may name no directory: its origin is empty then.
    """
    fields = _given(args, body, context)
    test = fields.pop("test", None)
    model = fields.pop("model", None)
    in_body = fields.pop("deploymentUri", None)
    origin = origin_of(args.origin or in_body, args, context)
    if complete and not origin:
        raise OptionError(_("the model's directory is missing"), where="--origin", fix=_("add --origin DIR"))
    if test is not None:
        with answering(_("a value in the cell"), "test"):
            test = from_value(test, "test")
    return Deployment(
        origin=origin or "",
        model=_model(model, args),
        version=_with_line({**fields, **options.request_logging(args)}, args, context),
        staging_bucket=args.staging_bucket,
        test=test,
        replace=args.replace,
        skip=frozenset(args.skip),
        strict=args.strict,
        trust=args.trust or is_in_memory(args.origin or in_body, context),
    )


def version_asked(args: argparse.Namespace, body: str | None, context: Context) -> Version:
    """The Version just as line, cell and `--config` say, with nothing derived."""
    return _with_line(_given(args, body, context), args, context)


def _given(args: argparse.Namespace, body: str | None, context: Context) -> dict[str, Any]:
    """The fields of the cell, and those of `--config`'s file that it does not have."""
    fields = {**read_config(args.config), **substitute(read_mapping(body or ""), context.names)}
    refuse_output_only(fields, Version)
    return fields


def refuse_output_only(fields: Mapping[str, Any], resource: type[Model | Version]) -> None:
    """FieldError where a field is given that the service sets."""
    for name in sorted(resource.OUTPUT_ONLY & fields.keys()):
        where = f"{resource.__name__.lower()}.{name}"
        raise FieldError(_("{field} is set by the service", field=name), where=where, fix=_("leave it out"))


def _model(given: Any, args: argparse.Namespace) -> Model:
    """The Model that `model:` in the cell and the line ask for; a text in the cell is its name."""
    fields = {"name": given} if isinstance(given, str) else {} if given is None else given
    if isinstance(fields, Mapping):
        refuse_output_only(fields, Model)
        if "regions" in fields:  # the line chooses the endpoint, before the cell is read
            text = _("the region of the model is an option of the line")
            raise FieldError(text, where="model.regions", fix="--regions us-central1")
        fields = {**fields, **options.model_fields(args)}
    return Model.from_json(fields)


def _with_line(fields: dict[str, Any], args: argparse.Namespace, context: Context) -> Version:
    line = options.version_fields(args)
    if "autoScaling" in line:
        fields.pop("manualScaling", None)
    for given in (fields, line):
        if "packageUris" in given:
            given["packageUris"] = list(package_names(given["packageUris"], context))
    from_body = Version.from_json(fields)
    return dataclasses.replace(from_body, **_fields_of(options.build_version(line)))


def _fields_of(version: Version) -> dict[str, Any]:
    found = {field.name: getattr(version, field.name) for field in dataclasses.fields(version)}
    return {name: value for name, value in found.items() if value is not None}


def read_config(name: str | None) -> dict[str, Any]:
    """The fields in the YAML file of `--config`; none without one. OptionError where it cannot be read."""
    if not name:
        return {}
    path = Path(name).expanduser()
    try:
        return read_mapping(path.read_text("utf-8-sig"), name)
    except OSError as error:
        raise OptionError(
            _("the file cannot be read ({reason})", reason=error.strerror or error),
            where=f"--config {name}",
        ) from None
    except UnicodeDecodeError:
        raise OptionError(_("the file is not UTF-8 text"), where=f"--config {name}") from None


def _explain(error: OperationFailed, result_of: Target) -> None:
    """Add to a failed creation what the version itself says."""
    operation = error.operation
    version = operation.metadata.version if operation.metadata else None
    if version is None or not version.name:
        return
    try:
        there = result_of.client.get_version("", version.name)
    except AipError:
        return
    error.where = _("{name} is {state}", name=there.name, state=there.state)


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
