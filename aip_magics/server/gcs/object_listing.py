"""Listing of objects: prefix, delimiter, offsets, glob and pages, with names in UTF-8 byte order."""

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

# (first name, exclusive end or None) → objects in order
Scan = Callable[[str, "str | None"], Generator[StoredObject, None, None]]


@dataclasses.dataclass(frozen=True)
class ListQuery:
    """The parameters of a list request. `end` is exclusive, `page_token` comes from the previous page."""

    prefix: str = ""
    delimiter: str = ""
    start: str = ""
    end: str = ""
    glob: str = ""
    page_token: str = ""
    trailing: bool = False  # also include `dir/` in the items when it is an object itself
    limit: int = MAX_RESULTS


@dataclasses.dataclass
class ListPage:
    """One page: objects, prefixes (names up to the delimiter) and the token of the next page, if any."""

    items: list[StoredObject] = dataclasses.field(default_factory=list)
    prefixes: list[str] = dataclasses.field(default_factory=list)
    next_page_token: str = ""


def list_page(scan: Scan, query: ListQuery) -> ListPage:
    """Return the page that `query` asks for. A prefix costs one look-up, regardless of its number of objects."""
    page = ListPage()
    matches = glob_pattern(query.glob).fullmatch if query.glob else None
    limit = max(1, min(query.limit, MAX_RESULTS))
    stop = prefix_end(query.prefix)
    if query.end and (stop is None or query.end < stop):
        stop = query.end
    start: str | None = max(query.prefix, query.start, decode_token(query.page_token))
    while start is not None and (stop is None or start < stop):
        with contextlib.closing(scan(start, stop)) as rows:
            start = _take(rows, page, query, limit, matches)
    return page


def _take(
    rows: Iterator[StoredObject],
    page: ListPage,
    query: ListQuery,
    limit: int,
    matches: Callable[[str], object] | None,
) -> str | None:
    """Fill the page until it is full or the rows end (None), or until a prefix is found: return where to continue."""
    for stored in rows:
        if matches and not matches(stored.name):
            continue
        if len(page.items) + len(page.prefixes) >= limit:
            page.next_page_token = encode_token(stored.name)
            return None
        if prefix := _common_prefix(stored.name, query):
            page.prefixes.append(prefix)
            if query.trailing and stored.name == prefix:
                page.items.append(stored)
            return prefix_end(prefix)
        page.items.append(stored)
    return None


def _common_prefix(name: str, query: ListQuery) -> str:
    if not query.delimiter:
        return ""
    position = name.find(query.delimiter, len(query.prefix))
    return name[: position + len(query.delimiter)] if position >= 0 else ""


def prefix_end(prefix: str) -> str | None:
    """Return the smallest string greater than all strings that start with `prefix`; None when there is none."""
    # Code point order is UTF-8 byte order; surrogates are not characters.
    while prefix and prefix[-1] == "\U0010ffff":
        prefix = prefix[:-1]
    if not prefix:
        return None
    following = ord(prefix[-1]) + 1
    return prefix[:-1] + chr(0xE000 if 0xD800 <= following <= 0xDFFF else following)


def encode_token(name: str) -> str:
    """Encode the first name of a page as a page token."""
    return base64.urlsafe_b64encode(name.encode()).decode()


def decode_token(token: str) -> str:
    """Decode a page token; InvalidArgument (400) when it is malformed."""
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise invalid(f"Invalid value for pageToken: '{token[:100]}'.") from None


def glob_pattern(glob: str) -> re.Pattern[str]:
    """Compile a glob: `*` and `?` do not match a slash, `**` does; `[a-z]`, `[!a]`, `{one,two}`, `\\` escapes."""
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
