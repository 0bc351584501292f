"""Listing: prefix, delimiter, offsets, glob and pages over names in UTF-8 byte order."""

from __future__ import annotations

import base64
import binascii
import contextlib
import dataclasses
import re
from collections.abc import Callable, Generator, Iterator

from aip_magics.server.gcs.gcs_errors import invalid
from aip_magics.server.gcs.resources import StoredObject

MAX_RESULTS = 1000

# (first name, name after the last or None) → objects in order
Scan = Callable[[str, "str | None"], Generator[StoredObject, None, None]]


@dataclasses.dataclass(frozen=True)
class ListQuery:
    """What to list. `end` is exclusive, `page` a token of the page before."""

    prefix: str = ""
    delimiter: str = ""
    start: str = ""
    end: str = ""
    glob: str = ""
    page: str = ""
    trailing: bool = False  # also show `dir/` among the items when it is an object itself
    limit: int = MAX_RESULTS


@dataclasses.dataclass
class ListPage:
    """One page: objects, prefixes (names cut after the delimiter) and the token of the next page, if any."""

    items: list[StoredObject] = dataclasses.field(default_factory=list)
    prefixes: list[str] = dataclasses.field(default_factory=list)
    next: str = ""


def list_page(scan: Scan, question: ListQuery) -> ListPage:
    """The page that `question` asks for. A prefix costs one look-up however many objects it holds."""
    page = ListPage()
    matches = glob_pattern(question.glob).fullmatch if question.glob else None
    limit = max(1, min(question.limit, MAX_RESULTS))
    stop = past(question.prefix)
    if question.end and (stop is None or question.end < stop):
        stop = question.end
    start: str | None = max(question.prefix, question.start, decode_token(question.page))
    while start is not None and (stop is None or start < stop):
        with contextlib.closing(scan(start, stop)) as rows:
            start = _take(rows, page, question, limit, matches)
    return page


def _take(
    rows: Iterator[StoredObject],
    page: ListPage,
    question: ListQuery,
    limit: int,
    matches: Callable[[str], object] | None,
) -> str | None:
    """Fill the page until it is full, the rows end (None), or a prefix was found: then go on at the name returned."""
    for stored in rows:
        if matches and not matches(stored.name):
            continue
        if len(page.items) + len(page.prefixes) >= limit:
            page.next = encode_token(stored.name)
            return None
        if folder := _folder(stored.name, question):
            page.prefixes.append(folder)
            if question.trailing and stored.name == folder:
                page.items.append(stored)
            return past(folder)
        page.items.append(stored)
    return None


def _folder(name: str, question: ListQuery) -> str:
    if not question.delimiter:
        return ""
    cut = name.find(question.delimiter, len(question.prefix))
    return name[: cut + len(question.delimiter)] if cut >= 0 else ""


def past(prefix: str) -> str | None:
    """The smallest text greater than all that begin with `prefix`; None when there is none."""
    # Code point order is UTF-8 byte order; surrogates are no characters.
    while prefix and prefix[-1] == "\U0010ffff":
        prefix = prefix[:-1]
    if not prefix:
        return None
    following = ord(prefix[-1]) + 1
    return prefix[:-1] + chr(0xE000 if 0xD800 <= following <= 0xDFFF else following)


def encode_token(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def decode_token(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise invalid(f"Invalid value for pageToken: '{token[:100]}'.") from None


def glob_pattern(glob: str) -> re.Pattern[str]:
    """`*` and `?` within a folder, `**` across folders, `[a-z]`, `[!a]`, `{one,two}`, `\\` before a plain character."""
    parts: list[str] = []
    depth, i = 0, 0
    while i < len(glob):
        char = glob[i]
        i += 1
        if char == "*":
            double = glob[i : i + 1] == "*"
            i += double
            parts.append(".*" if double else "[^/]*")
        elif char == "?":
            parts.append("[^/]")
        elif char == "[":
            text, i = _char_class(glob, i)
            parts.append(text)
        elif char in "{}":
            depth += 1 if char == "{" else -1
            parts.append("(?:" if char == "{" else ")")
        elif char == "," and depth > 0:
            parts.append("|")
        elif char == "\\" and i < len(glob):
            parts.append(re.escape(glob[i]))
            i += 1
        else:
            parts.append(re.escape(char))
        if depth < 0:
            break
    try:
        if depth != 0:
            raise ValueError
        return re.compile("".join(parts), re.DOTALL)
    except (re.error, ValueError, OverflowError):
        raise invalid(f"Invalid value for matchGlob: '{glob[:100]}'.") from None


def _char_class(glob: str, start: int) -> tuple[str, int]:
    end = glob.find("]", start + 1)
    if end < 0:
        raise invalid(f"Invalid value for matchGlob: '{glob[:100]}' has '[' without ']'.")
    inner = glob[start:end]
    negated = inner[0] in "!^"
    inner = re.sub(r"([\\\[\]^&~|])", r"\\\1", inner[1:] if negated else inner)
    return f"[{'^' if negated else ''}{inner}]", end + 1
