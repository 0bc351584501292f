"""Which globals a pickle that nobody trusts may name, and what may be done with each (`pickle_globals.json`)."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path

PATH = Path(__file__).with_name("pickle_globals.json")


def pickle_globals_path() -> Path:
    """The list as a file, for a worker, which reads it itself."""
    return PATH


def pickle_modes(module: str, name: str) -> frozenset[str]:
    """What may be done with a global: `new`, `call`, `makes`, `value`; nothing where it is not listed."""
    return frozenset(_listed().get(module, {}).get(name, "").split())


@functools.cache
def _listed() -> Mapping[str, Mapping[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(PATH.read_text("utf-8"))["globals"]
    return found
