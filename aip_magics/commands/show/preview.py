"""The result of `--dry-run` and `--show` for a command that sends requests."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from aip_magics.client import Request
from aip_magics.commands.common.command import Context
from aip_magics.commands.show.planned_calls import PlannedCall
from aip_magics.commands.show.script import render_script

if TYPE_CHECKING:
    from aip_magics.storage import RemovalPlan
    from aip_magics.targets import Target


@dataclasses.dataclass(frozen=True)
class Planned:
    """A request that would be sent. `body` is JSON, or None for a request without a body."""

    method: str
    url: str
    body: Any = None


@dataclasses.dataclass(frozen=True)
class DryRun:
    """The requests that would be sent. It has the attributes of a deployment's plan and is shown by the same panel.

    `removal` are the objects in Cloud Storage that would be deleted, shown by a panel of their own.
    """

    requests: tuple[Planned, ...]
    steps: tuple[Any, ...] = ()
    choices: tuple[Any, ...] = ()
    removal: RemovalPlan | None = None


def preview(
    args: argparse.Namespace,
    context: Context,
    target: Target,
    calls: Sequence[PlannedCall] | Callable[[], Sequence[PlannedCall]],
) -> DryRun | str | None:
    """Show and return the script of `--show` or the DryRun of `--dry-run`; None if the calls shall be sent.

    `calls` may be a function that makes them, for those that need a look at what exists.
    """
    if not (args.show or args.dry_run):
        return None
    planned = calls() if callable(calls) else calls
    result: DryRun | str
    if args.show:
        result = render_script(args.show, planned, target)
    else:
        result = DryRun(tuple(_planned(call, target) for call in planned if isinstance(call, Request)))
    context.reporter.show(result)
    return result


def _planned(request: Request, target: Target) -> Planned:
    body = json.loads(request.body) if isinstance(request.body, bytes) else request.body
    return Planned(request.method, f"{target.endpoint}/{request.label}", body)
