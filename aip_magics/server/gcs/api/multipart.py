"""`multipart/related` bodies: metadata first, then the content, which streams through untouched.

The end is found from the end: the closing delimiter is what the body ends with. Nothing is searched for inside the
content, so that it may hold anything (even the boundary), and no byte of it is looked at twice. gcloud separates its
parts with a bare LF: a content ending in CR must then keep it.
"""

from __future__ import annotations

import re
from typing import Any

from aip_magics.server.gcs.api.routing import parse_json
from aip_magics.server.gcs.gcs_errors import invalid

_MAX_HEAD = 1 << 18  # bytes of metadata and part headers
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_WHITE = b"\r\n \t"
_SLACK = 8  # bytes of white space that may follow the closing delimiter


class Related:
    """A parser that is fed: `feed` returns what is content, `close` the last of it; 400 when malformed."""

    def __init__(self, content_type: str) -> None:
        self.metadata: dict[str, Any] = {}
        self.content_type = ""
        self._line = b"--" + boundary(content_type)
        self._closing = b""  # known once the head is read
        self._rest = b""

    @property
    def has_head(self) -> bool:
        """Whether `metadata` and `content_type` are known."""
        return bool(self._closing)

    def feed(self, data: bytes) -> bytes:
        self._rest = data = self._rest + data if self._rest else data
        if not self._closing:
            if not self._read_head():
                if len(self._rest) > _MAX_HEAD:
                    raise _malformed(f"metadata and headers are larger than {_MAX_HEAD} bytes or have no end")
                return b""
            data = self._rest
        keep = len(self._closing) + _SLACK
        self._rest = data[-keep:]
        return data[:-keep]

    def close(self) -> bytes:
        if not self._closing:
            raise _malformed("the parts of metadata and content are wanted, separated by the boundary")
        rest = self._rest.rstrip(_WHITE)
        if not rest.endswith(self._closing):
            raise _malformed("the closing boundary is missing")
        return rest[: -len(self._closing)]

    def _read_head(self) -> bool:
        text = self._rest.lstrip(b"\r\n")
        if len(text) <= len(self._line) + 2:
            return False
        if not text.startswith(self._line):
            raise _malformed("the body does not begin with the boundary that Content-Type names")
        newline = b"\r\n" if text[len(self._line) :].lstrip(b" \t").startswith(b"\r\n") else b"\n"
        first = _BLANK_LINE.search(text, len(self._line))
        if not first:
            return False
        between = re.compile(rb"\r?\n" + re.escape(self._line) + rb"[ \t]*(?=\r?\n)").search(text, first.end() - 2)
        second = between and _BLANK_LINE.search(text, between.end())
        if not between or not second:
            return False
        self.metadata = parse_json(text[first.end() : max(between.start(), first.end())])
        headers = _headers(text[between.end() : second.start()])
        if headers.get("content-transfer-encoding", "binary").lower() not in ("binary", "8bit", "7bit"):
            raise _malformed("the content must be sent as it is: Content-Transfer-Encoding: binary")
        self.content_type = headers.get("content-type", "")
        self._closing = newline + self._line + b"--"
        self._rest = text[second.end() :]
        return True


def boundary(content_type: str) -> bytes:
    """The boundary of a multipart content type, in double, single (gcloud) or no quotes."""
    if not content_type.lower().startswith("multipart/"):
        raise invalid(f"Content-Type must be multipart, not '{content_type[:100]}'.")
    found = re.search(r""";\s*boundary=(?:"([^"]+)"|'([^']+)'|([^\s;"']+))""", content_type, re.IGNORECASE)
    text = next(filter(None, found.groups()), "") if found else ""
    if not 1 <= len(text) <= 200 or not text.isascii():
        raise invalid("Content-Type names no usable boundary.")
    return text.encode()


def _headers(text: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in text.decode("latin-1").splitlines())
    return {name.strip().lower(): value.strip() for name, _, value in lines if name}


def _malformed(what: str) -> Exception:
    return invalid(f"Malformed multipart body: {what}.", "badContent")
