"""HTTP: one session, retries where they are safe, and error answers turned into our errors.

The session is google-auth's AuthorizedSession (a `requests.Session`); it is the seam: Google's endpoint, the embedded
server, or an adapter mounted by a test.
"""

from __future__ import annotations

import json
import random
import time
import urllib.parse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from aip_magics import errors
from aip_magics.client.calls import Request
from aip_magics.errors import ApiError, CredentialsError, PredictionError
from aip_magics.language import say

if TYPE_CHECKING:
    import requests

RETRY_CODES = frozenset({429, 500, 502, 503, 504})
TRIES = 5
BY_STATUS: dict[str, type[ApiError]] = {
    "INVALID_ARGUMENT": errors.InvalidArgument,
    "FAILED_PRECONDITION": errors.FailedPrecondition,
    "UNAUTHENTICATED": errors.Unauthenticated,
    "PERMISSION_DENIED": errors.PermissionDenied,
    "NOT_FOUND": errors.NotFound,
    "ALREADY_EXISTS": errors.AlreadyExists,
    "RESOURCE_EXHAUSTED": errors.ResourceExhausted,
    "UNAVAILABLE": errors.Unavailable,
}
BY_CODE: dict[int, type[ApiError]] = {
    400: errors.InvalidArgument,
    401: errors.Unauthenticated,
    403: errors.PermissionDenied,
    404: errors.NotFound,
    409: errors.AlreadyExists,
    429: errors.ResourceExhausted,
    503: errors.Unavailable,
}


class Transport:
    """Sends requests to one endpoint.

    `base_url` has no trailing slash; `headers` go with every call; `timeout` is in seconds and covers one answer.
    """

    def __init__(
        self,
        base_url: str,
        session: requests.Session,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = 70.0,  # the service gives a prediction 60 s
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._session = session
        self._headers = dict(headers or {})
        self._timeout = timeout
        self._sleep = sleep

    def url(self, request: Request) -> str:
        """The full URL of a request, without its query."""
        return f"{self.base_url}/{urllib.parse.quote(request.path, safe='/:')}"

    def send(self, request: Request) -> Any:
        """Send and return the JSON of the answer; ApiError (or PredictionError) for an error answer.

        Safe calls are tried up to five times; a call that changes something only when it certainly was not taken
        (no connection was made), so that nothing is done twice.
        """
        for attempt in range(1, TRIES + 1):
            try:
                response = self._once(request)
            except errors.Unavailable as error:
                if attempt == TRIES or not (request.safe or _never_sent(error.__cause__)):
                    raise
            else:
                if response.status_code not in RETRY_CODES or not request.safe or attempt == TRIES:
                    return self._answer(response)
            self._sleep(min(0.2 * 2**attempt, 8.0) * random.uniform(0.5, 1.0))
        raise AssertionError("unreachable")

    def _once(self, request: Request) -> requests.Response:
        import google.auth.exceptions
        import requests as http

        raw = request.body if isinstance(request.body, bytes) else None
        if request.body is not None and raw is None:
            raw = json.dumps(request.body).encode()
        headers = {**self._headers, **({"Content-Type": "application/json"} if raw is not None else {})}
        try:
            return self._session.request(
                request.method,
                self.url(request),
                data=raw,
                params=dict(request.params),
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,
            )
        except google.auth.exceptions.GoogleAuthError as error:
            raise CredentialsError(
                say("the credentials were not accepted: {error}", error=error),
                where=self.base_url,
                fix=say("run `gcloud auth application-default login`"),
            ) from None
        except http.Timeout as error:
            raise errors.Unavailable(
                say("no answer within {timeout:g} s", timeout=self._timeout), where=self.base_url
            ) from error
        except http.RequestException as error:
            raise errors.Unavailable(
                say("the endpoint cannot be reached ({reason})", reason=_reason(error)), where=self.base_url
            ) from error

    def _answer(self, response: requests.Response) -> Any:
        try:
            data = json.loads(response.content) if response.content else {}
        except ValueError:
            data = None
        if response.ok and data is not None:
            return data
        raise error_of(response.status_code, data, response.text[:500], self.base_url)


def error_of(code: int, data: Any, text: str, endpoint: str) -> errors.AipError:
    """The error for an answer: the API's error object, the string form of predictions, or neither."""
    found = data.get("error") if isinstance(data, Mapping) else None
    if isinstance(found, str):
        return PredictionError("FAILED_TO_RUN_MODEL", found.removeprefix("Prediction failed: "), where=endpoint)
    details = found if isinstance(found, Mapping) else {}
    message = str(details.get("message") or text.strip() or say("HTTP {code} without a message", code=code))
    status = str(details.get("status") or "")
    if (urllib.parse.urlsplit(endpoint).hostname or "").endswith("ml.googleapis.com"):
        return errors.ServiceEnded(
            message,
            code=code,
            status=status,
            details=details.get("details") or (),
            where=endpoint,
            fix=say("AI Platform Prediction was shut down on 2025-01-31: use the embedded server (--target local)"),
        )
    kind = BY_STATUS.get(status) or BY_CODE.get(code, ApiError)
    return kind(message, code=code, status=status, details=details.get("details") or (), where=_violated(details))


def _violated(error: Mapping[str, Any]) -> str:
    """The field a BadRequest detail names, if any."""
    for detail in error.get("details") or ():
        for violation in detail.get("fieldViolations") or () if isinstance(detail, Mapping) else ():
            return str(violation.get("field") or "")
    return ""


def _never_sent(error: BaseException | None) -> bool:
    """Whether no connection was made at all, so that the server cannot have seen the call."""
    import requests
    import urllib3.exceptions

    if isinstance(error, requests.ConnectTimeout):
        return True
    cause = error.args[0] if isinstance(error, requests.ConnectionError) and error.args else None
    return isinstance(getattr(cause, "reason", None), urllib3.exceptions.NewConnectionError)


def _reason(error: Exception) -> str:
    """The innermost reason of a requests error: its own text shows object addresses and URLs."""
    inner: BaseException = error
    while (deeper := inner.__cause__ or inner.__context__) is not None:
        inner = deeper
    return getattr(inner, "strerror", None) or type(inner).__name__
