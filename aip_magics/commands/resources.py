"""`describe`, `list`, `delete`, `attach`: what is there, and what happens to it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from aip_magics.commands import options
from aip_magics.commands.base import Command, Context
from aip_magics.commands.logs import embedded
from aip_magics.errors import OptionError
from aip_magics.events import Detached, StepFinished, StepStarted, Tick
from aip_magics.spec import Model, Operation, Version
from aip_magics.targets import Target


def add_describe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("version", nargs="?", metavar="VERSION", help="left out: the model itself")
    parser.add_argument("--model", metavar="NAME")
    parser.add_argument("--operation", metavar="NAME", help="describe a long-running operation")
    parser.add_argument("--stats", action="store_true", help="of a version: requests, errors, latencies and nodes")
    options.add_target(parser)
    options.add_output(parser)


def describe(
    args: argparse.Namespace, _body: str | None, context: Context
) -> Model | Version | Operation | Mapping[str, Any]:
    """The Version, Model or Operation as the service describes it; with `--stats` how a version is served."""
    if bool(args.operation) == bool(args.model):
        raise OptionError("a model or an operation is wanted", where="--model", fix="%aip_describe v1 --model iris")
    if args.stats and not args.version:
        raise OptionError("a version is wanted", where="--stats", fix="%aip_describe v1 --model iris --stats")
    target = embedded(context.target(args), "statistics") if args.stats else _connected(args, context)
    found: Model | Version | Operation | Mapping[str, Any]
    if args.stats:
        found = target.client.version_stats(args.model, args.version)
    elif args.operation:
        found = target.client.get_operation(args.operation)
    elif args.version:
        found = target.client.get_version(args.model, args.version)
    else:
        found = target.client.get_model(args.model)
    context.face.show(found)
    return found


def add_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", metavar="NAME", help="list its versions; left out: the models")
    parser.add_argument("--operations", action="store_true", help="list the operations")
    options.add_target(parser)
    options.add_output(parser)


def list_(args: argparse.Namespace, _body: str | None, context: Context) -> Sequence[Model | Version | Operation]:
    """The models, the versions of a model, or the operations: a list."""
    if args.model and args.operations:
        raise OptionError("versions or operations, not both", where="--operations", fix="leave --model out")
    client = _connected(args, context).client
    found: Sequence[Model | Version | Operation]
    if args.operations:
        found = client.list_operations()
    else:
        found = client.list_versions(args.model) if args.model else client.list_models()
    context.face.show(found)
    return found


def add_delete(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("version", nargs="?", metavar="VERSION", help="left out: the model itself")
    parser.add_argument("--model", required=True, metavar="NAME")
    parser.add_argument("--all-versions", action="store_true", help="delete the model with all its versions")
    parser.add_argument("--yes", "-y", action="store_true", help="really delete; nothing is asked")
    options.add_target(parser)
    options.add_output(parser)


def delete(args: argparse.Namespace, _body: str | None, context: Context) -> None:
    """Delete a version, or a model without (or with all) its versions; waits until it is done."""
    what = f"version {args.version} of model {args.model}" if args.version else f"model {args.model}"
    if not args.yes:
        raise OptionError(f"this would delete {what}", where="--yes", fix="add --yes to really delete it")
    client = _connected(args, context).client
    context.face.emit(StepStarted("delete", f"Delete {what}"))
    if args.version:
        client.wait(client.delete_version(args.model, args.version))
    else:
        # The default version can be deleted only as the last one.
        versions = client.list_versions(args.model) if args.all_versions else []
        for version in sorted(versions, key=lambda version: bool(version.isDefault)):
            client.wait(client.delete_version(args.model, version.id))
        client.wait(client.delete_model(args.model))
    context.face.emit(StepFinished("delete", f"{what} is deleted"))


def add_attach(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("operation", metavar="OPERATION", help="projects/P/operations/ID, or its ID")
    options.add_target(parser)
    options.add_output(parser)


def attach(args: argparse.Namespace, _body: str | None, context: Context) -> Version | Operation:
    """Wait for an operation that goes on; returns the Version it made, or the Operation."""
    target = _connected(args, context)
    face = context.face
    operation = target.client.get_operation(args.operation)
    face.emit(StepStarted("wait", f"Wait for {operation.name}"))
    try:
        operation = target.client.wait(operation, on_poll=lambda _: face.emit(Tick("wait")))
    except KeyboardInterrupt:
        face.emit(Detached("wait", operation.name or "", f"%aip_attach {operation.name}"))
        return operation
    face.emit(StepFinished("wait", "done"))
    metadata = operation.metadata
    if metadata is None or metadata.operationType != "CREATE_VERSION" or metadata.version is None:
        face.show(operation)
        return operation
    version = target.client.get_version("", metadata.version.name or "")
    face.show(version)
    return version


def _connected(args: argparse.Namespace, context: Context) -> Target:
    target = context.target(args)
    target.connect()
    return target


DESCRIBE = Command("describe", add_describe, describe)
LIST = Command("list", add_list, list_)
DELETE = Command("delete", add_delete, delete)
ATTACH = Command("attach", add_attach, attach)
