"""How lists of names and numbers of bytes read in texts: `a, b and 3 more`, `12.3 kB`."""

from __future__ import annotations

from collections.abc import Iterable

from aip_magics.i18n import gettext as _

MAX_NAMES = 5  # in a text, unless it says otherwise
SIZE_UNITS = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"), (1, "B"))  # bytes and name, the largest first


def join_names(names: Iterable[str], most: int = MAX_NAMES, *, separator: str = ", ") -> str:
    """Join names; of more than `most` the first ones, and the number of the others."""
    names = list(names)
    shown = separator.join(names[:most])
    return _("{names} and {count} more", names=shown, count=len(names) - most) if len(names) > most else shown


def size_text(count: float) -> str:
    """Format a number of bytes in powers of 1000: `12.3 kB`, `999 B`."""
    scale, unit = next((each for each in SIZE_UNITS if count >= each[0]), SIZE_UNITS[-1])
    return f"{count / scale:,.{0 if scale == 1 else 1}f} {unit}"
