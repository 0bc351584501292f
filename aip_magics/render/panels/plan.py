"""The panel of a plan, for `--dry-run`: the choices with their sources, the steps, and all requests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aip_magics.i18n import gettext as _
from aip_magics.render import json as as_json
from aip_magics.render.blocks import Block, Code, Panel, Table, code, line, muted, row, strong

if TYPE_CHECKING:
    from aip_magics.deploy.plan import Plan, PlannedRequest


def plan(value: Plan) -> Panel:
    """Build the panel of a plan."""
    blocks: list[Block] = [line(strong(_("Dry run:")), _("nothing was sent or changed."))]
    if value.choices:
        choices = tuple(row(each.field, _value(each.value), muted(each.source)) for each in value.choices)
        blocks.append(Table("", (_("Field"), _("Value"), _("Source")), choices))
    if value.steps:
        steps = [f"{number:2} {each.title}" for number, each in enumerate(value.steps, start=1)]
        blocks.append(Code("\n".join(steps)))
    for request in value.requests:
        blocks += _request(request)
    return Panel(_("plan"), "idle", tuple(blocks))


def _request(request: PlannedRequest) -> list[Block]:
    head = line(strong(request.method), code(request.url))
    if request.body is None:
        return [head]
    return [head, Code(as_json.pretty(request.body))]


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(as_json.to_json(value), ensure_ascii=False)
