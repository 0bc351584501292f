"""The node groups of all versions; `serving.node_group.NodeGroup` holds the nodes of one."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from aip_magics.server.names import VersionKey
from aip_magics.server.serving.autoscaler import IDLE_SECONDS, NODES_PER_CORE, ScalingBounds
from aip_magics.server.serving.node_budget import NodeBudget
from aip_magics.server.serving.node_group import NodeGroup as NodeGroup
from aip_magics.server.serving.node_spec import NodeSpec as NodeSpec
from aip_magics.server.serving.node_start import StartWorker
from aip_magics.spec import Version

if TYPE_CHECKING:
    from aip_magics.prediction import LoadedModel

log = logging.getLogger(__name__)


class NodeGroups:
    """The groups of all versions that were asked for since the server started.

    `on_closed` is told of every version whose workers are to be gone, whether it had some or not.
    """

    def __init__(
        self,
        start_worker: StartWorker,
        on_loaded: Callable[[VersionKey, LoadedModel], None],
        *,
        on_closed: Callable[[VersionKey], None] = lambda _: None,
        budget: NodeBudget | None = None,
        cores: int = 1,
        idle_seconds: float = IDLE_SECONDS,
        batching: bool = False,
    ) -> None:
        self._start_worker = start_worker
        self._on_loaded = on_loaded
        self._on_closed = on_closed
        self.budget = budget or NodeBudget()
        self._cores = cores
        self._idle_seconds = idle_seconds
        self._batching = batching
        self._groups: dict[VersionKey, NodeGroup] = {}
        self._closing: set[NodeGroup] = set()  # no longer found, but their workers are not gone yet

    def find(self, key: VersionKey) -> NodeGroup | None:
        return self._groups.get(key)

    def group(self, node_spec: NodeSpec) -> NodeGroup:
        """The group of this version, made if need be; no process is started by that."""
        key = node_spec.key
        if key not in self._groups:
            self._groups[key] = NodeGroup(
                dataclasses.replace(node_spec, scale=self._affordable(key, node_spec.scale)),
                self._start_worker,
                lambda loaded: self._on_loaded(key, loaded),
                budget=self.budget,
                idle_seconds=self._idle_seconds,
                batching=self._batching,
            )
        return self._groups[key]

    def rescale(self, key: VersionKey, version: Version) -> None:
        """Apply the changed scaling of a version: nodes are started or ended immediately."""
        if group := self._groups.get(key):
            group.rescale(self._affordable(key, ScalingBounds.of(version)))

    def threads(self, node_spec: NodeSpec) -> int:
        """How many threads each node of a version may use, so that all of them together fit the processors."""
        return max(1, self._cores // node_spec.scale.max_nodes)

    async def close(self, key: VersionKey, drain_seconds: float = 0.0) -> None:
        """End the workers of a version, once the requests that they have are answered or so much time has passed."""
        if group := self._groups.pop(key, None):
            self._closing.add(group)
            await group.drain(drain_seconds)
            await group.close()
            self._closing.discard(group)
        self._on_closed(key)

    async def close_all(self) -> None:
        # Those that are being closed, too: when the server is stopped, the request that closes them may be cancelled.
        closing = [group.close() for group in self._closing]
        await asyncio.gather(*closing, *(self.close(key) for key in list(self._groups)))
        self.budget.close()

    def _affordable(self, key: VersionKey, scale: ScalingBounds) -> ScalingBounds:
        most = NODES_PER_CORE * self._cores
        if scale.max_nodes > most:
            log.warning(
                "%s: at most %d nodes serve on %d processors, not %d", key.name, most, self._cores, scale.max_nodes
            )
        elif scale.max_nodes > self._cores:
            log.warning("%s: up to %d nodes share %d processors", key.name, scale.max_nodes, self._cores)
        return scale.capped(most)
