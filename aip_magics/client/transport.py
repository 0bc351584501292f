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
from typing import TYPE_CHECKING, Any, NamedTuple

from aip_magics import bounded_response, errors
from aip_magics.client.calls import Request
from aip_magics.errors import ApiError, CredentialsError, PredictionError
from aip_magics.i18n import gettext as _

if TYPE_CHECKING:
    import requests

RETRY_CODES = frozenset({429, 500, 502, 503, 504})
TRIES = 5
ERROR_BYTES = 64 << 10  # of an error's answer that are read: it is a few sentences
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
        from aip_magics.client.connections import mount

        mount(session)
        self._session = session
        self._headers = dict(headers or {})
        self._timeout = timeout
        self._sleep = sleep
        self.received = 0  # bytes of all answers so far

    def url(self, request: Request) -> str:
        """The full URL of a request, without its query."""
        return f"{self.base_url}/{request.quoted}"

    def send(self, request: Request) -> Any:
        """Send and return the JSON of the answer; ApiError (or PredictionError) for an error answer.

        At most `request.most` bytes are read of an answer, and of the time it takes at most twice `timeout`.
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
                if response.code not in RETRY_CODES or not request.safe or attempt == TRIES:
                    return self._answer(response)
            self._sleep(min(0.2 * 2**attempt, 8.0) * random.uniform(0.5, 1.0))
        raise AssertionError("unreachable")

    def _once(self, request: Request) -> _Read:
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
                return self._read(response, request.most)
        except google.auth.exceptions.GoogleAuthError as error:
            raise CredentialsError(
                _("the credentials were not accepted: {error}", error=error),
                where=self.base_url,
                fix=_("run `gcloud auth application-default login`"),
            ) from None
        except (http.Timeout, urllib3.exceptions.TimeoutError) as error:
            raise errors.Unavailable(
                _("no answer within {timeout:g} s", timeout=self._timeout), where=self.base_url
            ) from error
        except (http.RequestException, urllib3.exceptions.HTTPError) as error:
            if isinstance(endless := _innermost(error), bounded_response.EndlessResponse):
                text = _("the answer of the endpoint does not end: {part}", part=endless)
                raise ApiError(text, where=self.base_url, fix=_other_end()) from None
            raise errors.Unavailable(
                _("the endpoint cannot be reached ({reason})", reason=_reason(error)), where=self.base_url
            ) from error

    def _read(self, response: requests.Response, most: int) -> _Read:
        code = response.status_code
        fine = 200 <= code < 300
        data, whole = bounded_response.content(response.raw, most if fine else ERROR_BYTES)
        self.received += len(data)
        if fine and not whole:
            text = _("the answer of the endpoint is larger than the {most} bytes that this call can need", most=most)
            raise ApiError(text, code=code, where=self.base_url, fix=_other_end())
        return _Read(code, data, response.headers.get("Location", "")[:200])

    def _answer(self, read: _Read) -> Any:
        try:
            data = json.loads(read.data) if read.data else {}
        except (ValueError, RecursionError):
            data = None
        if 300 <= read.code < 400:
            text = _("the endpoint leads elsewhere, where neither call nor token goes: {url}", url=read.location)
            raise ApiError(text, code=read.code, where=self.base_url, fix=_other_end())
        text = read.data[:2000].decode("utf-8", "replace")[:500]
        if read.code >= 300:
            raise error_of(read.code, data, text, self.base_url)
        if not isinstance(data, dict):
            text = _("the answer of the endpoint is no JSON object: {text}", text=text[:100])
            raise ApiError(text, code=read.code, where=self.base_url, fix=_other_end())
        return data


class _Read(NamedTuple):
    """An answer that was read."""

    code: int
    data: bytes
    location: str


def _other_end() -> str:
    return _("look at the endpoint, and at a proxy in between")


def error_of(code: int, data: Any, text: str, endpoint: str) -> errors.AipError:
    """The error for an answer: the API's error object, the string form of predictions, or neither."""
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
            fix=_("AI Platform Prediction was shut down on 2025-01-31: use the embedded server (--target local)"),
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
    inner = _innermost(error)
    return getattr(inner, "strerror", None) or type(inner).__name__


def _innermost(error: BaseException) -> BaseException:
    while (deeper := error.__cause__ or error.__context__) is not None:
        error = deeper
    return error
