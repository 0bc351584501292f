"""A source distribution from plain modules: what `packageUris` takes, without anyone writing a setup.py.

::

    package ─► collect (the files) ─► inspect (syntax and imports, by their text) ─► write (the same bytes every time)
"""

from __future__ import annotations

from aip_magics.sdist.build import Package, package

__all__ = ["Package", "package"]
