"""Rules about the endpoint, its regions and its machines."""

from __future__ import annotations

import re

from aip_magics import catalog
from aip_magics.checks import links
from aip_magics.checks.base import Outcomes, Skipped, Subject, error, rule, warning
from aip_magics.spec import nearest

_N1 = re.compile(r"n1-(standard|highmem|highcpu)-\d+")


@rule("E01", link=links.DEPRECATIONS)
def service_ended(subject: Subject) -> Outcomes:
    """Google shut AI Platform Prediction down on 2025-01-31; only compatible endpoints still answer."""
    if not subject.target.is_google:
        return []
    text = "Google shut AI Platform Prediction down on 2025-01-31: this endpoint takes no deployments any more"
    return [warning("target", text, "deploy with --target local, or name a compatible endpoint")]


@rule("M03", link=links.REGIONAL)
def region_available(subject: Subject) -> Outcomes:
    """The model's region is one of the endpoint: its own on a regional endpoint, five on the global one.

    Compatible endpoints may have other regions: there it only warns.
    """
    regions, own = subject.model.regions, subject.target.region
    if own is not None and own not in catalog.regional_regions():
        fix = nearest(own, list(catalog.regional_regions())) or f"one of {', '.join(catalog.regional_regions())}"
        level = warning if subject.target.is_cloud and not subject.target.is_google else error
        return [level("region", f"there is no regional endpoint in {own!r}", fix)]
    if not regions:
        return []
    available = (own,) if own else catalog.global_regions()
    region = regions[0]
    if region in available:
        return []
    if own:
        return [error("model.regions", f"{region} is not the region of the endpoint {own}", f"regions: [{own}]")]
    fix = f"--region {region} uses its own endpoint" if region in catalog.regional_regions() else ""
    options = f"options are {', '.join(available)}"
    fix = "; ".join(part for part in (fix or nearest(region, list(available)), options) if part)
    return [error("model.regions", f"the region {region!r} is not available on the global endpoint", fix)]


@rule("M04", link=links.API_MODEL)
def one_region(subject: Subject) -> Outcomes:
    """A model lives in exactly one region."""
    regions = subject.model.regions
    if regions is None or len(regions) == 1:
        return []
    fix = f"regions: [{regions[0] if regions else catalog.default_region()}]"
    return [error("model.regions", f"exactly one region is wanted, not {len(regions)}", fix)]


@rule("S14", link=links.REGIONAL)
def machine_type(subject: Subject) -> Outcomes:
    """The machine type exists and is one of the endpoint: MLS1 on the global one, N1 on regional ones.

    The list of N1 types is remembered: one that is not in it only warns.
    """
    name = subject.version.machineType
    if name is None:
        return []
    regional = subject.target.regional
    default = catalog.default_machine_type(regional).name
    if catalog.machine_type(name) is None and not _N1.fullmatch(name):
        return [error("version.machineType", f"there is no machine type {name!r}", _machine_fix(name, regional))]
    if (subject.family == "N1") != regional:
        here = "regional endpoints have N1 machines only" if regional else "the global endpoint has MLS1 machines only"
        other = "leave --region out for the global endpoint" if regional else "add --region for a regional endpoint"
        return [error("version.machineType", f"{name} does not fit the endpoint: {here}", f"use {default}, or {other}")]
    if catalog.machine_type(name) is None:
        return [warning("version.machineType", f"{name} is not a known machine type", _machine_fix(name, regional))]
    return []


@rule("S15", link=links.MACHINE_TYPES)
def accelerator(subject: Subject) -> Outcomes:
    """Accelerators need an N1 machine and TensorFlow or a container, a known type and a count above 0."""
    config = subject.version.acceleratorConfig
    if config is None:
        return []
    found = []
    field = "version.acceleratorConfig"
    if subject.family == "MLS1":
        found.append(error(field, "MLS1 machines take no accelerator", "leave it out, or use --region"))
    if subject.framework in ("SCIKIT_LEARN", "XGBOOST") and subject.version.container is None:
        found.append(error(field, f"{subject.framework} models are served without accelerators", "leave it out"))
    if config.type is not None and config.type not in catalog.accelerators():
        fix = nearest(config.type, list(catalog.accelerators())) or f"one of {', '.join(catalog.accelerators())}"
        found.append(error(f"{field}.type", f"there is no accelerator {config.type!r}", fix))
    if config.count is not None and config.count < 1:
        found.append(error(f"{field}.count", f"the count is {config.count}", "count: 1"))
    return found


@rule("S22", link=links.API)
def scale_to_zero(subject: Subject) -> Outcomes:
    """N1 machines keep at least one node; only MLS1 machines scale to zero."""
    scaling = subject.version.autoScaling
    if scaling is None or scaling.minNodes is None:
        return []
    if subject.version.machineType and catalog.machine_type(subject.version.machineType) is None:
        return Skipped(f"the family of {subject.version.machineType} is not known")
    if scaling.minNodes < 0:
        return [error("version.autoScaling.minNodes", f"minNodes is {scaling.minNodes}", "minNodes: 1")]
    if scaling.minNodes == 0 and subject.family == "N1":
        text = "N1 machines keep at least one node; only MLS1 machines of the global endpoint scale to zero"
        return [error("version.autoScaling.minNodes", text, "minNodes: 1")]
    return []


def _machine_fix(name: str, regional: bool) -> str:
    family = "N1" if regional else "MLS1"
    known = [row for row in catalog.machine_types() if row.family == family]
    for row in catalog.machine_types():
        if row.formerly == name:
            return f"it is called {row.name} now" + (f"; this endpoint has {known[0].name}" if row not in known else "")
    return nearest(name, [row.name for row in known]) or f"one of {', '.join(row.name for row in known[:5])}"
