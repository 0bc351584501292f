"""`operations`, `wait`, `attach`, `cancel`: list, wait for and cancel long-running operations."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence

from aip_magics.client import calls
from aip_magics.client.paging import MAX_ITEMS
from aip_magics.commands import show
from aip_magics.commands.common import options
from aip_magics.commands.common.command import Command, Context
from aip_magics.commands.common.operation_wait import OperationTracker, add_waiting, operation_result
from aip_magics.errors import NotFound, OptionError
from aip_magics.i18n import gettext as _
from aip_magics.spec import Operation, Version
from aip_magics.targets import Capability, Target

DEFAULT_LIMIT = 50
WaitResult = Version | Operation | list[Version | Operation] | show.DryRun | str | None


def add_operations(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=("list", "describe"), default="list", help=_("default: list"))
    parser.add_argument("operation", nargs="?", metavar="OPERATION", help=_("projects/P/operations/ID or only the ID"))
    parser.add_argument(
        "--limit",
        type=int,
        default=DEFAULT_LIMIT,
        metavar="N",
        help=_("list the newest N operations; 0: all (default: {count})", count=DEFAULT_LIMIT),
    )
    show.add_dry_run(parser)
    options.add_target(parser)
    options.add_output(parser)


def operations(
    args: argparse.Namespace, _body: str | None, context: Context
) -> Sequence[Operation] | Operation | show.DryRun | str:
    """Return the newest operations of the project, the newest first; with `describe` return one operation."""
    if (args.action == "describe") != bool(args.operation):
        fix = "%aip_operations describe create_iris_v1-1234567890123"
        message = _("an operation is required") if args.action == "describe" else _("list takes no operation")
        raise OptionError(message, where="OPERATION", fix=fix)
    if args.limit < 0:
        raise OptionError(_("expected 0 or more, got {value}", value=args.limit), where="--limit", fix="--limit 50")
    target = context.target(args)
    name = target.operation_name(args.operation) if args.operation else ""
    plans = target.plans
    planned = plans.get_operation(name) if name else plans.list_operations(page_size(target, args.limit))
    shown = show.preview(args, context, target, planned)
    if shown is not None:
        return shown
    target.connect()
    if not name:
        return show_newest(target, context, args.limit)
    operation = target.client.get_operation(name)
    context.reporter.show(operation)
    return operation


def page_size(target: Target, limit: int = DEFAULT_LIMIT) -> int:
    """Return the size of the first page that lists so many operations: only the embedded server has an order."""
    return limit if limit and target.has(Capability.NEWEST_OPERATIONS_FIRST) else calls.MAX_PAGE_SIZE


def show_newest(target: Target, context: Context, limit: int = DEFAULT_LIMIT) -> list[Operation]:
    """Show and return the newest operations of a connected target, all with `limit` 0; say if there are older ones."""
    newest_first = target.has(Capability.NEWEST_OPERATIONS_FIRST)
    found, more = target.client.list_newest_operations(limit or MAX_ITEMS, newest_first=newest_first)
    context.reporter.show(found)
    if more:
        text = _("the newest {count} operations; use %aip_operations --limit 0 to list all", count=len(found))
        context.reporter.show(text)
    return found


def add_wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("operation", metavar="OPERATION", help=_("projects/P/operations/ID or only the ID"))
    _add_waiting(parser)


def add_attach(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "operation", nargs="?", metavar="OPERATION", help=_("default: all operations that this notebook left running")
    )
    _add_waiting(parser)


def _add_waiting(parser: argparse.ArgumentParser) -> None:
    add_waiting(parser, asynchronous=False)
    show.add_dry_run(parser)
    options.add_target(parser)
    options.add_output(parser)


def wait(args: argparse.Namespace, _body: str | None, context: Context) -> WaitResult:
    """Wait for a running operation; return the Version that it created, or the Operation.

    Without OPERATION, wait for all operations that this notebook left running, at any target, and return one value or a
    list. An operation that has already finished is shown with its outcome.
    """
    if args.operation:
        return _wait_for(args.operation, args, context)
    running = context.history.running() if context.history else []
    if not running:
        text = _("no operation of this notebook is running")
        context.reporter.show(text)
        return None
    # Each operation is waited for at its own target, which may differ from the configured one.
    results = [
        _wait_for(entry.operation, args, dataclasses.replace(context, last_run=entry.where)) for entry in running
    ]
    values = [value for value in results if isinstance(value, (Version, Operation))]
    return values if len(results) > 1 else results[0]


def _wait_for(name: str, args: argparse.Namespace, context: Context) -> Version | Operation | show.DryRun | str | None:
    target = context.target(args)
    name = target.operation_name(name)
    shown = show.preview(args, context, target, _planned_calls(name, args, target))
    if shown is not None:
        return shown
    target.connect()
    tracker = OperationTracker(args, context, target, "attach")
    try:
        operation = tracker.wait(target.client.get_operation(name))
    except NotFound:
        if context.history is not None:  # the service deletes old operations; do not wait for this one again
            context.history.ended(name, "failed", "NotFound")
        raise
    if not operation.done:
        return operation
    value = operation_result(operation, target)
    context.reporter.show(value)
    return value


def _planned_calls(name: str, args: argparse.Namespace, target: Target) -> list[show.PlannedCall]:
    """A dry run only shows requests, so its waiting needs one; a script polls by itself."""
    wait = show.Wait(name)
    return [*target.plans.get_operation(name), wait] if args.dry_run else [wait]


def add_cancel(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("operation", metavar="OPERATION", help=_("projects/P/operations/ID or only the ID"))
    show.add_dry_run(parser)
    options.add_target(parser)
    options.add_output(parser)


def cancel(args: argparse.Namespace, _body: str | None, context: Context) -> Operation | show.DryRun | str:
    """Cancel an operation and return its new state. A finished operation does not change."""
    target = context.target(args)
    name = target.operation_name(args.operation)
    shown = show.preview(args, context, target, target.plans.cancel(name))
    if shown is not None:
        return shown
    target.connect()
    target.client.cancel(name)
    operation = target.client.get_operation(name)
    if context.history is not None and operation.done:
        context.history.ended(name, "cancelled" if operation.error else "done")
    context.reporter.show(operation)
    return operation


OPERATIONS = Command("operations", add_operations, operations, example="%aip_operations")
WAIT = Command("wait", add_wait, wait, example="%aip_wait create_iris_v1-1234567890123")
ATTACH = Command("attach", add_attach, wait, example="%aip_attach")
CANCEL = Command("cancel", add_cancel, cancel, example="%aip_cancel create_iris_v1-1234567890123", changes=True)
