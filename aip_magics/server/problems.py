"""Errors as the service words them: `Field: <field> Error: <description>` with a BadRequest detail."""

from __future__ import annotations

from aip_magics.errors import ApiError, FailedPrecondition, NotFound


def violation(kind: type[ApiError], field: str, description: str) -> ApiError:
    """An error about one field of the request."""
    detail = {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{"field": field, "description": description}],
    }
    return kind(f"Field: {field} Error: {description}", details=[detail])


def no_model(model: str) -> ApiError:
    return violation(
        NotFound,
        "name",
        f'The model resource: "{model}" was not found. Please create the model resource first by using '
        f"'gcloud ai-platform models create {model}'.",
    )


def no_version(version: str, model: str) -> ApiError:
    return violation(NotFound, "name", f'The version resource: "{version}" of model "{model}" was not found.')


def no_operation(operation: str) -> ApiError:
    return violation(NotFound, "name", f'The operation: "{operation}" was not found.')


def not_while(state: str, verb: str) -> ApiError:
    return violation(FailedPrecondition, "name", f"A version in state {state} cannot be {verb}; wait until it is done.")
