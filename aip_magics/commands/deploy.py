"""`deploy`: from a directory to a READY version, in one go."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from aip_magics import deploy
from aip_magics.commands import options
from aip_magics.commands.base import Command, Context
from aip_magics.commands.cell import read_mapping, substitute
from aip_magics.commands.instances import from_value
from aip_magics.commands.origins import origin as origin_of
from aip_magics.commands.origins import package_names
from aip_magics.deploy import Deployment
from aip_magics.errors import AipError, FieldError, OperationFailed, OptionError
from aip_magics.spec import Operation, Version
from aip_magics.targets import Target


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "version", nargs="?", metavar="VERSION", help="name of the version; left out: the next free one"
    )
    parser.add_argument("--model", metavar="NAME", help="model resource; left out: name of the directory")
    options.add_version(parser)
    options.add_model(parser)
    run = parser.add_argument_group("run")
    run.add_argument("--config", metavar="FILE", help="YAML file with Version fields, as gcloud takes it")
    run.add_argument("--async", dest="asynchronous", action="store_true", help="do not wait for the operation")
    run.add_argument("--replace", action="store_true", help="replace a different version of the same name")
    run.add_argument("--dry-run", action="store_true", help="show plan and requests, send nothing")
    run.add_argument("--skip", action="append", default=[], metavar="CHECK", help="leave this check out")
    options.add_target(parser)
    options.add_output(parser)


def run(args: argparse.Namespace, body: str | None, context: Context) -> Version | Operation | deploy.Plan | None:
    """Deploy; returns the Version, the Operation where it is not waited for, or the Plan of a dry run."""
    deployment = deployment_of(args, body, context)
    target = context.target(args)
    if args.dry_run:
        plan = deploy.dry_run(deployment, target)
        context.face.show(plan)
        return plan
    try:
        result = deploy.run(deployment, target, context.face.emit, wait=not args.asynchronous)
    except OperationFailed as error:
        _explain(error, result_of=target)
        raise
    if result.version is None:
        return result.operation
    context.face.show(result.version)
    if result.online is not None:
        context.face.show(result.online)
    return result.version


def deployment_of(args: argparse.Namespace, body: str | None, context: Context) -> Deployment:
    """The deployment that the command asks for: the line wins over the cell's body, the body over `--config`'s file."""
    cell = substitute(read_mapping(body or ""), context.names)
    fields = {**_config(args.config), **cell}
    test = fields.pop("test", None)
    in_body = fields.pop("deploymentUri", None)
    origin = origin_of(args.origin or in_body, args, context)
    if not origin:
        raise OptionError("the model's directory is missing", where="--origin", fix="add --origin DIR")
    for name in sorted(Version.OUTPUT_ONLY & fields.keys()):
        raise FieldError(f"{name} is set by the service", where=f"version.{name}", fix="leave it out")
    return Deployment(
        origin=origin,
        model=options.model_of(args),
        version=_with_line(fields, args, context),
        staging_bucket=args.staging_bucket,
        test=None if test is None else from_value(test, "test"),
        replace=args.replace,
        skip=frozenset(args.skip),
    )


def _with_line(fields: dict[str, Any], args: argparse.Namespace, context: Context) -> Version:
    line = options.version_fields(args)
    if "autoScaling" in line:
        fields.pop("manualScaling", None)
    for given in (fields, line):
        if "packageUris" in given:
            given["packageUris"] = list(package_names(given["packageUris"], context))
    from_body = Version.from_json(fields)
    return dataclasses.replace(from_body, **_fields_of(options.version_of(line)))


def _fields_of(version: Version) -> dict[str, Any]:
    found = {field.name: getattr(version, field.name) for field in dataclasses.fields(version)}
    return {name: value for name, value in found.items() if value is not None}


def _config(name: str | None) -> dict[str, Any]:
    if not name:
        return {}
    path = Path(name).expanduser()
    try:
        return read_mapping(path.read_text("utf-8-sig"), name)
    except OSError as error:
        raise OptionError(f"the file cannot be read ({error.strerror or error})", where=f"--config {name}") from None
    except UnicodeDecodeError:
        raise OptionError("the file is not UTF-8 text", where=f"--config {name}") from None


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
    error.where = f"{there.name} is {there.state}"


COMMAND = Command(
    name="deploy",
    add_options=add_options,
    run=run,
    example="""%%aip_deploy --model iris --origin ./export
test:
  instances:
  - [5.1, 3.5, 1.4, 0.2]""",
)
