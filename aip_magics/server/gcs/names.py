"""Which bucket and object names are legal.

Sources: https://cloud.google.com/storage/docs/buckets#naming and https://cloud.google.com/storage/docs/objects#naming
"""

from __future__ import annotations

import ipaddress
import re

from aip_magics.server.gcs.gcs_errors import invalid

MAX_OBJECT_NAME = 1024  # bytes of UTF-8

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]*[a-z0-9]")
_ACME = ".well-known/acme-challenge/"


def check_bucket_name(name: object) -> str:
    """The name, or InvalidArgument (400) saying which rule it breaks."""
    if not isinstance(name, str) or not name:
        raise invalid("A bucket needs a name.", "required")
    if problem := _bucket_problem(name):
        raise invalid(f"Invalid bucket name: '{name[:100]}': {problem}.", xml_code="InvalidBucketName")
    return name


def _bucket_problem(name: str) -> str:
    longest = 222 if "." in name else 63
    if not 3 <= len(name) <= longest:
        return f"it must have 3 to {longest} characters and has {len(name)}"
    if not _BUCKET.fullmatch(name):
        return "only lower-case letters, digits, '-', '_' and '.' are allowed, with a letter or digit at both ends"
    if any(not 1 <= len(part) <= 63 for part in name.split(".")):
        return "each part between dots must have 1 to 63 characters"
    if name.startswith("goog"):
        return "it must not begin with 'goog'"
    if "google" in name.replace("0", "o"):
        return "it must not contain 'google' or something that looks like it"
    if _is_address(name):
        return "it must not look like an IP address"
    return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return bool(re.fullmatch(r"\d{1,3}(\.\d{1,3}){3}", name))
    return True


def check_object_name(name: object) -> str:
    """The name, or InvalidArgument (400). A name is any text of 1 to 1,024 bytes; nothing in it is ever a path."""
    if not isinstance(name, str) or not name:
        raise invalid("An object needs a name: 1 to 1024 bytes of UTF-8.", "required")
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        raise invalid("The object name is not valid Unicode.") from None
    if size > MAX_OBJECT_NAME:
        text = f"The object name has {size} bytes of UTF-8; at most {MAX_OBJECT_NAME} are allowed."
        raise invalid(text, xml_code="KeyTooLongError")
    if "\r" in name or "\n" in name:
        raise invalid("An object name must not contain carriage return or line feed.")
    if name in (".", "..") or name.startswith(_ACME):
        raise invalid(f"An object must not be named '.' or '..' or begin with '{_ACME}'.")
    return name
