"""Lazy attributes of a package: names are imported on first use."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def lazy_getattr(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Build the `__getattr__` of a package (PEP 562).

    Args:
        package: The dotted name of the package.
        homes: Each name of the package → the submodule that defines the name. A name must not be that of a submodule:
            once the submodule is imported, the name would refer to the module.

    Returns:
        The function to assign to `__getattr__`.
    """

    def attribute(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)

    return attribute
