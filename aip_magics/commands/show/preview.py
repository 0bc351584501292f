"""What `--dry-run` and `--show` show of a command that sends something."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from aip_magics.client import Request
from aip_magics.commands.common.command import Context
from aip_magics.commands.show.planned_calls import PlannedCall, render_script

if TYPE_CHECKING:
    from aip_magics.targets import Target


@dataclasses.dataclass(frozen=True)
class Planned:
    """A request as it would be sent. `body` is JSON; None where there is none."""

    method: str
    url: str
    body: Any = None


@dataclasses.dataclass(frozen=True)
class DryRun:
    """The requests that would be sent; has the shape of a deployment's plan, and is shown like one."""

    requests: tuple[Planned, ...]
    steps: tuple[Any, ...] = ()
    choices: tuple[Any, ...] = ()


def preview(
    args: argparse.Namespace, context: Context, target: Target, sent: Sequence[PlannedCall]
) -> DryRun | str | None:
    """What `--show` (a text) or `--dry-run` asks for, shown and returned; None where the calls are to be sent."""
    result: DryRun | str
    if args.show:
        result = render_script(args.show, sent, target)
    elif args.dry_run:
        result = DryRun(tuple(_planned(call, target) for call in sent if isinstance(call, Request)))
    else:
        return None
    context.face.show(result)
    return result


def _planned(request: Request, target: Target) -> Planned:
    body = json.loads(request.body) if isinstance(request.body, bytes) else request.body
    return Planned(request.method, f"{target.endpoint}/{request.told}", body)
