"""The result of loading a file with the restricted reader."""

from __future__ import annotations

import dataclasses
from pathlib import Path

READER = Path(__file__).with_name("restricted_reader.py")


@dataclasses.dataclass(frozen=True)
class Read:
    """The result for one file: whether it loaded, the error, and the events of Python's audit hooks."""

    loaded: bool
    error: str
    events: tuple[str, ...]
