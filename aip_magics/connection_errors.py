"""Connection failures as texts and errors of ours, shared by the clients of both APIs."""

from __future__ import annotations

from aip_magics.errors import CredentialsError
from aip_magics.i18n import gettext as _


def innermost_cause(error: BaseException) -> BaseException:
    """The exception at the start of the chain: HTTP libraries wrap the operating system's error several times."""
    while (deeper := error.__cause__ or error.__context__) is not None:
        error = deeper
    return error


def connection_reason(error: BaseException) -> str:
    """Reason of a connection failure in a few words; the texts of the outer exceptions show object addresses."""
    inner = innermost_cause(error)
    return getattr(inner, "strerror", None) or type(inner).__name__


def credentials_error(reason: object, where: str) -> CredentialsError:
    """The error for credentials that Google or the endpoint does not accept."""
    return CredentialsError(
        _("authentication failed: {error}", error=reason),
        where=where,
        fix=login_fix(),
    )


def login_fix() -> str:
    """Remedy for credentials that have expired or been revoked."""
    return _("run `gcloud auth application-default login`")


def check_endpoint_fix() -> str:
    """Remedy for a response that does not come from the service that was expected."""
    return _("check the endpoint URL and any proxy")
