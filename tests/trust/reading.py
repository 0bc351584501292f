"""What came of a file that the restricted reader was given."""

from __future__ import annotations

import dataclasses
from pathlib import Path

READER = Path(__file__).with_name("restricted_reader.py")


@dataclasses.dataclass(frozen=True)
class Read:
    """What came of a file: whether it loaded, the error, and what Python's audit hooks saw meanwhile."""

    loaded: bool
    error: str
    events: tuple[str, ...]
