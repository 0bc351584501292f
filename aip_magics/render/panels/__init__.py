"""Panels of values: one module per kind of value, with a function that builds the Panel."""

from __future__ import annotations

from typing import Any

from aip_magics.i18n import gettext as _
from aip_magics.render import json as as_json
from aip_magics.render.blocks import Code, Panel, line
from aip_magics.render.panel_kind import get_panel_kind
from aip_magics.render.panels.comparison import comparison
from aip_magics.render.panels.container import container, probe
from aip_magics.render.panels.describe import describe, fields, served
from aip_magics.render.panels.disk import disk
from aip_magics.render.panels.error import error
from aip_magics.render.panels.findings import findings, report
from aip_magics.render.panels.history import configuration, history
from aip_magics.render.panels.listing import listing
from aip_magics.render.panels.package import package, pickled_from_main
from aip_magics.render.panels.plan import plan
from aip_magics.render.panels.prediction_comparison import prediction_comparison
from aip_magics.render.panels.predictions import predictions
from aip_magics.render.panels.progress import progress
from aip_magics.render.panels.removal import removal, removal_plan
from aip_magics.render.panels.traffic import traffic
from aip_magics.render.panels.upload import objects, pull_plan, upload_plan


def panel(value: Any, *, now: float | None = None, max_rows: int | None = None) -> Panel:
    """Build the panel of a value.

    Args:
        value: Any value; see `html.of`.
        now: Seconds since the epoch; lists then show ages instead of creation times.
        max_rows: The maximum number of rows that are converted.
    """
    match get_panel_kind(value):
        case "version" | "model" | "operation":
            return describe(value)
        case "versions" | "models" | "operations":
            return listing(value, now=now, max_rows=max_rows)
        case "predictions":
            return predictions(value, max_rows=max_rows)
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
            return upload_plan(value, max_rows=max_rows)
        case "pull":
            return pull_plan(value, max_rows=max_rows)
        case "removal plan":
            return removal_plan(value, max_rows=max_rows)
        case "removal":
            return removal(value, max_rows=max_rows)
        case "objects":
            return objects(value, max_rows=max_rows)
        case "object":
            return objects([value])
        case "served":
            return served(value)
        case "comparison":
            return comparison(value)
        case "prediction comparison":
            return prediction_comparison(value)
        case "traffic":
            return traffic(value)
        case "history":
            return history(value, max_rows=max_rows)
        case "configuration":
            return configuration(value)
        case "package":
            return package(value)
        case "container":
            return container(value, max_rows=max_rows)
        case "probe":
            return probe(value, max_rows=max_rows)
        case "of main":
            return pickled_from_main(value)
        case "disk":
            return disk(value, max_rows=max_rows)
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
