"""Local environments of runtime versions: the same Python and libraries that a model would find on the service.

::

    environment ─► pins_of (catalog) ─► find_python ─► build with uv ─► RuntimeEnvironment | EnvironmentUnavailable
"""

from __future__ import annotations

from aip_magics.prediction.environments.build import EnvironmentUnavailable, RuntimeEnvironment, environment
from aip_magics.prediction.environments.pins import pins_of
from aip_magics.prediction.environments.pythons import find_python

__all__ = ["EnvironmentUnavailable", "RuntimeEnvironment", "environment", "find_python", "pins_of"]
