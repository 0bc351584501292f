"""Paths of the files that transfers keep between runs, in the data directory."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from aip_magics.storage.digest_cache import DigestCache


@dataclasses.dataclass(frozen=True)
class TransferPaths:
    """`checkpoints`: directory of unfinished uploads. `digests`: cache of file digests."""

    checkpoints: Path
    digests: DigestCache

    @classmethod
    def below(cls, data_dir: Path) -> TransferPaths:
        """The paths in this data directory."""
        return cls(data_dir / "uploads", DigestCache(data_dir / "digests.sqlite"))
