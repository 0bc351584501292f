"""Rules about the endpoint, its regions and its machines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from aip_magics import catalog
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Outcomes, Skipped
from aip_magics.checks.rule import error, rule, warning
from aip_magics.i18n import gettext as _
from aip_magics.spec import nearest

_N1 = re.compile(r"n1-(standard|highmem|highcpu)-\d+")


@rule("E01", link=links.DEPRECATIONS)
def service_ended(context: CheckContext) -> Outcomes:
    """Google shut AI Platform Prediction down on 2025-01-31; only compatible endpoints still answer."""
    if not context.target.is_google:
        return []
    text = _("Google shut AI Platform Prediction down on 2025-01-31: this endpoint takes no deployments any more")
    return [warning("target", text, _("deploy with --target local, or name a compatible endpoint"))]


@rule("M03", link=links.REGIONAL)
def region_available(context: CheckContext) -> Outcomes:
    """The model's region is one of the endpoint: its own on a regional endpoint, five on the global one.

    Compatible endpoints may have other regions: there it only warns.
    """
    regions, own = context.model.regions, context.target.region
    if own is not None and own not in catalog.regional_regions():
        fix = _nearest_of(own, catalog.regional_regions())
        level = warning if context.target.is_cloud and not context.target.is_google else error
        return [level("region", _("there is no regional endpoint in {region!r}", region=own), fix)]
    if not regions:
        return []
    available = (own,) if own else catalog.global_regions()
    region = regions[0]
    if region in available:
        return []
    if own:
        return [
            error(
                "model.regions",
                _("{region} is not the region of the endpoint {own}", region=region, own=own),
                f"regions: [{own}]",
            )
        ]
    fix = _("--region {region} uses its own endpoint", region=region) if region in catalog.regional_regions() else ""
    options = _("options are {names}", names=", ".join(available))
    fix = "; ".join(part for part in (fix or nearest(region, list(available)), options) if part)
    return [
        error("model.regions", _("the region {region!r} is not available on the global endpoint", region=region), fix)
    ]


@rule("M04", link=links.API_MODEL)
def one_region(context: CheckContext) -> Outcomes:
    """A model lives in exactly one region."""
    regions = context.model.regions
    if regions is None or len(regions) == 1:
        return []
    fix = f"regions: [{regions[0] if regions else catalog.default_region()}]"
    return [error("model.regions", _("exactly one region is wanted, not {count}", count=len(regions)), fix)]


@rule("S14", link=links.REGIONAL)
def machine_type(context: CheckContext) -> Outcomes:
    """The machine type exists and is one of the endpoint: MLS1 on the global one, N1 on regional ones.

    The list of N1 types is remembered: one that is not in it only warns.
    """
    name = context.version.machineType
    if name is None:
        return []
    regional = context.target.regional
    default = catalog.default_machine_type(regional).name
    if catalog.machine_type(name) is None and not _N1.fullmatch(name):
        return [
            error(
                "version.machineType", _("there is no machine type {name!r}", name=name), _machine_fix(name, regional)
            )
        ]
    if (context.family == "N1") != regional:
        if regional:
            here = _("regional endpoints have N1 machines only")
            fix = _("use {name}, or leave --region out for the global endpoint", name=default)
        else:
            here = _("the global endpoint has MLS1 machines only")
            fix = _("use {name}, or add --region for a regional endpoint", name=default)
        return [error("version.machineType", _("{name} does not fit the endpoint: {here}", name=name, here=here), fix)]
    if catalog.machine_type(name) is None:
        return [
            warning(
                "version.machineType",
                _("{name} is not a known machine type", name=name),
                _machine_fix(name, regional),
            )
        ]
    return []


@rule("S15", link=links.MACHINE_TYPES)
def accelerator(context: CheckContext) -> Outcomes:
    """Accelerators need an N1 machine and TensorFlow or a container, a known type and a count above 0."""
    config = context.version.acceleratorConfig
    if config is None:
        return []
    found = []
    field = "version.acceleratorConfig"
    if context.family == "MLS1":
        found.append(error(field, _("MLS1 machines take no accelerator"), _("leave it out, or use --region")))
    if context.framework in ("SCIKIT_LEARN", "XGBOOST") and context.version.container is None:
        found.append(
            error(
                field,
                _("{framework} models are served without accelerators", framework=context.framework),
                _("leave it out"),
            )
        )
    if config.type is not None and config.type not in catalog.accelerators():
        fix = _nearest_of(config.type, catalog.accelerators())
        found.append(error(f"{field}.type", _("there is no accelerator {type!r}", type=config.type), fix))
    if config.count is not None and config.count < 1:
        found.append(error(f"{field}.count", _("the count is {count}", count=config.count), "count: 1"))
    return found


@rule("S22", link=links.API)
def scale_to_zero(context: CheckContext) -> Outcomes:
    """N1 machines keep at least one node; only MLS1 machines scale to zero."""
    scaling = context.version.autoScaling
    if scaling is None or scaling.minNodes is None:
        return []
    if context.version.machineType and catalog.machine_type(context.version.machineType) is None:
        return Skipped(_("the family of {machineType} is not known", machineType=context.version.machineType))
    if scaling.minNodes < 0:
        return [
            error(
                "version.autoScaling.minNodes",
                _("minNodes is {minNodes}", minNodes=scaling.minNodes),
                "minNodes: 1",
            )
        ]
    if scaling.minNodes == 0 and context.family == "N1":
        text = _("N1 machines keep at least one node; only MLS1 machines of the global endpoint scale to zero")
        return [error("version.autoScaling.minNodes", text, "minNodes: 1")]
    return []


def _machine_fix(name: str, regional: bool) -> str:
    family = "N1" if regional else "MLS1"
    known = [row for row in catalog.machine_types() if row.family == family]
    for row in catalog.machine_types():
        if row.formerly == name:
            if row in known:
                return _("it is called {name} now", name=row.name)
            return _("it is called {name} now; this endpoint has {other}", name=row.name, other=known[0].name)
    return nearest(name, [row.name for row in known]) or _one_of(row.name for row in known[:5])


def _nearest_of(word: str, known: Sequence[str]) -> str:
    return nearest(word, list(known)) or _one_of(known)


def _one_of(names: Iterable[str]) -> str:
    return _("one of {names}", names=", ".join(names))
