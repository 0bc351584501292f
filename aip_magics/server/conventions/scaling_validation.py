"""How many nodes a version may ask for: autoScaling and manualScaling, at create and in a patch."""

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


def check_scaling(given: Version) -> None:
    """InvalidArgument for counts that make no sense. That the two exclude each other is S21, the least of N1 is S22."""
    if given.manualScaling and not 1 <= (given.manualScaling.nodes or 0) <= _MAX_NODES:
        raise violation(InvalidArgument, f"{_MANUAL}.nodes", "At least one node is required.")
    if auto := given.autoScaling:
        least = auto.minNodes or 0
        if not 0 <= least <= _MAX_NODES:
            raise violation(InvalidArgument, f"{_AUTO}.min_nodes", "It must not be negative.")
        if auto.maxNodes is not None and not max(1, least) <= auto.maxNodes <= _MAX_NODES:
            text = "It must be at least 1 and not below minNodes."
            raise violation(InvalidArgument, f"{_AUTO}.max_nodes", text)
        _metrics(auto, given)


def _metrics(auto: AutoScaling, given: Version) -> None:
    for number, metric in enumerate(auto.metrics or ()):
        where = f"{_AUTO}.metrics[{number}]"
        if _family(given) != "N1":
            raise violation(InvalidArgument, where, "Metrics need a Compute Engine (N1) machine type.")
        if metric.name in (None, "METRIC_NAME_UNSPECIFIED"):
            raise violation(InvalidArgument, f"{where}.name", "One of CPU_USAGE, GPU_DUTY_CYCLE is required.")
        if metric.name == "GPU_DUTY_CYCLE" and not given.acceleratorConfig:
            raise violation(InvalidArgument, f"{where}.name", "GPU_DUTY_CYCLE needs an accelerator.")
        if metric.target is not None and not 1 <= metric.target <= 100:
            raise violation(InvalidArgument, f"{where}.target", "A target is a percentage from 1 to 100.")


def check_patch(changed: Version, paths: Collection[str]) -> None:
    """FailedPrecondition where the service lets the number of nodes not be changed: `manualScaling` needs N1."""
    if _touched(paths, "manualScaling") and _family(changed) != "N1":
        raise _needs_n1(changed)


def one_kind(changed: Version, paths: Collection[str]) -> Version:
    """A patch of one kind of scaling replaces the other: in the API they are one field."""
    auto, manual = _touched(paths, "autoScaling"), _touched(paths, "manualScaling")
    if auto and not manual:
        return changed.replace(manualScaling=None)
    return changed.replace(autoScaling=None) if manual and not auto else changed


def differ(one: Version, other: Version) -> bool:
    """Whether the two ask for other numbers of nodes."""
    return (one.autoScaling, one.manualScaling) != (other.autoScaling, other.manualScaling)


def _touched(paths: Collection[str], field: str) -> bool:
    return any(path.partition(".")[0] == field for path in paths)


def _family(version: Version) -> str | None:
    known = catalog.machine_type(version.machineType or "")
    return known.family if known else None


def _needs_n1(version: Version) -> ApiError:
    text = (
        f"The number of nodes cannot be updated with the machine type '{version.machineType}': manual scaling needs a "
        "Compute Engine (N1) machine type for that. Please update autoScaling.minNodes instead."
    )
    return violation(FailedPrecondition, f"{_MANUAL}.nodes", text)
