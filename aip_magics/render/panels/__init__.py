"""Values as panels: one file per kind of thing, one function that builds its Panel."""

from __future__ import annotations

from typing import Any

from aip_magics.i18n import gettext as _
from aip_magics.render import json as as_json
from aip_magics.render import shapes
from aip_magics.render.blocks import Code, Panel, line
from aip_magics.render.panels.comparison import comparison
from aip_magics.render.panels.describe import describe, fields, served
from aip_magics.render.panels.error import error
from aip_magics.render.panels.findings import findings, report
from aip_magics.render.panels.history import configuration, history
from aip_magics.render.panels.listing import listing
from aip_magics.render.panels.package import of_main, package
from aip_magics.render.panels.plan import plan
from aip_magics.render.panels.predictions import predictions
from aip_magics.render.panels.progress import progress
from aip_magics.render.panels.upload import objects, pull_plan, upload_plan


def panel(value: Any, *, now: float | None = None, most: int | None = None) -> Panel:
    """The panel of a value. `now`: seconds since the epoch, for ages; `most`: the most rows looked at."""
    match shapes.kind(value):
        case "version" | "model" | "operation":
            return describe(value)
        case "versions" | "models" | "operations":
            return listing(value, now=now, most=most)
        case "predictions":
            return predictions(value, most=most)
        case "error":
            return error(value)
        case "run":
            return progress(value)
        case "report":
            return report(value)
        case "findings":
            return findings(value)
        case "finding":
            return findings([value])
        case "plan":
            return plan(value)
        case "upload":
            return upload_plan(value, most=most)
        case "pull":
            return pull_plan(value, most=most)
        case "objects":
            return objects(value, most=most)
        case "object":
            return objects([value])
        case "served":
            return served(value)
        case "comparison":
            return comparison(value)
        case "history":
            return history(value, most=most)
        case "configuration":
            return configuration(value)
        case "package":
            return package(value)
        case "of main":
            return of_main(value)
        case "statistics":
            return fields(value, _("statistics"))
        case "fields":
            return fields(value, type(value).__name__)
        case "empty":
            return Panel(_("list"), "idle", (line(_("Listed 0 items.")),))
        case "other":
            return Panel(
                type(value).__name__, "idle", (Code(value if isinstance(value, str) else as_json.pretty(value)),)
            )
