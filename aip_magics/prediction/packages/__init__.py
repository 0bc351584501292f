"""Custom code: source distributions and wheels, looked at, built and installed for the interpreter that predicts.

::

    install ─► examine (nothing is run) ─► uv builds and installs ─► lacking (are its requirements there?)
"""

from __future__ import annotations

from aip_magics.prediction.packages.install import install

__all__ = ["install"]
