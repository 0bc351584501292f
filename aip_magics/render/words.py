"""Numbers, times and foreign text as short words: `3.4 of 10.0 MB`, `2 min 05 s`, `3 days`."""

from __future__ import annotations

import datetime
import re
import unicodedata

# Control characters would drive a terminal or break HTML; the bidirectional ones let text lie about its order.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: str) -> str:
    r"""The text with control characters made visible (`\x1b`), line ends as `\n`."""
    return _UNSAFE.sub(_visible, text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """The text cleaned, on one line."""
    return " ".join(clean(text).split())


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
    return f"{done:,} of {total:,} {unit}" if total else f"{done:,} {unit}"


def age(created: str | None, now: float) -> str:
    """How long ago an RFC 3339 time was, seen from `now` (seconds since the epoch); empty when it is not a time."""
    try:
        then = datetime.datetime.fromisoformat(re.sub(r"(\.\d+)?Z$", "+00:00", created or "")).timestamp()
    except (ValueError, OverflowError):
        return ""
    seconds = max(now - then, 0)
    for name, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return plural(int(seconds // length), name)
    return plural(int(seconds), "second")


def plural(count: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def width(text: str) -> int:
    """Columns that the text takes in a terminal: Korean letters take two, combining marks none."""
    return sum(_columns(char) for char in text)


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
    return f"{' of '.join(texts)} {unit}"


def _visible(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
