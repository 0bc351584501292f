"""Read TOML with the parser of this Python: tomllib since 3.11, tomli (the same parser) on 3.10."""

from __future__ import annotations

import importlib
import sys
from typing import Any


def loads(text: str) -> dict[str, Any]:
    """Return the tables of a TOML text. ValueError if it is not valid TOML."""
    parser = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    tables: dict[str, Any] = parser.loads(text)
    return tables
