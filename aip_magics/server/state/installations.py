"""What was installed for versions: packages and environments. They are kept for the versions that exist.

Entries are named by content, so that versions and notebooks share them. Blocking: call the methods in a thread.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Collection, Iterable
from pathlib import Path

from aip_magics.directory_cache import MAX_AGE
from aip_magics.errors import PredictionError
from aip_magics.prediction.environments import environment_cache
from aip_magics.prediction.packages import find_entry_names, package_cache
from aip_magics.server.state.version_packages import list_snapshot_packages

Installation = tuple[str | None, str]  # of a version: the name of its snapshot of packages, and its interpreter


class Installations:
    """The caches `packages` and `environments` below `data_dir`; `snapshots` is the directory of snapshots."""

    def __init__(self, data_dir: Path, snapshots: Path) -> None:
        self._snapshots = snapshots
        self.packages = package_cache(data_dir)
        self.environments = environment_cache(data_dir)
        self._names: dict[Installation, frozenset[str]] = {}  # by snapshots, which never change
        self._released: set[str] = set()  # packages of deleted versions that a live process still used

    def release_packages(self, released: Installation, used: Collection[Installation]) -> None:
        """Delete the packages of a version that is gone, unless another version or a live process uses them.

        Call it before the snapshot is deleted.
        """
        try:
            kept = self.find_packages(used)
            self._released = (self._released | self.find_packages([released])) - kept
        except PredictionError:  # they are removed later, as old ones
            return
        self.packages.remove_unused(lambda name: name not in self._released)
        self._released = {name for name in self._released if (self.packages.root / name).is_dir()}
        self._names.pop(released, None)

    def remove_old(self, used: Collection[Installation]) -> None:
        """Delete packages and environments that no version uses, and that were not used for 30 days."""
        with contextlib.suppress(PredictionError):
            self.packages.remove_unused(
                lambda name: name in self.find_packages(used), max_bytes=math.inf, max_age=MAX_AGE
            )
        self.environments.remove_unused(lambda name: is_environment_of(name, used), max_bytes=math.inf, max_age=MAX_AGE)

    def find_packages(self, installations: Iterable[Installation]) -> set[str]:
        """Find the names in the cache of packages that these versions use.

        PredictionError if an interpreter exists, but cannot be run: on a busy machine it may only take too long.
        """
        names: set[str] = set()
        for snapshot, python in installations:
            if snapshot is None:
                continue
            if (snapshot, python) not in self._names:
                try:
                    archives = list_snapshot_packages(self._snapshots / snapshot)
                    self._names[snapshot, python] = find_entry_names(archives, python)
                except PredictionError:
                    if Path(python).exists():
                        raise
                    continue  # without its Python the version cannot be served
            names |= self._names[snapshot, python]
        return names


def is_environment_of(name: str, installations: Iterable[Installation]) -> bool:
    """Whether an interpreter is in the environment of this name; the data directory may have several paths."""
    return any(name in Path(python).parts for _packages, python in installations)
