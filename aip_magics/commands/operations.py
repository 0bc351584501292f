"""`operations`, `wait`, `attach`, `cancel`: long-running operations."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence

from aip_magics.client import calls
from aip_magics.commands import show
from aip_magics.commands.common import options
from aip_magics.commands.common.command import Command, Context
from aip_magics.commands.common.operation_wait import OperationTracker, add_waiting, operation_result
from aip_magics.errors import NotFound, OptionError
from aip_magics.i18n import gettext as _
from aip_magics.spec import Operation, Version

Waited = Version | Operation | list[Version | Operation] | show.DryRun | str | None


def add_operations(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=("list", "describe"), default="list", help=_("left out: list"))
    parser.add_argument("operation", nargs="?", metavar="OPERATION", help=_("projects/P/operations/ID, or its ID"))
    show.add_dry_run(parser)
    options.add_target(parser)
    options.add_output(parser)


def operations(
    args: argparse.Namespace, _body: str | None, context: Context
) -> Sequence[Operation] | Operation | show.DryRun | str:
    """The operations of the project, the newest last; or the one that is described."""
    if (args.action == "describe") != bool(args.operation):
        fix = "%aip_operations describe create_iris_v1-1234567890123"
        text = _("an operation is wanted") if args.action == "describe" else _("a list has no operation")
        raise OptionError(text, where="OPERATION", fix=fix)
    target = context.target(args)
    name = calls.operation_name(target.project, args.operation) if args.operation else ""
    instead = show.preview(args, context, target, [calls.get(name) if name else calls.list_operations(target.project)])
    if instead is not None:
        return instead
    target.connect()
    found = target.client.get_operation(name) if name else target.client.list_operations()
    context.face.show(found)
    return found


def add_wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("operation", metavar="OPERATION", help=_("projects/P/operations/ID, or its ID"))
    _add_waiting(parser)


def add_attach(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "operation", nargs="?", metavar="OPERATION", help=_("left out: all that this notebook left running")
    )
    _add_waiting(parser)


def _add_waiting(parser: argparse.ArgumentParser) -> None:
    add_waiting(parser, asynchronous=False)
    show.add_dry_run(parser)
    options.add_target(parser)
    options.add_output(parser)


def wait(args: argparse.Namespace, _body: str | None, context: Context) -> Waited:
    """Wait for an operation that goes on; returns the Version it made, or the Operation.

    Without an operation: for all that this notebook left running, wherever it was; one value or a list of them. What
    ended while nobody looked is shown as it ended.
    """
    if args.operation:
        return _wait_for(args.operation, args, context)
    left = context.journal.running() if context.journal else []
    if not left:
        text = _("this notebook left no operation running")
        context.face.show(text)
        return None
    # An operation has its own place, which need not be the one that is configured now.
    found = [_wait_for(one.operation, args, dataclasses.replace(context, last_run=one.where)) for one in left]
    values = [value for value in found if isinstance(value, (Version, Operation))]
    return values if len(found) > 1 else found[0]


def _wait_for(name: str, args: argparse.Namespace, context: Context) -> Version | Operation | show.DryRun | str | None:
    target = context.target(args)
    name = calls.operation_name(target.project, name)
    instead = show.preview(args, context, target, [calls.get(name), show.Wait(name)] if args.dry_run else _only(name))
    if instead is not None:
        return instead
    target.connect()
    watch = OperationTracker(args, context, target, "attach")
    try:
        operation = watch.wait(target.client.get_operation(name))
    except NotFound:
        if context.journal is not None:  # the service forgets operations: nobody need ask for it again
            context.journal.ended(name, "failed", "NotFound")
        raise
    if not operation.done:
        return operation
    value = operation_result(operation, target)
    context.face.show(value)
    return value


def _only(name: str) -> list[show.PlannedCall]:
    return [show.Wait(name)]


def add_cancel(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("operation", metavar="OPERATION", help=_("projects/P/operations/ID, or its ID"))
    show.add_dry_run(parser)
    options.add_target(parser)
    options.add_output(parser)


def cancel(args: argparse.Namespace, _body: str | None, context: Context) -> Operation | show.DryRun | str:
    """Ask for the end of an operation; returns it as it then stands. One that is done stays as it is."""
    target = context.target(args)
    name = calls.operation_name(target.project, args.operation)
    instead = show.preview(args, context, target, [calls.cancel(name)])
    if instead is not None:
        return instead
    target.connect()
    target.client.cancel(name)
    operation = target.client.get_operation(name)
    if context.journal is not None and operation.done:
        context.journal.ended(name, "cancelled" if operation.error else "done")
    context.face.show(operation)
    return operation


OPERATIONS = Command("operations", add_operations, operations, example="%aip_operations")
WAIT = Command("wait", add_wait, wait, example="%aip_wait create_iris_v1-1234567890123")
ATTACH = Command("attach", add_attach, wait, example="%aip_attach")
CANCEL = Command("cancel", add_cancel, cancel, example="%aip_cancel create_iris_v1-1234567890123", changes=True)
