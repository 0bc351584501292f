"""HTTP transport of the v1 API: one session, retries of safe calls, error translation.

The session is google-auth's AuthorizedSession (a `requests.Session`), for Google's endpoint and the embedded server
alike; a test may mount an adapter on it.
"""

from __future__ import annotations

import json
import math
import time
import urllib.parse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from aip_magics import bounded_response, errors
from aip_magics.client.calls import Request
from aip_magics.connection_errors import (
    check_endpoint_fix,
    connection_reason,
    credentials_error,
    innermost_cause,
    login_fix,
)
from aip_magics.data_directory import free_server_space_fix
from aip_magics.errors import ApiError, PredictionError
from aip_magics.i18n import gettext as _
from aip_magics.retry import RETRYABLE_STATUSES, RetryableError, RetryPolicy, retry_call

if TYPE_CHECKING:
    import requests

RETRY_POLICY = RetryPolicy(initial_delay=0.4, max_delay=8.0, give_up_after=math.inf, max_attempts=5)
TOO_MANY_REQUESTS = 429  # the service did nothing, so that every call may be sent again
DISK_FULL = 507  # of the embedded server only
RETRYABLE = RETRYABLE_STATUSES - {408}
MAX_ERROR_BYTES = 64 << 10  # read of an error response, which is a few sentences long
ERROR_BY_STATUS: dict[str, type[ApiError]] = {
    "INVALID_ARGUMENT": errors.InvalidArgument,
    "FAILED_PRECONDITION": errors.FailedPrecondition,
    "UNAUTHENTICATED": errors.Unauthenticated,
    "PERMISSION_DENIED": errors.PermissionDenied,
    "NOT_FOUND": errors.NotFound,
    "ALREADY_EXISTS": errors.AlreadyExists,
    "RESOURCE_EXHAUSTED": errors.ResourceExhausted,
    "UNAVAILABLE": errors.Unavailable,
}
ERROR_BY_CODE: dict[int, type[ApiError]] = {
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

    Args:
        base_url: Base URL, without a trailing slash.
        session: Adds the credentials.
        headers: Sent with every call.
        timeout: Seconds for one response.
        sleep: Waits between attempts.
    """

    def __init__(
        self,
        base_url: str,
        session: requests.Session,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = 70.0,  # the service allows 60 s for a prediction
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        from aip_magics.client.session_adapter import mount_bounded_adapter

        mount_bounded_adapter(session)
        self._session = session
        self._headers = dict(headers or {})
        self._timeout = timeout
        self._sleep = sleep
        self.bytes_received = 0  # of all responses so far

    def url(self, request: Request) -> str:
        """The full URL of a request, without its query."""
        return f"{self.base_url}/{request.quoted_path}"

    def send(self, request: Request) -> Any:
        """Send a request and return the JSON of its response.

        At most `request.max_bytes` bytes of a response are read, for at most twice `timeout`. Safe calls are attempted
        up to five times; a call that changes something only if the server has done nothing, because no connection was
        opened or there were too many requests, so that nothing is done twice.

        Raises:
            ApiError: The endpoint cannot be reached, or answered with an error.
            PredictionError: The model failed.
            CredentialsError: The credentials are not accepted.
        """
        try:
            response = retry_call(lambda: self._attempt(request), RETRY_POLICY, clock=time.monotonic, sleep=self._sleep)
        except RetryableError as error:
            if error.final is None:
                raise
            raise error.final from error.final.__cause__
        return self._json(response)

    def _attempt(self, request: Request) -> _Response:
        try:
            response = self._request_once(request)
        except errors.Unavailable as error:
            if not (request.is_safe or _never_sent(error.__cause__)):
                raise
            unavailable = error
        else:
            if response.code not in RETRYABLE or not (request.is_safe or response.code == TOO_MANY_REQUESTS):
                return response
            raise RetryableError(f"HTTP {response.code}", final=self._error(response))
        raise RetryableError(unavailable.message, final=unavailable)

    def _request_once(self, request: Request) -> _Response:
        import google.auth.exceptions
        import requests as http
        import urllib3.exceptions

        raw = request.body if isinstance(request.body, bytes) else None
        if request.body is not None and raw is None:
            raw = json.dumps(request.body).encode()
        headers = {**self._headers, **({"Content-Type": "application/json"} if raw is not None else {})}
        try:
            response = self._session.request(
                request.method,
                self.url(request),
                data=raw,
                params=dict(request.params),
                headers={"Accept-Encoding": "gzip", **headers},
                timeout=self._timeout,
                allow_redirects=False,
                stream=True,
            )
            with response:
                return self._read(response, request.max_bytes)
        except google.auth.exceptions.GoogleAuthError as error:
            raise credentials_error(error, self.base_url) from None
        except (http.Timeout, urllib3.exceptions.TimeoutError) as error:
            raise errors.Unavailable(
                _("no response within {timeout:g} s", timeout=self._timeout), where=self.base_url
            ) from error
        except (http.RequestException, urllib3.exceptions.HTTPError) as error:
            if isinstance(endless := innermost_cause(error), bounded_response.EndlessResponse):
                text = _("the response of the endpoint does not end: {part}", part=endless)
                raise ApiError(text, where=self.base_url, fix=check_endpoint_fix()) from None
            raise errors.Unavailable(
                _("could not connect to the endpoint: {reason}", reason=connection_reason(error)), where=self.base_url
            ) from error

    def _read(self, response: requests.Response, max_bytes: int) -> _Response:
        code = response.status_code
        succeeded = 200 <= code < 300
        data, complete = bounded_response.content(response.raw, max_bytes if succeeded else MAX_ERROR_BYTES)
        self.bytes_received += len(data)
        if succeeded and not complete:
            text = _("the response exceeds the limit of {max_bytes} bytes for this request", max_bytes=max_bytes)
            raise ApiError(text, code=code, where=self.base_url, fix=check_endpoint_fix())
        return _Response(code, data, response.headers.get("Location", "")[:200])

    def _json(self, response: _Response) -> Any:
        if response.code >= 300:
            raise self._error(response)
        data = response.json()
        if not isinstance(data, dict):
            text = _("expected a JSON object from the endpoint, got: {text}", text=response.text[:100])
            raise ApiError(text, code=response.code, where=self.base_url, fix=check_endpoint_fix())
        return data

    def _error(self, response: _Response) -> errors.AipError:
        """The error for a response that is a redirect or an error."""
        if response.code < 400:
            text = _("the endpoint redirects to {url}; redirects are not followed", url=response.location)
            return ApiError(text, code=response.code, where=self.base_url, fix=check_endpoint_fix())
        return error_from_response(response.code, response.json(), response.text, self.base_url)


class _Response(NamedTuple):
    """A response that was read."""

    code: int
    data: bytes
    location: str

    def json(self) -> Any:
        """The JSON value, None if it is none."""
        try:
            return json.loads(self.data) if self.data else {}
        except (ValueError, RecursionError):
            return None

    @property
    def text(self) -> str:
        """The beginning of the content."""
        return self.data[:2000].decode("utf-8", "replace")[:500]


def error_from_response(code: int, data: Any, text: str, endpoint: str) -> errors.AipError:
    """The error for an error response: the API's error object, the string form of predictions, or neither."""
    found = data.get("error") if isinstance(data, Mapping) else None
    if isinstance(found, str):
        return PredictionError("FAILED_TO_RUN_MODEL", found.removeprefix("Prediction failed: "), where=endpoint)
    details = found if isinstance(found, Mapping) else {}
    message = str(details.get("message") or text.strip() or _("HTTP {code} without a message", code=code))
    status = str(details.get("status") or "")
    if (urllib.parse.urlsplit(endpoint).hostname or "").endswith("ml.googleapis.com"):
        return errors.ServiceEnded(
            message,
            code=code,
            status=status,
            details=details.get("details") or (),
            where=endpoint,
            fix=_("use the embedded server (--target local); AI Platform Prediction was shut down on 2025-01-31"),
        )
    kind = ERROR_BY_STATUS.get(status) or ERROR_BY_CODE.get(code, ApiError)
    fix = free_server_space_fix() if code == DISK_FULL else ""
    if code == 401 and (urllib.parse.urlsplit(endpoint).hostname or "").endswith("googleapis.com"):
        fix = login_fix()
    return kind(
        message, code=code, status=status, details=details.get("details") or (), where=_violated(details), fix=fix
    )


def _violated(error: Mapping[str, Any]) -> str:
    """The field that a BadRequest detail names, if any."""
    for detail in error.get("details") or ():
        for violation in detail.get("fieldViolations") or () if isinstance(detail, Mapping) else ():
            return str(violation.get("field") or "")
    return ""


def _never_sent(error: BaseException | None) -> bool:
    """Whether no connection was opened, so that the server cannot have received the call."""
    import requests
    import urllib3.exceptions

    if isinstance(error, requests.ConnectTimeout):
        return True
    cause = error.args[0] if isinstance(error, requests.ConnectionError) and error.args else None
    return isinstance(getattr(cause, "reason", None), urllib3.exceptions.NewConnectionError)
