"""Environments of runtime versions: their Python and their libraries on this machine, so that a model meets here what
it would meet in the cloud.

::

    environment ─► pins_of (catalog) ─► find_python ─► uv builds it once ─► Environment | Skipped
"""

from __future__ import annotations

from aip_magics.prediction.environments.build import EnvironmentUnavailable, RuntimeEnvironment, environment
from aip_magics.prediction.environments.pins import pins_of
from aip_magics.prediction.environments.pythons import find_python

__all__ = ["EnvironmentUnavailable", "RuntimeEnvironment", "environment", "find_python", "pins_of"]
