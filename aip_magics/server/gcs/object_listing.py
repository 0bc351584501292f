"""Listing of objects: prefix, delimiter, offsets, glob and pages, with names in UTF-8 byte order.

A listing may have to look at all names of a bucket. It does so in slices, between which other requests read and write;
where to continue is a name, so that what they insert and delete meanwhile disturbs nothing.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import dataclasses
import re
import sqlite3
import time
from collections.abc import Generator
from typing import TypeAlias

from aip_magics.server.gcs.gcs_errors import invalid
from aip_magics.server.gcs.metadata_db import MetadataDatabase, find_object, read_object
from aip_magics.server.gcs.resources import StoredObject

MAX_RESULTS = 1000
SLICE_ROWS = 512  # some milliseconds
PAUSE_SECONDS = 0.0001  # long enough for a thread that waits for the database

_Range: TypeAlias = "tuple[str, str | None]"  # first name, exclusive end or None


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

    @property
    def range(self) -> _Range:
        """The names among which all results are, as far as the beginnings of names tell."""
        ends = [self.end or None, prefix_end(self.prefix), glob_range(self.glob)[1]]
        first = max(self.prefix, self.start, decode_token(self.page_token), glob_range(self.glob)[0])
        return first, min((end for end in ends if end is not None), default=None)


@dataclasses.dataclass
class ListPage:
    """One page: objects, prefixes (names up to the delimiter) and the token of the next page, if any."""

    items: list[StoredObject] = dataclasses.field(default_factory=list)
    prefixes: list[str] = dataclasses.field(default_factory=list)
    next_page_token: str = ""


class Listing:
    """One page of a bucket's objects, filled by calls of `advance` until it is `complete`.

    InvalidArgument (400) for a malformed query.
    """

    def __init__(self, db: MetadataDatabase, bucket: str, query: ListQuery) -> None:
        self.page = ListPage()
        self.complete = False
        self._db = db
        self._bucket = bucket
        self._query = query
        self._matches = glob_pattern(query.glob).fullmatch if query.glob else None
        self._limit = max(1, min(query.limit, MAX_RESULTS))
        self._first: str | None
        self._first, self._stop = query.range

    def advance(self) -> None:
        """Look at up to `SLICE_ROWS` names; after that the page may be `complete`."""
        left = SLICE_ROWS
        while left > 0 and not self.complete:
            if self._first is None or (self._stop is not None and self._first >= self._stop):
                self.complete = True
            else:
                left -= self._scan(self._first, left)

    def _scan(self, first: str, most: int) -> int:
        """Look at up to `most` names until one has a prefix, which ends the scan: what begins with it is skipped.

        Returns the number of names, and sets where to continue.
        """
        count = 0
        # Where most names do not match, the other columns of their rows would take most of the time.
        columns = "name" if self._matches else "*"
        with contextlib.closing(_rows(self._db, columns, self._bucket, (first, self._stop), most)) as rows:
            for count, row in enumerate(rows, 1):
                name: str = row["name"]
                if self._matches and not self._matches(name):
                    continue
                if len(self.page.items) + len(self.page.prefixes) >= self._limit:
                    self.page.next_page_token = encode_token(name)
                    self.complete = True
                    return count
                prefix = _common_prefix(name, self._query)
                if prefix:
                    self.page.prefixes.append(prefix)
                if not prefix or (self._query.trailing and name == prefix):
                    found = find_object(self._db, self._bucket, name) if self._matches else read_object(row)
                    self.page.items += [found] if found else []
                if prefix:
                    self._first = prefix_end(prefix)
                    return count
        self._first = f"{name}\0" if count == most else None  # the least name that follows
        return count


def list_objects(db: MetadataDatabase, bucket: str, prefix: str) -> list[StoredObject]:
    """Return all objects whose names start with `prefix`, by name."""
    found: list[StoredObject] = []
    first, stop = prefix, prefix_end(prefix)
    while True:
        objects = [read_object(row) for row in _rows(db, "*", bucket, (first, stop), SLICE_ROWS)]
        found += objects
        if len(objects) < SLICE_ROWS:
            return found
        first = f"{objects[-1].name}\0"
        time.sleep(PAUSE_SECONDS)


def _rows(
    db: MetadataDatabase, columns: str, bucket: str, names: _Range, most: int
) -> Generator[sqlite3.Row, None, None]:
    first, stop = names
    sql, args = f"select {columns} from objects where bucket = ? and name >= ?", [bucket, first]
    if stop is not None:
        sql, args = sql + " and name < ?", [*args, stop]
    return db.rows(f"{sql} order by name limit {most}", *args)


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


def glob_range(glob: str) -> _Range:
    """Return the range of the names that begin as the glob does before its first special character."""
    literal, i = "", 0
    while i < len(glob) and glob[i] not in "*?[{":
        i += glob[i] == "\\" and i + 1 < len(glob)
        literal += glob[i]
        i += 1
    return literal, prefix_end(literal)


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
