"""Errors in the service's words: `Field: <field> Error: <description>` with a BadRequest detail."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from aip_magics.errors import ApiError, FailedPrecondition, InvalidArgument, NotFound, ResourceExhausted

DISK_FULL = "The disk of the embedded server is full."


def violation(kind: type[ApiError], field: str, description: str) -> ApiError:
    """Build an error about one field of the request."""
    return kind(
        f"Field: {field} Error: {description}", details=[_violations([{"field": field, "description": description}])]
    )


def bad_request(message: str, violations: Sequence[Mapping[str, str]]) -> ApiError:
    """Build InvalidArgument with its own message and the invalid fields."""
    return InvalidArgument(message, details=[_violations(violations)])


def _violations(violations: Sequence[Mapping[str, str]]) -> Mapping[str, object]:
    return {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": list(violations)}


def to_snake_case(path: str) -> str:
    """Convert a field path such as `version.autoScaling.minNodes` to snake case, except keys of labels."""
    fields, labels, key = path.partition(".labels.")
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda match: f"_{match[0].lower()}", fields) + labels + key


def aborted(description: str) -> ApiError:
    """Build a 409 error for a concurrent change; the client should read again and retry."""
    return ApiError(description, code=409, status="ABORTED")


def quota_exceeded(subject: str, description: str) -> ApiError:
    """Build a 429 error with a QuotaFailure detail."""
    failure = {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{"subject": subject, "description": description}],
    }
    return ResourceExhausted(f"Quota exceeded. {description}", details=[failure])


def retry_later(message: str) -> ResourceExhausted:
    """Build a 429 error that tells the client to retry after a second: what is used up becomes free again."""
    return ResourceExhausted(
        message, details=[{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s"}]
    )


def disk_full() -> ApiError:
    """Build a 507 error; unlike 429 and 500, clients do not retry it."""
    return ApiError(DISK_FULL, code=507, status="RESOURCE_EXHAUSTED")


def no_model(model: str) -> ApiError:
    """Build NotFound for a model."""
    return violation(
        NotFound,
        "name",
        f'The model resource: "{model}" was not found. Please create the model resource first by using '
        f"'gcloud ai-platform models create {model}'.",
    )


def no_default(model: str) -> ApiError:
    """Build the error of a model without default version."""
    return violation(FailedPrecondition, "name", f'The model "{model}" has no default version; name a version.')


def no_version(version: str, model: str) -> ApiError:
    """Build NotFound for a version."""
    return violation(NotFound, "name", f'The version resource: "{version}" of model "{model}" was not found.')


def no_operation(operation: str) -> ApiError:
    """Build NotFound for an operation."""
    return violation(NotFound, "name", f'The operation: "{operation}" was not found.')


def no_job(job: str) -> ApiError:
    """Build NotFound for a job."""
    return violation(NotFound, "name", f'The job resource: "{job}" was not found.')


def version_busy(state: str, verb: str) -> ApiError:
    """Build the error of a version whose state does not allow the call now."""
    return violation(
        FailedPrecondition, "name", f"A version in state {state} cannot be {verb}; wait until its operation is done."
    )


def check_ready(state: str | None) -> None:
    """Raise FailedPrecondition unless the version can be the default version."""
    if state != "READY":
        text = f"Only a version in state READY can be the default version, got {state}."
        raise violation(FailedPrecondition, "name", text)
