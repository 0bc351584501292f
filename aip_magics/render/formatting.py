"""Short texts for numbers and times: `3.4 of 10.0 MB`, `2 min 05 s`, `3 days`."""

from __future__ import annotations

import datetime
import re
import unicodedata
from typing import Literal

from aip_magics.i18n import gettext as _
from aip_magics.i18n import ngettext
from aip_magics.wording import SIZE_UNITS, size_text

OmittedKind = Literal[
    "part", "row", "column", "line", "character", "earlier row", "earlier line", "earlier note"
]  # fmt: skip


def first_line(text: str) -> str:
    """The first line that is not blank; empty without such a line."""
    return next((line for line in text.splitlines() if line.strip()), "")


def duration(seconds: float) -> str:
    """Format seconds as `0.3 s`, `12 s`, `2 min 05 s` or `1 h 02 min`."""
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def amount(done: int, total: int, unit: str) -> str:
    """Format progress as `3.4 of 10.0 MB` or `2 of 5 files`; without a total (0) only the amount done."""
    if unit == "bytes":
        return _bytes(done, total)
    if unit == "files":
        if total:
            return _("{done} of {total} files", done=f"{done:,}", total=f"{total:,}")
        return ngettext("{number} file", "{number} files", done)
    if unit == "objects":
        if total:
            return _("{done} of {total} objects", done=f"{done:,}", total=f"{total:,}")
        return ngettext("{number} object", "{number} objects", done)
    if total:
        return _("{done} of {total} instances", done=f"{done:,}", total=f"{total:,}")
    return ngettext("{number} instance", "{number} instances", done)


def age(created: str | None, now: float) -> str:
    """Format the age of an RFC 3339 time at `now` (seconds since the epoch); empty for an invalid time."""
    try:
        then = datetime.datetime.fromisoformat(re.sub(r"(\.\d+)?Z$", "+00:00", created or "")).timestamp()
    except (ValueError, OverflowError):
        return ""
    seconds = max(now - then, 0)
    if seconds >= 86400:
        return ngettext("{number} day", "{number} days", int(seconds // 86400))
    if seconds >= 3600:
        return ngettext("{number} hour", "{number} hours", int(seconds // 3600))
    if seconds >= 60:
        return ngettext("{number} minute", "{number} minutes", int(seconds // 60))
    return ngettext("{number} second", "{number} seconds", int(seconds))


def describe_omitted(count: int, kind: OmittedKind) -> str:
    """The number of items that are not shown: `1 more row`, `3 earlier lines`."""
    match kind:
        case "part":
            return ngettext("{number} more part", "{number} more parts", count)
        case "row":
            return ngettext("{number} more row", "{number} more rows", count)
        case "column":
            return ngettext("{number} more column", "{number} more columns", count)
        case "line":
            return ngettext("{number} more line", "{number} more lines", count)
        case "character":
            return ngettext("{number} character", "{number} characters", count)
        case "earlier row":
            return ngettext("{number} earlier row", "{number} earlier rows", count)
        case "earlier line":
            return ngettext("{number} earlier line", "{number} earlier lines", count)
        case "earlier note":
            return ngettext("{number} earlier note", "{number} earlier notes", count)


def status(word: str) -> str:
    """Translate a status; an unknown status is not changed."""
    texts = {
        "running": _("running"),
        "done": _("done"),
        "skipped": _("skipped"),
        "failed": _("failed"),
        "detached": _("detached"),
        "cancelled": _("cancelled"),
    }
    return texts.get(word, word)


def width(text: str) -> int:
    """The width of the text in a terminal, in columns: two per Korean letter, none per combining mark."""
    return len(text) if text.isascii() else sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _bytes(done: int, total: int) -> str:
    if not total:
        return size_text(done)
    scale, unit = next((each for each in SIZE_UNITS if max(done, total) >= each[0]), SIZE_UNITS[-1])
    shown = "{:,.0f}" if scale == 1 else "{:,.1f}"
    return _("{done} of {total} {unit}", done=shown.format(done / scale), total=shown.format(total / scale), unit=unit)
