"""Optimistic locking: an etag that is sent back must be that of the resource as it is now."""

from __future__ import annotations

import base64
import binascii

from aip_magics.errors import InvalidArgument
from aip_magics.server.conventions.error_responses import aborted, violation


def check_etag(field: str, given: str | None, current: str) -> None:
    """ABORTED (409) when `given` is the etag of an earlier state; none given, nothing checked."""
    if given and _decoded(field, given) != _decoded(field, current):
        raise aborted(
            f"Field: {field} Error: The resource was changed since it was read: the etag does not match. Please retry "
            "the whole read-modify-write."
        )


def _decoded(field: str, etag: str) -> bytes:
    # gcloud prints and sends the URL-safe alphabet, the API's own JSON has the other one.
    plain = etag.translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (ValueError, binascii.Error):
        raise violation(InvalidArgument, field, "An etag is base64; send the one that a get has given.") from None
