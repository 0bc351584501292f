"""Errors as the service words them: `Field: <field> Error: <description>` with a BadRequest detail."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from aip_magics.errors import ApiError, FailedPrecondition, InvalidArgument, NotFound, ResourceExhausted


def violation(kind: type[ApiError], field: str, description: str) -> ApiError:
    """An error about one field of the request."""
    return kind(
        f"Field: {field} Error: {description}", details=[_violations([{"field": field, "description": description}])]
    )


def bad_request(message: str, violations: Sequence[Mapping[str, str]]) -> ApiError:
    """InvalidArgument with a text of its own and the fields that are wrong."""
    return InvalidArgument(message, details=[_violations(violations)])


def _violations(violations: Sequence[Mapping[str, str]]) -> Mapping[str, object]:
    return {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": list(violations)}


def snake(path: str) -> str:
    """`version.autoScaling.minNodes` as errors of the service name it; the keys of labels stay as they are."""
    fields, labels, key = path.partition(".labels.")
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda match: f"_{match[0].lower()}", fields) + labels + key


def aborted(description: str) -> ApiError:
    """409: somebody else was faster; reading again and repeating helps."""
    return ApiError(description, code=409, status="ABORTED")


def over_quota(subject: str, description: str) -> ApiError:
    """429 with a QuotaFailure detail."""
    failure = {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{"subject": subject, "description": description}],
    }
    return ResourceExhausted(f"Quota exceeded. {description}", details=[failure])


def no_model(model: str) -> ApiError:
    return violation(
        NotFound,
        "name",
        f'The model resource: "{model}" was not found. Please create the model resource first by using '
        f"'gcloud ai-platform models create {model}'.",
    )


def no_default(model: str) -> ApiError:
    return violation(FailedPrecondition, "name", f'The model "{model}" has no default version; name a version.')


def no_version(version: str, model: str) -> ApiError:
    return violation(NotFound, "name", f'The version resource: "{version}" of model "{model}" was not found.')


def no_operation(operation: str) -> ApiError:
    return violation(NotFound, "name", f'The operation: "{operation}" was not found.')


def no_job(job: str) -> ApiError:
    return violation(NotFound, "name", f'The job resource: "{job}" was not found.')


def not_while(state: str, verb: str) -> ApiError:
    return violation(FailedPrecondition, "name", f"A version in state {state} cannot be {verb}; wait until it is done.")


def must_be_ready(state: str | None) -> None:
    """FailedPrecondition for a version that cannot be the default."""
    if state != "READY":
        text = f"Only a version in state READY can be made the default; this one is {state}."
        raise violation(FailedPrecondition, "name", text)
