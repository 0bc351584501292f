"""Build a source distribution for `packageUris` from plain modules, without a setup.py by hand.

::

    package ─► collect (find the files) ─► lint (syntax and imports, by their text) ─► write (reproducible archive)
"""

from __future__ import annotations

from aip_magics.sdist.build import Package, package

__all__ = ["Package", "package"]
