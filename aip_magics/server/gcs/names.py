"""Bucket and object names that clients send, checked by the rules of Cloud Storage."""

from __future__ import annotations

from aip_magics import gcs_names
from aip_magics.server.gcs.gcs_errors import invalid

_BUCKET_PROBLEMS: dict[gcs_names.BucketNameProblem, str] = {
    "length": "must have {min} to {max} characters, got {chars}",
    "characters": "only lower-case letters, digits, '-', '_' and '.' are allowed, with a letter or digit at both ends",
    "parts": "each part between dots must have 1 to 63 characters",
    "goog": "must not start with 'goog'",
    "google": "must not contain 'google' or a look-alike of it",
    "address": "must not look like an IP address",
}


def check_bucket_name(name: object) -> str:
    """Return the name; InvalidArgument (400) names the rule that an illegal name breaks."""
    if not isinstance(name, str) or not name:
        raise invalid("A bucket name is required.", "required")
    if problem := gcs_names.bucket_name_problem(name):
        bounds = {"min": gcs_names.MIN_BUCKET_CHARS, "max": gcs_names.max_bucket_chars(name), "chars": len(name)}
        text = _BUCKET_PROBLEMS[problem].format(**bounds)
        raise invalid(f"Invalid bucket name: '{name[:100]}': {text}.", xml_code="InvalidBucketName")
    return name


def check_object_name(name: object) -> str:
    """Return the name: any text of 1 to 1,024 bytes, never used as a path. InvalidArgument (400) if illegal."""
    if not isinstance(name, str):
        raise _name_required()
    match gcs_names.object_name_problem(name):
        case None:
            return name
        case "empty":
            raise _name_required()
        case "unicode":
            raise invalid("The object name is not valid Unicode.")
        case "length":
            size, limit = len(name.encode()), gcs_names.MAX_OBJECT_BYTES
            text = f"The object name has {size} bytes of UTF-8; at most {limit} are allowed."
            raise invalid(text, xml_code="KeyTooLongError")
        case "line break":
            raise invalid("The object name must not contain a carriage return or line feed.")
        case "reserved":
            raise invalid(f"The object name must not be '.' or '..' or start with '{gcs_names.ACME_PREFIX}'.")


def _name_required() -> Exception:
    return invalid(f"An object name is required: 1 to {gcs_names.MAX_OBJECT_BYTES} bytes of UTF-8.", "required")
