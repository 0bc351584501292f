"""Errors of Cloud Storage, with the codes, reasons and texts that its clients know.

Every error is an `ApiError`; `details[0]` is the entry of `error.errors` in the JSON API, `details[1]["xmlCode"]` the
`Code` of the XML API.
"""

from __future__ import annotations

from typing import Any

from aip_magics.errors import AlreadyExists, ApiError, InvalidArgument, NotFound

_KINDS: dict[int, tuple[type[ApiError], str]] = {
    400: (InvalidArgument, "INVALID_ARGUMENT"),
    404: (NotFound, "NOT_FOUND"),
    409: (AlreadyExists, "ALREADY_EXISTS"),
}


def refusal(code: int, reason: str, message: str, xml_code: str = "", **more: Any) -> ApiError:
    """Build an error from HTTP status, Google's reason, message, code of the XML API, and further entry fields."""
    kind, status = _KINDS.get(code, (ApiError, ""))
    entry = {"domain": "global", "reason": reason, "message": message, **more}
    return kind(message, code=code, status=status, details=(entry, {"xmlCode": xml_code or "InvalidArgument"}))


def invalid(message: str, reason: str = "invalid", xml_code: str = "InvalidArgument") -> ApiError:
    """Build a 400 error: the request is invalid."""
    return refusal(400, reason, message, xml_code)


def bad_digest(message: str) -> ApiError:
    """Build a 400 error: the received content does not have the expected checksum."""
    return refusal(400, "invalid", message, "BadDigest")


def no_bucket() -> ApiError:
    """Build a 404 error: the bucket does not exist."""
    return refusal(404, "notFound", "The specified bucket does not exist.", "NoSuchBucket")


def no_object(bucket: str, name: str, generation: int | None = None) -> ApiError:
    """Build a 404 error: the object, or this generation, does not exist."""
    suffix = f"#{generation}" if generation is not None else ""
    return refusal(404, "notFound", f"No such object: {bucket}/{name}{suffix}", "NoSuchKey")


def no_resumable() -> ApiError:
    """Build a 404 error: the resumable upload does not exist."""
    text = "No such resumable upload session: it was cancelled, has failed or is older than a week. Start a new one."
    return refusal(404, "notFound", text, "NoSuchUpload")


def no_multipart() -> ApiError:
    """Build a 404 error: the multipart upload does not exist."""
    text = "The specified multipart upload does not exist: it was completed or aborted."
    return refusal(404, "notFound", text, "NoSuchUpload")


def lost_multipart() -> ApiError:
    """Build a 404 error: the multipart upload was aborted because bytes of its parts are gone."""
    text = "Parts of the multipart upload were lost in a crash of the machine: it was aborted. Start a new one."
    return refusal(404, "notFound", text, "NoSuchUpload")


def condition_not_met() -> ApiError:
    """Build a 412 error: a precondition failed."""
    return refusal(
        412,
        "conditionNotMet",
        "At least one of the pre-conditions you specified did not hold.",
        "PreconditionFailed",
        locationType="header",
        location="If-Match",
    )


def not_modified() -> ApiError:
    """Build a 304 answer without a body: by a `NotMatch` precondition of a read, the client has the object already."""
    return refusal(304, "notModified", "Not Modified", "NotModified")


def conflict(message: str, xml_code: str) -> ApiError:
    """Build a 409 error: the request conflicts with the current state."""
    return refusal(409, "conflict", message, xml_code)
