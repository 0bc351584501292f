"""Where transfers keep what they remember between runs: below the data directory."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from aip_magics.storage.digests import Digests


@dataclasses.dataclass(frozen=True)
class Transfers:
    """`journal`: the folder of unfinished uploads. `digests`: what files were read before."""

    journal: Path
    digests: Digests


def transfers(data_dir: Path) -> Transfers:
    """The places of this user's transfers."""
    return Transfers(data_dir / "uploads", Digests(data_dir / "digests.sqlite"))
