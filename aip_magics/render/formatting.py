"""Numbers and times as short words: `3.4 of 10.0 MB`, `2 min 05 s`, `3 days`."""

from __future__ import annotations

import datetime
import re
import unicodedata
from typing import Literal

from aip_magics.i18n import gettext as _

SkippedFile = Literal[
    "part", "row", "column", "line", "character", "earlier row", "earlier line", "earlier note"
]  # fmt: skip


def first_line(text: str) -> str:
    """The first line that says something."""
    return next((line for line in text.splitlines() if line.strip()), "")


def duration(seconds: float) -> str:
    """Seconds as `0.3 s`, `12 s`, `2 min 05 s` or `1 h 02 min`."""
    if seconds < 9.95:
        return f"{max(seconds, 0):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def amount(done: int, total: int, unit: str) -> str:
    """`3.4 of 10.0 MB`, `2 of 5 files`; without a total (0) just what is done."""
    if unit == "bytes":
        return _bytes(done, total)
    shown = f"{done:,}"
    if unit == "files":
        return _("{done} of {total} files", done=shown, total=f"{total:,}") if total else _("{done} files", done=shown)
    if total:
        return _("{done} of {total} instances", done=shown, total=f"{total:,}")
    return _("{done} instances", done=shown)


def age(created: str | None, now: float) -> str:
    """How long ago an RFC 3339 time was, seen from `now` (seconds since the epoch); empty when it is not a time."""
    try:
        then = datetime.datetime.fromisoformat(re.sub(r"(\.\d+)?Z$", "+00:00", created or "")).timestamp()
    except (ValueError, OverflowError):
        return ""
    seconds = max(now - then, 0)
    if seconds >= 86400:
        return counted(int(seconds // 86400), _("1 day"), _("{count} days"))
    if seconds >= 3600:
        return counted(int(seconds // 3600), _("1 hour"), _("{count} hours"))
    if seconds >= 60:
        return counted(int(seconds // 60), _("1 minute"), _("{count} minutes"))
    return counted(int(seconds), _("1 second"), _("{count} seconds"))


def counted(count: int, one: str, many: str) -> str:
    """`one`, or `many` with the number in the place of its `{count}`: `1 file`, `2 files`."""
    return one if count == 1 else many.format(count=f"{count:,}")


def skipped_files(count: int, what: SkippedFile) -> str:
    """How much is not shown: `1 more row`, `3 earlier lines`."""
    texts: dict[SkippedFile, tuple[str, str]] = {
        "part": (_("1 more part"), _("{count} more parts")),
        "row": (_("1 more row"), _("{count} more rows")),
        "column": (_("1 more column"), _("{count} more columns")),
        "line": (_("1 more line"), _("{count} more lines")),
        "character": (_("1 character"), _("{count} characters")),
        "earlier row": (_("1 earlier row"), _("{count} earlier rows")),
        "earlier line": (_("1 earlier line"), _("{count} earlier lines")),
        "earlier note": (_("1 earlier note"), _("{count} earlier notes")),
    }
    return counted(count, *texts[what])


def status(word: str) -> str:
    """How something stands, in the language in use; a word that is none of ours stays."""
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
    """Columns that the text takes in a terminal: Korean letters take two, combining marks none."""
    return len(text) if text.isascii() else sum(_columns(char) for char in text)


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _bytes(done: int, total: int) -> str:
    scale, unit = next(
        ((size, name) for size, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")) if max(done, total) >= size),
        (1, "B"),
    )
    shown = "{:,.0f}" if scale == 1 else "{:,.1f}"
    texts = [shown.format(number / scale) for number in ([done, total] if total else [done])]
    if not total:
        return f"{texts[0]} {unit}"
    return _("{done} of {total} {unit}", done=texts[0], total=texts[1], unit=unit)
