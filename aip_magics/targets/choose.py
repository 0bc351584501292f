"""From settings to a target. A further target joins as a file beside this one and a line here."""

from __future__ import annotations

from aip_magics.settings import Settings
from aip_magics.targets.aiplatform import AiPlatformTarget
from aip_magics.targets.base import Target
from aip_magics.targets.local import LocalTarget


def choose(settings: Settings) -> Target:
    """The target of these settings. Nothing is contacted or started yet."""
    return {"local": LocalTarget, "aiplatform": AiPlatformTarget}[settings.target.value](settings)
