"""What Cloud Storage refuses, with the codes, reasons and texts its clients know.

Every failure is an `ApiError`; `details[0]` is the entry of `error.errors` in the JSON API, `details[1]["xmlCode"]` the
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
    """An error answer: HTTP status, Google's reason, a text for people, the XML API's code, further entry fields."""
    kind, status = _KINDS.get(code, (ApiError, ""))
    entry = {"domain": "global", "reason": reason, "message": message, **more}
    return kind(message, code=code, status=status, details=(entry, {"xmlCode": xml_code or "InvalidArgument"}))


def invalid(message: str, reason: str = "invalid", xml_code: str = "InvalidArgument") -> ApiError:
    """400: the request is wrong."""
    return refusal(400, reason, message, xml_code)


def bad_digest(message: str) -> ApiError:
    """400: the bytes that arrived are not those the caller meant."""
    return refusal(400, "invalid", message, "BadDigest")


def no_bucket() -> ApiError:
    return refusal(404, "notFound", "The specified bucket does not exist.", "NoSuchBucket")


def no_object(bucket: str, name: str, generation: int | None = None) -> ApiError:
    suffix = f"#{generation}" if generation is not None else ""
    return refusal(404, "notFound", f"No such object: {bucket}/{name}{suffix}", "NoSuchKey")


def no_session() -> ApiError:
    text = "No such resumable upload session: it was cancelled, has failed or is older than a week. Start a new one."
    return refusal(404, "notFound", text, "NoSuchUpload")


def no_multipart() -> ApiError:
    text = "The specified multipart upload does not exist: it was completed or aborted."
    return refusal(404, "notFound", text, "NoSuchUpload")


def condition_not_met() -> ApiError:
    return refusal(
        412,
        "conditionNotMet",
        "At least one of the pre-conditions you specified did not hold.",
        "PreconditionFailed",
        locationType="header",
        location="If-Match",
    )


def not_modified() -> ApiError:
    """304: a read whose `NotMatch` condition says that the caller has it already. Has no body."""
    return refusal(304, "notModified", "Not Modified", "NotModified")


def conflict(message: str, xml_code: str) -> ApiError:
    return refusal(409, "conflict", message, xml_code)
