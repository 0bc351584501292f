"""Choice of the target by the settings."""

from __future__ import annotations

from aip_magics import target_types
from aip_magics.settings import Settings
from aip_magics.targets.base import Target


def choose(settings: Settings) -> Target:
    """Create the target of these settings, without any request and without starting a server."""
    found = target_types.get(settings.target.value)
    target: Target = found.load()(settings)
    return target
