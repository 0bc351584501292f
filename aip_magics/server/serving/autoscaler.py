"""How many nodes a version should have: a pure function of its bounds and its load."""

from __future__ import annotations

import dataclasses
import math

from aip_magics import catalog
from aip_magics.spec import Version

REQUESTS_PER_NODE = 2  # running or waiting; with more, another node is wanted
COOLDOWN_SECONDS = 60.0  # a node that was not needed for so long is stopped, one after the other
IDLE_SECONDS = 900.0  # without any request: down to the least
NODES_PER_CORE = 4  # more only cost memory


@dataclasses.dataclass(frozen=True)
class ScalingBounds:
    """Between how many nodes a version is served; `min_nodes` 0: none without requests."""

    min_nodes: int = 0
    max_nodes: int = 1

    @classmethod
    def of(cls, version: Version) -> ScalingBounds:
        """As the version asks for. Without `maxNodes` one node serves, or as many as `minNodes` says."""
        if version.manualScaling is not None:
            nodes = max(version.manualScaling.nodes or 1, 1)
            return cls(nodes, nodes)
        auto = version.autoScaling
        least = auto.minNodes if auto and auto.minNodes is not None else _default_least(version.machineType)
        most = auto.maxNodes if auto and auto.maxNodes is not None else 1
        return cls(least, max(most, least, 1))

    def capped(self, nodes: int) -> ScalingBounds:
        """With at most so many nodes."""
        return ScalingBounds(min(self.min_nodes, nodes), min(self.max_nodes, nodes))


def _default_least(machine_type: str | None) -> int:
    # As at the service: its old machines (mls1) scale to zero unless told otherwise, the Compute Engine ones do not.
    known = catalog.machine_type(machine_type) if machine_type else None
    return 0 if known is None or known.family == "MLS1" else 1


@dataclasses.dataclass(frozen=True)
class LoadSnapshot:
    """The load of a version at one moment. Times are seconds of one monotonic clock."""

    nodes: int  # loaded or being started
    outstanding: int  # requests that run or wait
    used: float  # when a request last came or was answered
    needed: float  # when all the nodes were last needed


def nodes_needed(outstanding: int) -> int:
    """How many nodes so many requests need."""
    return math.ceil(outstanding / REQUESTS_PER_NODE)


def desired_nodes(now: float, scale: ScalingBounds, load: LoadSnapshot, idle_seconds: float = IDLE_SECONDS) -> int:
    """How many nodes there should be now: more at once when requests queue, fewer only after a while."""
    if not load.outstanding and now - load.used >= idle_seconds:
        return scale.min_nodes
    keep = load.nodes
    if keep > 1 and now - load.needed >= COOLDOWN_SECONDS:
        keep -= 1
    return min(max(nodes_needed(load.outstanding), scale.min_nodes, keep), scale.max_nodes)


def next_check_at(
    now: float, scale: ScalingBounds, load: LoadSnapshot, idle_seconds: float = IDLE_SECONDS
) -> float | None:
    """When fewer nodes might be wanted if nothing happens until then; None: never."""
    if load.nodes <= scale.min_nodes:
        return None
    due = load.used + idle_seconds
    if load.nodes > 1:
        due = min(due, load.needed + COOLDOWN_SECONDS)
    return max(due, now + 1.0)  # not over and over while one request takes long
