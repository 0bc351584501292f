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


@rule("E01", "service-shut-down", link=links.DEPRECATIONS)
def service_shut_down(context: CheckContext) -> Outcomes:
    """Google shut down AI Platform Prediction on 2025-01-31; only compatible endpoints still accept deployments."""
    if not context.target.is_google:
        return []
    text = _("Google shut down AI Platform Prediction on 2025-01-31: the endpoint no longer accepts deployments")
    return [warning("target", text, _("deploy with --target local, or use a compatible endpoint"))]


@rule("M03", "unavailable-region", link=links.REGIONAL)
def unavailable_region(context: CheckContext) -> Outcomes:
    """The model's region must be available on the endpoint: a regional one has its own, the global one has five.

    Compatible endpoints may have other regions, so for them this is only a warning.
    """
    regions, own = context.model.regions, context.target.region
    if own is not None and own not in catalog.regional_regions():
        fix = _nearest_or_list(own, catalog.regional_regions())
        level = warning if context.target.is_cloud and not context.target.is_google else error
        return [level("region", _("region {region!r} has no regional endpoint", region=own), fix)]
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
                _("region {region} is not the endpoint's region {own}", region=region, own=own),
                f"regions: [{own}]",
            )
        ]
    fix = (
        _("add --region {region} to use the endpoint of that region", region=region)
        if region in catalog.regional_regions()
        else ""
    )
    options = _("choose one of {names}", names=", ".join(available))
    fix = "; ".join(part for part in (fix or nearest(region, list(available)), options) if part)
    return [error("model.regions", _("region {region!r} is not available on the global endpoint", region=region), fix)]


@rule("M04", "invalid-region-count", link=links.API_MODEL)
def invalid_region_count(context: CheckContext) -> Outcomes:
    """A model must have exactly one region."""
    regions = context.model.regions
    if regions is None or len(regions) == 1:
        return []
    fix = f"regions: [{regions[0] if regions else catalog.default_region()}]"
    return [error("model.regions", _("expected exactly one region, got {count}", count=len(regions)), fix)]


@rule("S14", "invalid-machine-type", link=links.REGIONAL)
def invalid_machine_type(context: CheckContext) -> Outcomes:
    """The machine type must exist and be available on the endpoint: MLS1 on the global one, N1 on regional ones.

    The list of N1 types is inferred, so a type that is not in the list is only a warning.
    """
    name = context.version.machineType
    if name is None:
        return []
    regional = context.target.regional
    default = catalog.default_machine_type(regional).name
    if catalog.machine_type(name) is None and not _N1.fullmatch(name):
        return [
            error("version.machineType", _("unknown machine type {name!r}", name=name), _machine_fix(name, regional))
        ]
    if (context.family == "N1") != regional:
        if regional:
            text = _("{name} is not available: regional endpoints offer only N1 machines", name=name)
            fix = _("use {name}, or omit --region for the global endpoint", name=default)
        else:
            text = _("{name} is not available: the global endpoint offers only MLS1 machines", name=name)
            fix = _("use {name}, or add --region for a regional endpoint", name=default)
        return [error("version.machineType", text, fix)]
    if catalog.machine_type(name) is None:
        return [
            warning(
                "version.machineType",
                _("{name} is not in the list of N1 machine types", name=name),
                _machine_fix(name, regional),
            )
        ]
    return []


@rule("S15", "invalid-accelerator", link=links.MACHINE_TYPES)
def invalid_accelerator(context: CheckContext) -> Outcomes:
    """Accelerators require an N1 machine, TensorFlow or a container, a known type and a count above 0."""
    config = context.version.acceleratorConfig
    if config is None:
        return []
    found = []
    field = "version.acceleratorConfig"
    if context.family == "MLS1":
        found.append(
            error(field, _("MLS1 machines do not support accelerators"), _("omit acceleratorConfig, or use --region"))
        )
    if context.framework in ("SCIKIT_LEARN", "XGBOOST") and context.version.container is None:
        found.append(
            error(
                field,
                _("{framework} models are served without accelerators", framework=context.framework),
                _("omit {field}", field="acceleratorConfig"),
            )
        )
    if config.type is not None and config.type not in catalog.accelerators():
        fix = _nearest_or_list(config.type, catalog.accelerators())
        found.append(error(f"{field}.type", _("unknown accelerator {type!r}", type=config.type), fix))
    if config.count is not None and config.count < 1:
        found.append(
            error(
                f"{field}.count", _("accelerator count is {count}, expected at least 1", count=config.count), "count: 1"
            )
        )
    return found


@rule("S22", "invalid-min-nodes", link=links.API)
def invalid_min_nodes(context: CheckContext) -> Outcomes:
    """minNodes must be at least 1 on N1 machines; only MLS1 machines scale to zero."""
    scaling = context.version.autoScaling
    if scaling is None or scaling.minNodes is None:
        return []
    if context.version.machineType and catalog.machine_type(context.version.machineType) is None:
        return Skipped(_("the machine family of {machineType} is unknown", machineType=context.version.machineType))
    if scaling.minNodes < 0:
        return [
            error(
                "version.autoScaling.minNodes",
                _("minNodes is {minNodes}, expected at least 0", minNodes=scaling.minNodes),
                "minNodes: 1",
            )
        ]
    if scaling.minNodes == 0 and context.family == "N1":
        text = _("N1 machines keep at least one node; only MLS1 machines on the global endpoint scale to zero")
        return [error("version.autoScaling.minNodes", text, "minNodes: 1")]
    return []


def _machine_fix(name: str, regional: bool) -> str:
    family = "N1" if regional else "MLS1"
    known = [row for row in catalog.machine_types() if row.family == family]
    for row in catalog.machine_types():
        if row.formerly == name:
            if row in known:
                return _("use {name}, the new name of the machine type", name=row.name)
            return _(
                "use {other}; {name}, the new name of the machine type, is not available on this endpoint",
                name=row.name,
                other=known[0].name,
            )
    return nearest(name, [row.name for row in known]) or _one_of(row.name for row in known[:5])


def _nearest_or_list(word: str, known: Sequence[str]) -> str:
    return nearest(word, list(known)) or _one_of(known)


def _one_of(names: Iterable[str]) -> str:
    return _("use one of {names}", names=", ".join(names))
