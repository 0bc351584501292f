"""Rules about the region of the endpoint."""

from __future__ import annotations

from aip_magics import catalog
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Outcomes
from aip_magics.checks.rule import error, rule, warning
from aip_magics.i18n import gettext as _
from aip_magics.spec import nearest
from aip_magics.targets.vertex import links


@rule("V30", "unavailable-vertex-region", link=links.LOCATIONS, target="vertex")
def unavailable_vertex_region(context: CheckContext) -> Outcomes:
    """Vertex AI has no global endpoint for models: one of its regions must be set, and be that of the model.

    A region that the list of regions with online prediction does not name yet is only a warning.
    """
    region, wanted = context.target.region, (context.model.regions or (None,))[0]
    if region is None:
        text = _("Vertex AI serves models only in a region, and none is set")
        use = wanted if wanted in catalog.vertex_regions() else catalog.default_vertex_region()
        return [error("region", text, f"--region {use}")]
    if region not in catalog.vertex_regions():
        regions = list(catalog.vertex_regions())
        fix = nearest(region, regions) or _("use one of {names}", names=", ".join(regions))
        if region in catalog.newer_vertex_regions():
            text = _("region {region} is not in the list of regions with online prediction", region=region)
            return [warning("region", text, fix)]
        return [error("region", _("Vertex AI has no region {region!r}", region=region), fix)]
    if wanted is not None and wanted != region:
        text = _("region {region} is not the endpoint's region {own}", region=wanted, own=region)
        return [error("model.regions", text, f"regions: [{region}]")]
    return []
