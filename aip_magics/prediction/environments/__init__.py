"""Local environments: of runtime versions, with the Python and libraries that a model would find on the service, and of
the libraries that saved a model.

::

    prepare_environment ─► build_pins (catalog) ─► find_python ─► build with uv, once ─► RuntimeEnvironment
"""

from __future__ import annotations

from aip_magics.prediction.environments.build import (
    EnvironmentUnavailable,
    RuntimeEnvironment,
    environment_cache,
    is_environment,
    prepare_environment,
    prepare_model_environment,
)
from aip_magics.prediction.environments.pins import build_pins
from aip_magics.prediction.environments.pythons import find_python

__all__ = [
    "EnvironmentUnavailable",
    "RuntimeEnvironment",
    "build_pins",
    "environment_cache",
    "find_python",
    "is_environment",
    "prepare_environment",
    "prepare_model_environment",
]
