"""Custom code: inspect, build and install source distributions and wheels for the interpreter that predicts.

::

    install ─► examine (runs nothing) ─► build and install with uv ─► check_requirements
"""

from __future__ import annotations

from aip_magics.prediction.packages.install import find_entry_names, install, package_cache

__all__ = ["find_entry_names", "install", "package_cache"]
