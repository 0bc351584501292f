"""One Cloud Storage endpoint: requests with the right header over one pool of connections, and what answers mean."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
import re
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from aip_magics.bounded_response import EndlessResponse, content
from aip_magics.errors import CredentialsError, StorageError
from aip_magics.i18n import gettext as _
from aip_magics.storage.checksums import SLICE
from aip_magics.storage.retry import RETRIED, Again, Policy, persist, retry_after
from aip_magics.storage.sockets import Sockets

if TYPE_CHECKING:
    import urllib3
    from urllib3.connection import HTTPConnection

T = TypeVar("T")
Authorize = Callable[[bool], Mapping[str, str]]  # (renew) → headers; renew = the ones before were refused
ANSWER = 1 << 20  # bytes: about one object or bucket; a policy has 1,500 members at most
# A page has at most 1,000 objects, each with a name of 1 KB and custom metadata of 8 KB.
PAGE = 16 << 20
ERROR = 64 << 10
NOTHING: Mapping[str, str] = MappingProxyType({})


class Refused(StorageError):
    """An error answer that trying again does not mend. `code` is the HTTP status, `text` the answer's own words."""

    def __init__(self, code: int, text: str, where: str) -> None:
        message = _("Cloud Storage answered {code}: {text}", code=code, text=text)
        super().__init__(message, where=where, fix=_fix(code))
        self.code = code
        self.text = text


@dataclasses.dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    data: bytes

    def json(self) -> dict[str, Any]:
        """The JSON object. StorageError where it is none: then it was not Cloud Storage that answered."""
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(self.data or b"{}")
            if isinstance(value, dict):
                return value
        shown = self.data[:100].decode("utf-8", "replace")
        text = _("the answer is not one of Cloud Storage: {text}", text=shown)
        raise StorageError(text, fix=_other_end())


class Store:
    """Cloud Storage at `endpoint` (a base URL). Safe to use from many threads; keeps up to `connections` open.

    `authorize` gives the headers of a request (see `bearer` and `GoogleAuth`); without, requests are anonymous.
    `headers` go with every request. `proxy` is a URL, `ca_file` a bundle of certificates.
    """

    def __init__(
        self,
        endpoint: str,
        authorize: Authorize | None = None,
        *,
        headers: Mapping[str, str] = NOTHING,
        proxy: str | None = None,
        ca_file: str | None = None,
        connections: int = 64,
        policy: Policy | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        import urllib3  # a tenth of the time of a small command: not before it is needed

        from aip_magics.storage.connections import open_pool

        self.endpoint = endpoint.rstrip("/")
        self.policy = policy or Policy()
        self.clock = clock
        self.connections = connections
        self.sockets = Sockets(clock)
        self.soonest = float("inf")  # seconds until the answer to a request without content, at best
        self._authorize = authorize or (lambda _renew: NOTHING)
        self._headers = {"Accept-Encoding": "gzip", "User-Agent": "aip-magics", **headers}
        self._sleep = sleep
        self._on_fault: Callable[[Again], None] = lambda _fault: None
        self._proxied = proxy is not None
        self._manager = open_pool(self.sockets, size=2 * connections, proxy=proxy, ca_file=ca_file)
        self._last_renewal: Mapping[str, str] | None = None
        self._faults = urllib3.exceptions.HTTPError
        self._pools: dict[str, urllib3.HTTPConnectionPool] = {}
        self._timeout = urllib3.Timeout(connect=self.policy.connect, read=self.policy.timeout)
        self._origin = f"{_origin(self.endpoint)}/"

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._pools.clear()
        self._manager.clear()

    def within(self, pause: Callable[[float], None], on_fault: Callable[[Again], None]) -> Store:
        """The same store over the same connections, for threads that are to stop when `pause` or `on_fault` raise."""
        other = copy.copy(self)
        other._sleep, other._on_fault = pause, on_fault
        return other

    def call(
        self, method: str, target: str, *, where: str, body: bytes | None = None, most: int = ANSWER, **headers: str
    ) -> Answer:
        """A request without content to speak of, tried again as often as it pays. Refused for an error answer.

        `target` is a path (escaped, with its query) or a URL. Headers are named with `_` for `-`. `most` is how many
        bytes the answer may have.
        """
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.persist(
            lambda: self.once(method, target, where=where, body=body, headers=named, most=most), where=where
        )

    def persist(self, work: Callable[[], T], *, where: str, gained: Callable[[], int] = lambda: 0) -> T:
        """`work`, tried again by the rules of the policy as long as that pays (see `retry.persist`)."""
        return persist(
            work,
            self.policy,
            where=where,
            clock=self.clock,
            pause=self._sleep,
            on_fault=self._on_fault,
            gained=gained,
        )

    def once(
        self,
        method: str,
        target: str,
        *,
        where: str,
        body: bytes | Iterable[bytes] | None = None,
        length: int | None = None,
        headers: Mapping[str, str] = NOTHING,
        fine: frozenset[int] = frozenset(),
        most: int = ANSWER,
    ) -> Answer:
        """One try. `length` in bytes for a body that is made on the way; `fine` are codes that are no errors.

        Again for what may pass, Refused for other error answers, CredentialsError.
        """

        def whole(response: urllib3.BaseHTTPResponse) -> Answer:
            return self._whole(response, where, most)

        return self._try(method, target, where, body, length, headers, fine, whole)

    def _whole(self, response: urllib3.BaseHTTPResponse, where: str, most: int) -> Answer:
        """An answer with its content, which is bounded: of an error the beginning is enough."""
        fine = response.status < 300
        data, all_ = content(response, most if fine else ERROR, self.sockets.touch)
        if fine and not all_:
            text = _("the answer is larger than the {most} bytes that this request can need", most=most)
            raise StorageError(text, where=f"{where}, {self.endpoint}", fix=_other_end())
        return Answer(response.status, response.headers, data)

    def fetch(
        self, target: str, take: Callable[[bytes], None], *, where: str, headers: Mapping[str, str] = NOTHING
    ) -> Answer:
        """One try of a download: `take` gets the bytes as they come, as they are stored. Errors as in `once`."""

        def stream(response: urllib3.BaseHTTPResponse) -> Answer:
            if response.status < 300:
                for data in response.stream(SLICE, decode_content=False):
                    self.sockets.touch()
                    take(data)
                return Answer(response.status, response.headers, b"")
            return self._whole(response, where, ANSWER)

        return self._try("GET", target, where, None, None, headers, frozenset(), stream)

    def _try(
        self,
        method: str,
        target: str,
        where: str,
        body: Any,
        length: int | None,
        headers: Mapping[str, str],
        fine: frozenset[int],
        read: Callable[[urllib3.BaseHTTPResponse], Answer],
    ) -> Answer:
        url = target if target.startswith("http") else self.endpoint + target
        # A session's URL needs no token; one that points elsewhere must not get it.
        ours = url.startswith(self._origin)
        used = self._authorize(False) if ours else NOTHING
        sent = {**self._headers, **headers, **used}
        if length is not None:
            sent["Content-Length"] = str(length)
        begun = self.clock()
        try:
            response = self._open(method, url, body, sent)
            try:
                answer = read(response)
            finally:
                response.close()  # what was read to its end gave its connection back already
            if body is None:
                self.soonest = min(self.soonest, self.clock() - begun)
        except self._faults as error:
            raise self._fault(error) from error
        finally:
            self.sockets.free()
        if answer.status < 300 or answer.status in fine:
            return answer
        if answer.status == 401 and self._renewed(used):
            raise Again("HTTP 401")
        raise failure(answer, where)

    # For those who use connections themselves (lane.py)

    @property
    def direct(self) -> bool:
        """Whether a connection leads to the endpoint itself: a proxy wants to be spoken to in other ways."""
        return not self._proxied

    def connect(self) -> HTTPConnection:
        """A connection to the endpoint that carries no request. Again where none can be made."""
        pool = self._pool(self._origin[:-1])
        try:
            connection = pool._get_conn()
            if connection.is_closed:
                connection.connect()
        except (self._faults, OSError) as error:
            raise self._fault(error) from error
        finally:
            self.sockets.free()
        return cast("HTTPConnection", connection)

    def give_back(self, connection: HTTPConnection) -> None:
        """For the requests to come."""
        self._pool(self._origin[:-1])._put_conn(connection)

    def request_head(self, method: str, target: str, headers: Mapping[str, str], length: int) -> bytes:
        """What goes over such a connection before a content of `length` bytes."""
        path, host = self.endpoint[len(self._origin) - 1 :] + target, self._origin.split("/")[2]
        # Nothing unpacks the answers here.
        sent = {"Host": host, **self._headers, "Accept-Encoding": "identity", **headers, **self._authorize(False)}
        sent["Content-Length"] = str(length)
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items())]
        if any("\n" in line or "\r" in line for line in lines):
            raise ValueError("a line break in a header")
        return "\r\n".join((*lines, "", "")).encode("latin-1")

    def _fault(self, error: Exception) -> Exception:
        """What a fault of the connection means: Again, or StorageError for a certificate, which stays what it is."""
        inner = _innermost(error)
        if isinstance(inner, EndlessResponse):
            text = _("the answer of the endpoint does not end: {part}", part=inner)
            return StorageError(text, where=self.endpoint, fix=_other_end())
        told = getattr(inner, "verify_message", None)
        if told is None:
            return Again(connection_reason(error))
        text = _("the certificate of the other end is not trusted: {reason}", reason=told)
        fix = _("set REQUESTS_CA_BUNDLE to the file with the certificates of your network")
        return StorageError(text, where=self.endpoint, fix=fix)

    def _renewed(self, refused: Mapping[str, str]) -> bool:
        """Whether there are other credentials now than those that were refused; a new token gets one chance."""
        if refused != self._authorize(False):
            return True  # another thread was faster
        if not refused or refused == self._last_renewal:
            return False
        self._last_renewal = self._authorize(True)
        return self._last_renewal != refused

    def _open(self, method: str, url: str, body: Any, headers: dict[str, str]) -> Any:
        options: dict[str, Any] = {
            "body": body,
            "headers": headers,
            "retries": False,
            "redirect": False,
            "timeout": self._timeout,
            "preload_content": False,
        }
        if self._proxied:
            return self._manager.urlopen(method, url, **options)
        origin = url[: url.find("/", 8)]
        return self._pool(origin).urlopen(method, url[len(origin) :], assert_same_host=False, **options)

    def _pool(self, origin: str) -> urllib3.HTTPConnectionPool:
        pool = self._pools.get(origin)
        if pool is None:  # to look it up by its URL costs as much as a tenth of a small request
            pool = self._pools[origin] = self._manager.connection_from_url(origin)
        return pool


def _other_end() -> str:
    return _("look at the endpoint, and at a proxy in between")


def bearer(token: str) -> Authorize:
    """The header for a token that does not change."""
    headers = {"Authorization": f"Bearer {token}"}
    return lambda _renew: headers


class GoogleAuth:
    """The headers of google-auth credentials; the token is fetched and renewed by one thread for all."""

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
            raise CredentialsError(
                _("the credentials were not accepted: {error}", error=error),
                where=self._endpoint,
                fix=_("run `gcloud auth application-default login`"),
            ) from None
        return headers


def _origin(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def failure(answer: Answer, where: str) -> Exception:
    """What an error answer means: Again, CredentialsError or Refused."""
    if answer.status in RETRIED:
        wanted = retry_after(answer.headers.get("retry-after", ""), answer.headers.get("date", ""))
        return Again(f"HTTP {answer.status}", retry_after=wanted, slow=answer.status in (429, 503))
    text = _message(answer.data) or _("without a message")
    if answer.status == 401:
        return CredentialsError(
            _("the credentials were not accepted: {error}", error=text),
            where=where,
            fix=_("run `gcloud auth application-default login`"),
        )
    return Refused(answer.status, text, where)


def _message(data: bytes) -> str:
    """What an error answer says: the JSON API's message, the XML API's, or the beginning of the text."""
    text = data[:4000].decode("utf-8", "replace").strip()
    try:
        return str(json.loads(text)["error"]["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        found = re.search(r"<Message>(.*?)</Message>", text, re.DOTALL)
        return (found[1] if found else text).strip()[:300]


def _fix(code: int) -> str:
    if code == 403:
        return _("you lack the permission, or the bucket is somebody else's: ask for roles/storage.objectUser on it")
    if code == 404:
        return _("look at the name again: gcloud storage ls gs://BUCKET")
    if code == 412:
        return _("somebody else wrote the same object meanwhile; run it again")
    return ""


def connection_reason(error: BaseException) -> str:
    """The innermost reason of a connection fault: the outer ones show object addresses."""
    error = _innermost(error)
    return getattr(error, "strerror", None) or type(error).__name__


def _innermost(error: BaseException) -> BaseException:
    while (deeper := error.__cause__ or error.__context__) is not None:
        error = deeper
    return error
