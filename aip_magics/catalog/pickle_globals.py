"""Which globals an untrusted pickle may name, and how it may use each: `pickle_globals.json`.

The file is JSON, since the worker reads it with the standard library of Python 3.5. What the modes mean and why each
name is in the list, or is not, stands in `pickle_judgements.toml`.
"""

from __future__ import annotations

import functools
import json
import sys
from pathlib import Path
from typing import Any

_NONE: frozenset[str] = frozenset()


def path() -> Path:
    """The file of the list."""
    return Path(__file__).parent / "pickle_globals.json"


def modes(module: str, name: str) -> frozenset[str]:
    """How an untrusted pickle may use this global: `new`, `call`, `value` or a special mode. Empty: not at all."""
    words = _list()["globals"].get(module, {}).get(name)
    return frozenset(words.split()) if words else _NONE


def is_library(module: str) -> bool:
    """Whether a module is Python's own, or of a library whose names the list judges: no package has it."""
    top = module.partition(".")[0]
    return top in sys.stdlib_module_names or top in libraries()


def rebuilds(module: str, name: str) -> bool:
    """Whether this function makes instances of the classes that it is given, as its arguments, without more."""
    return f"{module}:{name}" in _list()["rebuilders"]


def guards(module: str, name: str) -> dict[str, frozenset[str]]:
    """Attributes of this class that hold a name it looks up, each with the names that it may hold."""
    held: dict[str, list[str]] = _list()["guards"].get(f"{module}:{name}", {})
    return {attribute: frozenset(allowed) for attribute, allowed in held.items()}


@functools.cache
def libraries() -> frozenset[str]:
    """The top-level modules of all names in the list."""
    return frozenset(module.partition(".")[0] for module in _list()["globals"])


@functools.cache
def _list() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(path().read_text(encoding="utf-8"))
    return data
