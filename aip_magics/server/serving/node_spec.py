"""The specification of a node: the model, the interpreter and the packages it serves with."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from aip_magics.server.names import VersionKey
from aip_magics.server.serving.autoscaler import ScalingBounds


@dataclasses.dataclass(frozen=True)
class NodeSpec:
    """What a node serves. `packages` are the archives to install before, in this order."""

    key: VersionKey
    model_dir: Path
    framework: str | None
    python: str
    packages: tuple[Path, ...] = ()
    prediction_class: str | None = None
    package_uris: tuple[str, ...] = ()
    scale: ScalingBounds = dataclasses.field(default_factory=ScalingBounds)

    @property
    def batchable(self) -> bool:
        """Whether a prediction depends on its own instance only, as far as we can know: not where code is custom."""
        return not (self.prediction_class or self.packages)
