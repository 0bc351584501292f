"""Optimistic locking: the etag of a request must be the current etag of the resource."""

from __future__ import annotations

import base64
import binascii

from aip_magics.errors import InvalidArgument
from aip_magics.server.conventions.error_responses import aborted, violation


def check_etag(field: str, requested: str | None, current: str) -> None:
    """Raise ABORTED (409) when `requested` is the etag of an earlier state; no check without an etag."""
    if requested and _decode(field, requested) != _decode(field, current):
        raise aborted(
            f"Field: {field} Error: The resource was changed since it was read: the etag does not match. Please retry "
            "the whole read-modify-write."
        )


def _decode(field: str, etag: str) -> bytes:
    # gcloud prints and sends the URL-safe alphabet, the API's JSON uses the standard one.
    plain = etag.translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (ValueError, binascii.Error):
        raise violation(InvalidArgument, field, "Invalid etag: expected the value returned by get.") from None
