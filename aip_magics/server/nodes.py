"""The nodes that serve, of all versions; one version's are a `serving.group.NodeGroup`."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from aip_magics.server.names import VersionKey
from aip_magics.server.serving.group import NodeGroup as NodeGroup
from aip_magics.server.serving.group import StartWorker
from aip_magics.server.serving.journals import Journals
from aip_magics.server.serving.recipe import Recipe as Recipe
from aip_magics.server.serving.scaling import IDLE_SECONDS, NODES_PER_CORE, Scale
from aip_magics.spec import Version

if TYPE_CHECKING:
    from aip_magics.prediction import LoadedModel

log = logging.getLogger(__name__)


class Nodes:
    """The groups of all versions that were asked for since the server started.

    `on_closed` is told of every version whose workers are to be gone, whether it had some or not.
    """

    def __init__(
        self,
        start_worker: StartWorker,
        on_loaded: Callable[[VersionKey, LoadedModel], None],
        *,
        journals: Journals | None = None,
        on_closed: Callable[[VersionKey], None] = lambda _: None,
        cores: int = 1,
        idle_seconds: float = IDLE_SECONDS,
        merge: bool = False,
    ) -> None:
        self._start_worker = start_worker
        self._on_loaded = on_loaded
        self._journals = journals
        self._on_closed = on_closed
        self._cores = cores
        self._idle_seconds = idle_seconds
        self._merge = merge
        self._groups: dict[VersionKey, NodeGroup] = {}

    def find(self, key: VersionKey) -> NodeGroup | None:
        return self._groups.get(key)

    def group(self, recipe: Recipe) -> NodeGroup:
        """The group of this version, made if need be; no process is started by that."""
        key = recipe.key
        if key not in self._groups:
            self._groups[key] = NodeGroup(
                dataclasses.replace(recipe, scale=self._affordable(key, recipe.scale)),
                self._start_worker,
                lambda loaded: self._on_loaded(key, loaded),
                idle_seconds=self._idle_seconds,
                merge=self._merge,
            )
        return self._groups[key]

    def rescale(self, key: VersionKey, version: Version) -> None:
        """Follow a version that was changed: its scaling (nodes are started or ended at once), its request log."""
        if self._journals:
            self._journals.of(key).log_requests(version.requestLoggingConfig)
        if group := self._groups.get(key):
            group.rescale(self._affordable(key, Scale.of(version)))

    def threads(self, recipe: Recipe) -> int:
        """How many threads each node of a version may use, so that all of them together fit the processors."""
        return max(1, self._cores // recipe.scale.most)

    async def close(self, key: VersionKey) -> None:
        """End the workers of a version."""
        if group := self._groups.pop(key, None):
            await group.close()
        self._on_closed(key)

    async def close_all(self) -> None:
        await asyncio.gather(*(self.close(key) for key in list(self._groups)))

    def _affordable(self, key: VersionKey, scale: Scale) -> Scale:
        most = NODES_PER_CORE * self._cores
        if scale.most > most:
            log.warning("%s: at most %d nodes serve on %d processors, not %d", key.name, most, self._cores, scale.most)
        elif scale.most > self._cores:
            log.warning("%s: up to %d nodes share %d processors", key.name, scale.most, self._cores)
        return scale.capped(most)
