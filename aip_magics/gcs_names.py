"""Naming rules of Cloud Storage: which bucket and object names are legal.

Shared by the storage client and the embedded server, which word the errors each in their own way.

Sources: https://cloud.google.com/storage/docs/buckets#naming and https://cloud.google.com/storage/docs/objects#naming
"""

from __future__ import annotations

import ipaddress
import re
from typing import Literal

MIN_BUCKET_CHARS = 3
MAX_BUCKET_CHARS = 63
MAX_DOTTED_BUCKET_CHARS = 222  # of a name with dots, each part of which has at most MAX_BUCKET_CHARS
MAX_OBJECT_BYTES = 1024  # of UTF-8
ACME_PREFIX = ".well-known/acme-challenge/"

BucketNameProblem = Literal["length", "characters", "parts", "goog", "google", "address"]
ObjectNameProblem = Literal["unicode", "empty", "length", "line break", "reserved"]

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]*[a-z0-9]")


def max_bucket_chars(name: str) -> int:
    """Return how many characters a bucket name may have: more when it has dots."""
    return MAX_DOTTED_BUCKET_CHARS if "." in name else MAX_BUCKET_CHARS


def bucket_name_problem(name: str) -> BucketNameProblem | None:
    """Return the first rule that a bucket name breaks.

    Args:
        name: The bucket name, without `gs://`.

    Returns:
        `length`, `characters` (letters, digits, `-`, `_`, `.`; a letter or digit at both ends), `parts` (each part
        between dots has 1 to 63 characters), `goog` (a reserved prefix), `google` (contained, or a look-alike),
        `address` (looks like an IP address); None for a legal name.
    """
    if not MIN_BUCKET_CHARS <= len(name) <= max_bucket_chars(name):
        return "length"
    if not _BUCKET.fullmatch(name):
        return "characters"
    if any(not 1 <= len(part) <= MAX_BUCKET_CHARS for part in name.split(".")):
        return "parts"
    if name.startswith("goog"):
        return "goog"
    if "google" in name.replace("0", "o"):
        return "google"
    return "address" if _is_address(name) else None


def object_name_problem(name: str) -> ObjectNameProblem | None:
    """Return the first rule that an object name breaks.

    Args:
        name: The object name, without its bucket.

    Returns:
        `unicode` (lone surrogates), `empty`, `length` (more than 1,024 bytes of UTF-8), `line break`, `reserved` (`.`,
        `..`, or the ACME prefix); None for a legal name.
    """
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "unicode"
    if not size:
        return "empty"
    if size > MAX_OBJECT_BYTES:
        return "length"
    if "\r" in name or "\n" in name:
        return "line break"
    return "reserved" if name in (".", "..") or name.startswith(ACME_PREFIX) else None


def _is_address(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return bool(re.fullmatch(r"\d{1,3}(\.\d{1,3}){3}", name))
    return True
