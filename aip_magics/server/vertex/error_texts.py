"""Errors in the words of Vertex AI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from aip_magics.errors import ApiError, FailedPrecondition, InvalidArgument, NotFound
from aip_magics.server.conventions.error_responses import bad_request
from aip_magics.server.conventions.json_endpoint import Handler


def field_error(field: str, message: str) -> ApiError:
    """Build InvalidArgument about one field of the request, named as in the API: `model.display_name`."""
    text = f"List of found errors:\t1.Field: {field}; Message: {message}\t"
    return bad_request(text, [{"field": field, "description": message}])


def not_found(kind: str, name: str) -> ApiError:
    """Build NotFound for a resource: `not_found("Model", "projects/…/models/m")`."""
    return NotFound(f"The {kind} `{name}` does not exist.")


def refuse_unsupported(values: Mapping[str, object]) -> None:
    """Raise FailedPrecondition for the first value that is set; the keys say what the server does not support."""
    for what, value in values.items():
        if value:
            raise FailedPrecondition(f"The embedded server does not support {what}.")


def unimplemented(message: str) -> ApiError:
    """Build the error of a method of the API that the embedded server does not have (501)."""
    return ApiError(message, code=501, status="UNIMPLEMENTED")


def with_own_words(handler: Handler) -> Handler:
    """Return the handler, with the errors of rules that both APIs share in the words of this one."""

    async def reworded(request: Request) -> Mapping[str, Any]:
        try:
            return await handler(request)
        except ApiError as error:
            raise reword(error) from None

    return reworded


def reword(error: ApiError) -> ApiError:
    """Return an error about a field in Vertex AI's words; any other error, or one of AI Platform's own, as it is."""
    violations = error.details[0].get("fieldViolations", []) if error.details else []
    if len(violations) != 1 or not error.message.startswith("Field: "):
        return error
    field, description = violations[0]["field"], violations[0]["description"]
    if isinstance(error, InvalidArgument):
        return field_error(field, description)
    if isinstance(error, FailedPrecondition):
        return FailedPrecondition(description.replace("Deployment directory", "Model directory"))
    return error
