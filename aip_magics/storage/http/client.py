"""HTTP client of one Cloud Storage endpoint: authorization, connection pool, retries, error translation."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
import json
import re
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from aip_magics.bounded_response import EndlessResponse, content
from aip_magics.connection_errors import (
    check_endpoint_fix,
    connection_reason,
    credentials_error,
    innermost_cause,
)
from aip_magics.data_directory import free_server_space_fix
from aip_magics.errors import StorageError
from aip_magics.i18n import gettext as _
from aip_magics.i18n import ngettext
from aip_magics.retry import (
    RETRYABLE_STATUSES,
    RetryableError,
    RetryPolicy,
    parse_retry_after,
    retry_call,
)
from aip_magics.storage.checksums import SLICE_BYTES
from aip_magics.storage.gs_uri import name_fix
from aip_magics.storage.http.socket_registry import SocketRegistry

if TYPE_CHECKING:
    import urllib3

T = TypeVar("T")
Authorize = Callable[[bool], Mapping[str, str]]  # (renew) → headers; renew: the previous ones were refused
MAX_RESPONSE_BYTES = 1 << 20  # one object or bucket; a policy has at most 1,500 members
# A page has at most 1,000 objects, each with a name of 1 KB and custom metadata of 8 KB.
MAX_PAGE_BYTES = 16 << 20
MAX_ERROR_BYTES = 64 << 10
NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class StorageRequestError(StorageError):
    """An error response that no retry helps. `code` is the HTTP status, `text` the server's own message."""

    def __init__(self, code: int, text: str, where: str) -> None:
        message = _("Cloud Storage returned HTTP {code}: {text}", code=code, text=text)
        super().__init__(message, where=where, fix=_fix_for_status(code))
        self.code = code
        self.text = text


@dataclasses.dataclass(frozen=True)
class StorageResponse:
    """A response that was read completely."""

    status: int
    headers: Mapping[str, str]
    data: bytes

    def json(self) -> dict[str, Any]:
        """The content as a JSON object. StorageError if it is none: then another server answered."""
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(self.data or b"{}")
            if isinstance(value, dict):
                return value
        shown = self.data[:100].decode("utf-8", "replace")
        text = _("expected a JSON object from Cloud Storage, got: {text}", text=shown)
        raise StorageError(text, fix=check_endpoint_fix())


class StorageClient:
    """Cloud Storage at one endpoint. Safe to use from many threads.

    Args:
        endpoint: Base URL.
        authorize: Gives the headers of a request (see `bearer` and `GoogleAuth`); without it requests are anonymous.
        headers: Sent with every request.
        proxy: URL of a proxy.
        ca_file: Bundle of certificates.
        connections: Upper bound of connections.
        policy: When requests are retried.
        clock: Current time in seconds.
        sleep: Waits between attempts.
    """

    def __init__(
        self,
        endpoint: str,
        authorize: Authorize | None = None,
        *,
        headers: Mapping[str, str] = NO_HEADERS,
        proxy: str | None = None,
        ca_file: str | None = None,
        connections: int = 64,
        policy: RetryPolicy | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        import urllib3  # a tenth of the run time of a small command: imported only when needed

        from aip_magics.storage.http.connection_pool import open_connection_pool

        self.endpoint = endpoint.rstrip("/")
        self.policy = policy or RetryPolicy()
        self.clock = clock
        self.connections = connections
        self.sockets = SocketRegistry(clock)
        self.best_latency = float("inf")  # seconds until the response to a request without content, at best
        self._authorize = authorize or (lambda _renew: NO_HEADERS)
        self._headers = {"Accept-Encoding": "gzip", "User-Agent": "aip-magics", **headers}
        self._sleep = sleep
        self._on_retry: Callable[[RetryableError], None] = lambda _error: None
        self._uses_proxy = proxy is not None
        self._manager = open_connection_pool(self.sockets, size=2 * connections, proxy=proxy, ca_file=ca_file)
        self._last_renewal: Mapping[str, str] | None = None
        self._http_error = urllib3.exceptions.HTTPError
        self._pools: dict[str, urllib3.HTTPConnectionPool] = {}
        self._timeout = functools.partial(urllib3.Timeout, connect=self.policy.connect_timeout)
        self._origin = f"{_origin(self.endpoint)}/"

    def close(self) -> None:
        """Close the idle connections."""
        self._pools.clear()
        self._manager.clear()

    def bound_to(self, sleep: Callable[[float], None], on_retry: Callable[[RetryableError], None]) -> StorageClient:
        """The same client over the same connections, for threads that stop when `sleep` or `on_retry` raises."""
        other = copy.copy(self)
        other._sleep, other._on_retry = sleep, on_retry
        return other

    def request(
        self,
        method: str,
        target: str,
        *,
        where: str,
        body: bytes | None = None,
        max_bytes: int = MAX_RESPONSE_BYTES,
        **headers: str,
    ) -> StorageResponse:
        """Send a small request, retried by the policy.

        Args:
            method: HTTP method.
            target: Path (quoted, with its query) or URL.
            where: What an error names.
            body: Content of the request.
            max_bytes: Upper bound of the response's content.
            headers: Named with `_` for `-`.

        Raises:
            StorageRequestError: The server answered with an error.
        """
        named = {name.replace("_", "-"): value for name, value in headers.items()}

        def attempt() -> StorageResponse:
            return self.request_once(method, target, where=where, body=body, headers=named, max_bytes=max_bytes)

        return self.retry(attempt, where=where)

    def retry(self, call: Callable[[], T], *, where: str, bytes_transferred: Callable[[], int] = lambda: 0) -> T:
        """Call `call`, retried by the policy (see `retry_call`). StorageError, naming the last cause, in the end."""
        try:
            return retry_call(
                call,
                self.policy,
                clock=self.clock,
                sleep=self._sleep,
                on_retry=self._on_retry,
                bytes_transferred=bytes_transferred,
            )
        except RetryableError as error:
            text = ngettext(
                "Cloud Storage request failed after {number} attempt: {cause}",
                "Cloud Storage request failed after {number} attempts: {cause}",
                error.attempts,
                cause=error.cause,
            )
            raise StorageError(text, where=where, fix=_("run the command again later to resume")) from error

    def request_once(
        self,
        method: str,
        target: str,
        *,
        where: str,
        body: bytes | Iterable[bytes] | None = None,
        length: int | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
        expected_statuses: frozenset[int] = frozenset(),
        max_bytes: int = MAX_RESPONSE_BYTES,
        processing_seconds: float = 0.0,
    ) -> StorageResponse:
        """Send a request without any retry.

        Args:
            length: Bytes of a body that is produced while it is sent.
            expected_statuses: Status codes from 300 on that are no errors.
            processing_seconds: How much longer than usual the server may take until it responds.

        Raises:
            RetryableError: A failure that may pass.
            StorageRequestError: Any other error response.
            CredentialsError: The credentials are not accepted.
        """

        def read(response: urllib3.BaseHTTPResponse) -> StorageResponse:
            return self._read_response(response, where, max_bytes)

        return self._send(method, target, where, body, length, headers, expected_statuses, read, processing_seconds)

    def download_once(
        self, target: str, on_data: Callable[[bytes], None], *, where: str, headers: Mapping[str, str] = NO_HEADERS
    ) -> StorageResponse:
        """Download without any retry; `on_data` gets the bytes as they arrive. Raises as `request_once` does."""

        def read(response: urllib3.BaseHTTPResponse) -> StorageResponse:
            if response.status < 300:
                for data in response.stream(SLICE_BYTES, decode_content=False):
                    self.sockets.touch()
                    on_data(data)
                return StorageResponse(response.status, response.headers, b"")
            return self._read_response(response, where, MAX_RESPONSE_BYTES)

        return self._send("GET", target, where, None, None, headers, frozenset(), read)

    def _send(
        self,
        method: str,
        target: str,
        where: str,
        body: Any,
        length: int | None,
        headers: Mapping[str, str],
        expected_statuses: frozenset[int],
        read: Callable[[urllib3.BaseHTTPResponse], StorageResponse],
        processing_seconds: float = 0.0,
    ) -> StorageResponse:
        url = target if target.startswith("http") else self.endpoint + target
        # The URL of a resumable session needs no token; a URL of another host must not get it.
        credentials = self._authorize(False) if url.startswith(self._origin) else NO_HEADERS
        sent = {**self._headers, **headers, **credentials}
        if length is not None:
            sent["Content-Length"] = str(length)
        self.sockets.allow_silence(processing_seconds)
        started = self.clock()
        try:
            response = self._urlopen(method, url, body, sent, processing_seconds)
            try:
                answer = read(response)
            finally:
                response.close()  # a response that was read to its end has released its connection already
            if body is None:
                self.best_latency = min(self.best_latency, self.clock() - started)
        except self._http_error as error:
            raise self._error_from_connection(error) from error
        finally:
            self.sockets.unregister()
        if answer.status < 300 or answer.status in expected_statuses:
            return answer
        if answer.status == 401 and self._has_new_credentials(credentials):
            raise RetryableError("HTTP 401")
        raise error_from_response(answer, where)

    def _urlopen(self, method: str, url: str, body: Any, headers: dict[str, str], processing_seconds: float) -> Any:
        options: dict[str, Any] = {
            "body": body,
            "headers": headers,
            "retries": False,
            "redirect": False,
            "timeout": self._timeout(read=self.policy.read_timeout + processing_seconds),
            "preload_content": False,
        }
        if self._uses_proxy:
            return self._manager.urlopen(method, url, **options)
        origin = url[: url.find("/", 8)]
        return self._pool(origin).urlopen(method, url[len(origin) :], assert_same_host=False, **options)

    def _pool(self, origin: str) -> urllib3.HTTPConnectionPool:
        pool = self._pools.get(origin)
        if pool is None:  # the manager's lookup by URL costs a tenth of a small request
            pool = self._pools[origin] = self._manager.connection_from_url(origin)
        return pool

    def _read_response(self, response: urllib3.BaseHTTPResponse, where: str, max_bytes: int) -> StorageResponse:
        """Read the content, at most `max_bytes`; of an error the beginning is enough."""
        succeeded = response.status < 300
        data, complete = content(response, max_bytes if succeeded else MAX_ERROR_BYTES, self.sockets.touch)
        if succeeded and not complete:
            text = _("the response exceeds the limit of {max_bytes} bytes for this request", max_bytes=max_bytes)
            raise StorageError(text, where=f"{where}, {self.endpoint}", fix=check_endpoint_fix())
        return StorageResponse(response.status, response.headers, data)

    def _error_from_connection(self, error: Exception) -> Exception:
        """RetryableError for a connection failure, StorageError for one that stays: an untrusted certificate."""
        inner = innermost_cause(error)
        if isinstance(inner, EndlessResponse):
            text = _("the response of the endpoint does not end: {part}", part=inner)
            return StorageError(text, where=self.endpoint, fix=check_endpoint_fix())
        reason = getattr(inner, "verify_message", None)
        if reason is None:
            return RetryableError(connection_reason(error))
        text = _("TLS certificate verification failed: {reason}", reason=reason)
        fix = _("set REQUESTS_CA_BUNDLE to the file with the certificates of your network")
        return StorageError(text, where=self.endpoint, fix=fix)

    def _has_new_credentials(self, refused: Mapping[str, str]) -> bool:
        """Whether there are credentials other than those that were refused; a new token gets one chance."""
        if refused != self._authorize(False):
            return True  # another thread has renewed them
        if not refused or refused == self._last_renewal:
            return False
        self._last_renewal = self._authorize(True)
        return self._last_renewal != refused


def bearer(token: str) -> Authorize:
    """Authorization header of a token that does not change."""
    headers = {"Authorization": f"Bearer {token}"}
    return lambda _renew: headers


class GoogleAuth:
    """Authorization headers of google-auth credentials; one thread fetches and renews the token for all."""

    def __init__(self, credentials: Any, endpoint: str) -> None:
        self._credentials = credentials
        self._endpoint = endpoint
        self._lock = threading.Lock()

    def __call__(self, renew: bool) -> Mapping[str, str]:
        import google.auth.exceptions
        from google.auth.transport.requests import Request

        headers: dict[str, str] = {}
        try:
            with self._lock:
                request = Request()
                if renew:
                    self._credentials.refresh(request)
                self._credentials.before_request(request, "GET", self._endpoint, headers)
        except google.auth.exceptions.GoogleAuthError as error:
            raise credentials_error(error, self._endpoint) from None
        return headers


def _origin(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def error_from_response(response: StorageResponse, where: str) -> Exception:
    """The error for an error response: RetryableError, CredentialsError or StorageRequestError."""
    if response.status in RETRYABLE_STATUSES:
        seconds = parse_retry_after(response.headers.get("retry-after", ""), response.headers.get("date", ""))
        slow_down = response.status in (429, 503)
        return RetryableError(f"HTTP {response.status}", retry_after=seconds, slow_down=slow_down)
    text = _message(response.data) or _("no error message")
    if response.status == 401:
        return credentials_error(text, where)
    return StorageRequestError(response.status, text, where)


def _message(data: bytes) -> str:
    """The message of an error response: of the JSON API, of the XML API, or else the beginning of the text."""
    text = data[:4000].decode("utf-8", "replace").strip()
    try:
        return str(json.loads(text)["error"]["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        # No XML parser: the text may be cut off, or be any proxy's HTML.
        found = re.search(r"<Message>(.*?)</Message>", text, re.DOTALL)
        return (found[1] if found else text).strip()[:300]


def _fix_for_status(code: int) -> str:
    if code == 403:
        return _("ask the bucket's owner for roles/storage.objectUser")
    if code == 404:
        return name_fix()
    if code == 412:
        return _("run the command again; the object was modified concurrently")
    if code == 507:  # of the embedded server only
        return free_server_space_fix()
    return ""
