"""`server disk`: what the data directory holds, and how much of it nothing uses."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from aip_magics.targets import local


@dataclasses.dataclass(frozen=True)
class DiskKind:
    """What a kind of files occupies.

    Attributes:
        name: The kind: `models`, `objects`, `packages` …
        entries: The number of models, objects, packages …
        bytes: The bytes on the disk.
        shared_bytes: Further bytes, which are those of objects: a model is hard links to its objects.
        unused_bytes: The bytes that nothing uses.
    """

    name: str
    entries: int
    bytes: int
    shared_bytes: int
    unused_bytes: int

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "entries": self.entries,
            "bytes": self.bytes,
            "sharedBytes": self.shared_bytes,
            "unusedBytes": self.unused_bytes,
        }


@dataclasses.dataclass(frozen=True)
class UnusedEntry:
    """An entry that nothing uses: of which kind, its name, and its bytes on the disk."""

    kind: str
    name: str
    bytes: int

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class DiskUsage:
    """What the data directory holds.

    Attributes:
        data_dir: The data directory.
        running: Whether its server is running.
        kinds: What each kind of files occupies; after `--prune --yes`, without what was deleted.
        unused: What nothing uses; with `--prune --yes`, what was deleted.
        pruning: None without `--prune`; else whether `unused` was deleted, or would be.
    """

    panel_kind: ClassVar[str] = "disk"
    data_dir: Path
    running: bool
    kinds: tuple[DiskKind, ...]
    unused: tuple[UnusedEntry, ...] = ()
    pruning: bool | None = None

    @property
    def bytes(self) -> int:
        """The bytes of all kinds."""
        return sum(kind.bytes for kind in self.kinds)

    @property
    def unused_bytes(self) -> int:
        """The bytes of `unused`."""
        return sum(entry.bytes for entry in self.unused)

    def to_json(self) -> dict[str, Any]:
        entries = [entry.to_json() for entry in self.unused]
        return {
            "dataDir": str(self.data_dir),
            "running": self.running,
            "bytes": self.bytes,
            "kinds": [kind.to_json() for kind in self.kinds],
            **({"freedBytes": self.unused_bytes, "deleted": entries} if self.pruning else {}),
            **({} if self.pruning else {"unusedBytes": self.unused_bytes, "unused": entries}),
        }


def measure(data_dir: Path, *, prune: bool, confirmed: bool) -> DiskUsage:
    """Measure the data directory; with `prune` and `confirmed`, delete what nothing uses."""
    is_deleting = prune and confirmed
    report = local.measure_disk(data_dir, prune=is_deleting)
    kinds: Mapping[str, Mapping[str, int]] = report["kinds"]
    return DiskUsage(
        data_dir,
        report["running"],
        tuple(
            DiskKind(name, kind["entries"], kind["bytes"], kind["sharedBytes"], kind["unusedBytes"])
            for name, kind in kinds.items()
        ),
        tuple(UnusedEntry(**entry) for entry in report["deleted" if is_deleting else "unused"]),
        is_deleting if prune else None,
    )
