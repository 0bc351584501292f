"""Validation of autoScaling and manualScaling, in create and patch."""

from __future__ import annotations

from collections.abc import Collection

from aip_magics import catalog
from aip_magics.errors import ApiError, FailedPrecondition, InvalidArgument
from aip_magics.server.conventions.error_responses import violation
from aip_magics.spec import AutoScaling, Version

PATCHABLE = (
    "autoScaling",
    "autoScaling.minNodes",
    "autoScaling.maxNodes",
    "autoScaling.metrics",
    "manualScaling",
    "manualScaling.nodes",
)
_MAX_NODES = 2**31 - 1  # the fields are int32
_AUTO, _MANUAL = "version.auto_scaling", "version.manual_scaling"


def check_scaling(requested: Version) -> None:
    """Raise InvalidArgument for invalid numbers of nodes.

    Preflight rules check the rest: S21 that the two exclude each other, S22 the minimum of N1 machines.
    """
    if requested.manualScaling and not 1 <= (requested.manualScaling.nodes or 0) <= _MAX_NODES:
        raise violation(InvalidArgument, f"{_MANUAL}.nodes", "At least one node is required.")
    if auto := requested.autoScaling:
        minimum = auto.minNodes or 0
        if not 0 <= minimum <= _MAX_NODES:
            raise violation(InvalidArgument, f"{_AUTO}.min_nodes", "minNodes must not be negative.")
        if auto.maxNodes is not None and not max(1, minimum) <= auto.maxNodes <= _MAX_NODES:
            text = "maxNodes must be at least 1 and not below minNodes."
            raise violation(InvalidArgument, f"{_AUTO}.max_nodes", text)
        _metrics(auto, requested)


def _metrics(auto: AutoScaling, requested: Version) -> None:
    for number, metric in enumerate(auto.metrics or ()):
        where = f"{_AUTO}.metrics[{number}]"
        if _family(requested) != "N1":
            raise violation(InvalidArgument, where, "Metrics need a Compute Engine (N1) machine type.")
        if metric.name in (None, "METRIC_NAME_UNSPECIFIED"):
            raise violation(InvalidArgument, f"{where}.name", "One of CPU_USAGE, GPU_DUTY_CYCLE is required.")
        if metric.name == "GPU_DUTY_CYCLE" and not requested.acceleratorConfig:
            raise violation(InvalidArgument, f"{where}.name", "GPU_DUTY_CYCLE needs an accelerator.")
        if metric.target is not None and not 1 <= metric.target <= 100:
            raise violation(InvalidArgument, f"{where}.target", "A target must be a percentage from 1 to 100.")


def check_patch(changed: Version, paths: Collection[str]) -> None:
    """Raise FailedPrecondition for a patch of manualScaling without an N1 machine type."""
    if _touched(paths, "manualScaling") and _family(changed) != "N1":
        raise _needs_n1(changed)


def replace_other_scaling(changed: Version, paths: Collection[str]) -> Version:
    """Clear the kind of scaling that a patch of the other kind replaces: in the API they are one field."""
    auto, manual = _touched(paths, "autoScaling"), _touched(paths, "manualScaling")
    if auto and not manual:
        return changed.replace(manualScaling=None)
    return changed.replace(autoScaling=None) if manual and not auto else changed


def scaling_differs(one: Version, other: Version) -> bool:
    """Return whether the scaling of two versions differs."""
    return (one.autoScaling, one.manualScaling) != (other.autoScaling, other.manualScaling)


def _touched(paths: Collection[str], field: str) -> bool:
    return any(path.partition(".")[0] == field for path in paths)


def _family(version: Version) -> str | None:
    known = catalog.machine_type(version.machineType or "")
    return known.family if known else None


def _needs_n1(version: Version) -> ApiError:
    text = (
        f"The number of nodes cannot be updated with the machine type '{version.machineType}': manual scaling "
        "can be updated with a Compute Engine (N1) machine type only. Please update autoScaling.minNodes instead."
    )
    return violation(FailedPrecondition, f"{_MANUAL}.nodes", text)
