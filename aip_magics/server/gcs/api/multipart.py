"""Parser of `multipart/related` bodies: metadata first, then the content, which is streamed unchanged.

The closing delimiter is expected at the end of the body and not searched for in the content, so that the content may
contain anything (even the boundary) and no byte is examined twice. gcloud separates parts with a bare LF: content that
ends in CR must then keep it.
"""

from __future__ import annotations

import re
from typing import Any

from aip_magics.server.gcs.api.routing import parse_json
from aip_magics.server.gcs.gcs_errors import invalid

_MAX_HEAD = 1 << 18  # bytes of metadata and part headers
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_WHITE = b"\r\n \t"
_SLACK = 8  # bytes of whitespace that may follow the closing delimiter


class Related:
    """Incremental parser: `feed` returns content, `close` the rest of it; 400 for a malformed body."""

    def __init__(self, content_type: str) -> None:
        self.metadata: dict[str, Any] = {}
        self.content_type = ""
        self._delimiter = b"--" + boundary(content_type)
        self._closing = b""  # known once the head is read
        self._rest = b""

    @property
    def has_head(self) -> bool:
        """Whether `metadata` and `content_type` have been parsed."""
        return bool(self._closing)

    def feed(self, data: bytes) -> bytes:
        """Parse the next bytes of the body; return the content among them."""
        self._rest = data = self._rest + data if self._rest else data
        if not self._closing:
            if not self._read_head():
                if len(self._rest) > _MAX_HEAD:
                    raise _malformed(f"metadata and headers exceed {_MAX_HEAD} bytes or are not terminated")
                return b""
            data = self._rest
        keep = len(self._closing) + _SLACK
        self._rest = data[-keep:]
        return data[:-keep]

    def close(self) -> bytes:
        """Finish the body; return the rest of the content."""
        if not self._closing:
            raise _malformed("expected a metadata part and a content part, separated by the boundary")
        rest = self._rest.rstrip(_WHITE)
        if not rest.endswith(self._closing):
            raise _malformed("the closing boundary is missing")
        return rest[: -len(self._closing)]

    def _read_head(self) -> bool:
        text = self._rest.lstrip(b"\r\n")
        if len(text) <= len(self._delimiter) + 2:
            return False
        if not text.startswith(self._delimiter):
            raise _malformed("the body does not start with the boundary of Content-Type")
        newline = b"\r\n" if text[len(self._delimiter) :].lstrip(b" \t").startswith(b"\r\n") else b"\n"
        first = _BLANK_LINE.search(text, len(self._delimiter))
        if not first:
            return False
        between = re.compile(rb"\r?\n" + re.escape(self._delimiter) + rb"[ \t]*(?=\r?\n)").search(text, first.end() - 2)
        second = between and _BLANK_LINE.search(text, between.end())
        if not between or not second:
            return False
        self.metadata = parse_json(text[first.end() : max(between.start(), first.end())])
        headers = _headers(text[between.end() : second.start()])
        if headers.get("content-transfer-encoding", "binary").lower() not in ("binary", "8bit", "7bit"):
            raise _malformed("expected Content-Transfer-Encoding: binary")
        self.content_type = headers.get("content-type", "")
        self._closing = newline + self._delimiter + b"--"
        self._rest = text[second.end() :]
        return True


def boundary(content_type: str) -> bytes:
    """Return the boundary of a multipart content type, in double, single (gcloud) or no quotes."""
    if not content_type.lower().startswith("multipart/"):
        raise invalid(f"Expected a multipart Content-Type, got '{content_type[:100]}'.")
    match = re.search(r""";\s*boundary=(?:"([^"]+)"|'([^']+)'|([^\s;"']+))""", content_type, re.IGNORECASE)
    text = next(filter(None, match.groups()), "") if match else ""
    if not 1 <= len(text) <= 200 or not text.isascii():
        raise invalid("Content-Type has no valid boundary.")
    return text.encode()


def _headers(text: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in text.decode("latin-1").splitlines())
    return {name.strip().lower(): value.strip() for name, _, value in lines if name}


def _malformed(reason: str) -> Exception:
    return invalid(f"Malformed multipart body: {reason}.", "badContent")
