"""Local environments of runtime versions: the same Python and libraries that a model would find on the service.

::

    prepare_environment ─► build_pins (catalog) ─► find_python ─► build with uv, once ─► RuntimeEnvironment
"""

from __future__ import annotations

from aip_magics.prediction.environments.build import EnvironmentUnavailable, RuntimeEnvironment, prepare_environment
from aip_magics.prediction.environments.pins import build_pins
from aip_magics.prediction.environments.pythons import find_python

__all__ = ["EnvironmentUnavailable", "RuntimeEnvironment", "build_pins", "find_python", "prepare_environment"]
