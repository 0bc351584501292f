"""The types of this folder's fixtures: several conftest.py have the same module name, so tests import from here."""

from __future__ import annotations

from collections.abc import Callable

from aip_magics.artifacts import File

MakeFiles = Callable[[dict[str, bytes]], list[File]]
Orphans = Callable[[str], list[str]]
