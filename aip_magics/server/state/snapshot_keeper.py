"""Creates snapshots for rows and removes those that no row needs, so that neither gets in the way of the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from aip_magics.server.state.database import Database
from aip_magics.server.state.model_snapshots import Files, ModelSnapshots

if TYPE_CHECKING:
    from aip_magics.server.gcs import ObjectStore

ATTEMPTS = 3
T = TypeVar("T")


class SnapshotKeeper:
    """Hold `lock` from the creation of a snapshot until its row is written: until then nothing needs it."""

    def __init__(self, database: Database, object_store: ObjectStore, model_snapshots: ModelSnapshots) -> None:
        self._database = database
        self._object_store = object_store
        self._model_snapshots = model_snapshots
        self.lock = asyncio.Lock()

    async def create_for(self, lists: Sequence[Callable[[], Files]], store: Callable[[Sequence[str]], T]) -> T:
        """Create a snapshot of each list of files; return what `store` returns, which writes their rows.

        When `store` raises, the snapshots are removed.
        """
        names: list[str] = []
        try:
            async with self.lock:
                for list_files in lists:
                    names.append(await self.create(list_files))
                return store(names)
        except Exception:
            await self.release(names)
            raise

    async def create(self, list_files: Callable[[], Files]) -> str:
        """Create a snapshot of the files, listed again when one was replaced after the listing; return its name."""
        for attempt in range(ATTEMPTS):
            files = await asyncio.to_thread(list_files)
            try:
                return await asyncio.to_thread(self._model_snapshots.create, self._object_store, files)
            except FileNotFoundError:
                if attempt + 1 == ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    async def release(self, names: Iterable[str]) -> None:
        """Remove those of the snapshots that no row needs."""
        async with self.lock:
            await self.remove_unused(names)

    async def remove_unused(self, names: Iterable[str]) -> None:
        """As `release`, for a caller that holds the lock."""
        for name in set(names) - self._database.list_snapshots():
            await asyncio.to_thread(self._model_snapshots.remove, name)
