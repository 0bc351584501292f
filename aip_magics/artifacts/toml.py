"""TOML by the parser that this Python has: tomllib came with 3.11; tomli is the same for 3.10."""

from __future__ import annotations

import importlib
import sys
from typing import Any


def loads(text: str) -> dict[str, Any]:
    """The tables of a TOML text. ValueError where it is none."""
    parser = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    found: dict[str, Any] = parser.loads(text)
    return found
