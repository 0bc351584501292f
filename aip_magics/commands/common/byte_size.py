"""Sizes in bytes as an option's value: `4GiB`, `500MB`, `1000000`."""

from __future__ import annotations

import argparse
import math
import re

from aip_magics.i18n import gettext as _

_PATTERN = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?) ?(?P<unit>[a-z]*)", re.IGNORECASE | re.ASCII)
_UNITS = {
    "": 1,
    "b": 1,
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgt", 1)},
    **{f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", 1)},
}


def byte_size(text: str) -> int:
    """Parse a size of at least one byte, with an SI or a binary unit or without one.

    Raises:
        argparse.ArgumentTypeError: The text is no such size.
    """
    found = _PATTERN.fullmatch(text.strip())
    scale = _UNITS.get(found["unit"].lower()) if found else None
    size = float(found["number"]) * scale if found and scale else 0.0
    if not 1 <= size < math.inf:
        raise argparse.ArgumentTypeError(_("expected a size such as 4GiB, 500MB or 1000000, got {text!r}", text=text))
    return int(size)
