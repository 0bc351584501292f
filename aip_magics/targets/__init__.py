"""Targets: where a deployment goes. A target is an endpoint, a storage, credentials and what it accepts."""

from aip_magics.targets.base import Target
from aip_magics.targets.capabilities import Capability
from aip_magics.targets.choice import Choice
from aip_magics.targets.choose import check_region, choose, load

__all__ = ["Capability", "Choice", "Target", "check_region", "choose", "load"]
