"""Choice of the target by the settings. To add a target, add a module in this folder and an entry here."""

from __future__ import annotations

from aip_magics.settings import Settings
from aip_magics.targets.aiplatform import AiPlatformTarget
from aip_magics.targets.base import Target
from aip_magics.targets.local import LocalTarget


def choose(settings: Settings) -> Target:
    """Create the target of these settings, without any request and without starting a server."""
    return {"local": LocalTarget, "aiplatform": AiPlatformTarget}[settings.target.value](settings)
