"""Custom code: inspect, build and install source distributions and wheels for the interpreter that predicts.

::

    install ─► examine (runs nothing) ─► build and install with uv ─► check_requirements
"""

from __future__ import annotations

from aip_magics.prediction.packages.install import install

__all__ = ["install"]
