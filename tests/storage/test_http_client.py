"""Requests with the right header and nowhere else: tokens, renewal, foreign hosts, answers that are no answers."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from storage_fixtures import MakeFiles

from aip_magics.errors import CredentialsError, StorageError
from aip_magics.storage import (
    GoogleAuth,
    GsUri,
    RetryPolicy,
    StorageClient,
    StorageRequestError,
    bearer,
    list_objects,
    plan_upload,
    upload,
)

Answer = tuple[int, dict[str, str], bytes]
Seen = list[tuple[str, str, str | None]]  # method, path, Authorization


class Web(http.server.ThreadingHTTPServer):
    """`seen` is what was asked; `answer` decides, by method, path and Authorization."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.seen: Seen = []
        self.answer: Callable[[str, str, str | None], Answer] = lambda *_asked: (200, {}, b"{}")
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Web

    def _any(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        asked = (self.command, self.path, self.headers.get("Authorization"))
        self.server.seen.append(asked)
        status, headers, body = self.server.answer(*asked)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = _any

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def webs() -> Iterator[Callable[[], Web]]:
    started: list[tuple[Web, threading.Thread]] = []

    def start() -> Web:
        web = Web()
        web.daemon_threads = True
        web.block_on_close = False
        thread = threading.Thread(target=web.serve_forever, args=(0.02,))
        thread.start()
        started.append((web, thread))
        return web

    yield start
    for web, thread in started:
        web.shutdown()
        thread.join()
        web.server_close()


class Credentials:
    """As google-auth's: `refresh` gets the next token."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)

    def refresh(self, request: Any) -> None:
        self.tokens = self.tokens[1:] or self.tokens

    def before_request(self, request: Any, method: str, url: str, headers: dict[str, str]) -> None:
        headers["authorization"] = f"Bearer {self.tokens[0]}"


def only(token: str) -> Callable[[str, str, str | None], Answer]:
    return lambda _method, _path, given: (200, {}, b"{}") if given == f"Bearer {token}" else (401, {}, b"no")


def test_http_client_renews_a_token_that_ran_out(webs: Callable[[], Web]) -> None:
    web = webs()
    web.answer = only("new")
    client = StorageClient(
        web.url, GoogleAuth(Credentials("old", "new"), web.url), policy=RetryPolicy(initial_delay=0.01)
    )
    assert client.request("GET", "/x", where="x").status == 200
    assert [given for _, _, given in web.seen] == ["Bearer old", "Bearer new"]
    client.close()


@pytest.mark.parametrize("tokens", [("old",), ("old", "other"), ("old", "other", "third")])
def test_http_client_tells_credentials_that_stay_refused(webs: Callable[[], Web], tokens: tuple[str, ...]) -> None:
    web = webs()
    web.answer = only("right")
    client = StorageClient(web.url, GoogleAuth(Credentials(*tokens), web.url), policy=RetryPolicy(initial_delay=0.01))
    with pytest.raises(CredentialsError) as caught:
        client.request("GET", "/x", where="gs://b/x")
    assert len(web.seen) <= 2
    assert not any(token in str(caught.value) for token in tokens)
    client.close()


def test_http_client_sends_the_token_to_the_endpoint_only(
    webs: Callable[[], Web], files: MakeFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session's URL may lie elsewhere; a redirect is not followed."""
    ours, theirs = webs(), webs()
    client = StorageClient(ours.url, bearer("secret"))
    client.request_once("PUT", f"{theirs.url}/session", where="x", body=b"")
    assert theirs.seen == [("PUT", "/session", None)]
    client.request_once("PUT", f"{ours.url}/session", where="x", body=b"")
    assert ours.seen == [("PUT", "/session", "Bearer secret")]
    ours.answer = lambda *_asked: (302, {"Location": f"{theirs.url}/stolen"}, b"")
    with pytest.raises(StorageRequestError, match="302"):
        client.request("GET", "/x", where="x")
    assert len(theirs.seen) == 1
    client.close()


def test_http_client_takes_a_longer_name_for_another_host(webs: Callable[[], Web]) -> None:
    web = webs()
    client = StorageClient(web.url.removesuffix(str(web.server_port)) + "1", bearer("secret"))
    client.request_once("GET", f"{web.url}/x", where="x")  # port 1, and a port that begins with 1
    assert web.seen == [("GET", "/x", None)]
    client.close()


def test_http_client_anonymous(webs: Callable[[], Web]) -> None:
    web = webs()
    client = StorageClient(web.url + "/")
    assert list_objects(client, GsUri("bucket")) == {}
    assert web.seen[0][1].startswith("/storage/v1/b/bucket/o?")
    assert web.seen[0][2] is None
    client.close()


def test_http_client_uses_a_proxy(webs: Callable[[], Web]) -> None:
    proxy = webs()
    client = StorageClient("http://storage.example.com", bearer("t"), proxy=proxy.url)
    assert list_objects(client, GsUri("bucket")) == {}
    assert proxy.seen[0][1].startswith("http://storage.example.com/storage/v1/b/bucket/o?")
    client.close()


@pytest.mark.parametrize("body", [b"<html>log in to the network</html>", b"[]", b"7"])
def test_http_client_refuses_a_response_that_is_not_cloud_storage(webs: Callable[[], Web], body: bytes) -> None:
    web = webs()
    web.answer = lambda *_asked: (200, {}, body)
    client = StorageClient(web.url)
    with pytest.raises(StorageError):
        list_objects(client, GsUri("bucket"))
    client.close()


def test_http_client_tells_that_nobody_is_there(files: MakeFiles) -> None:
    client = StorageClient("http://127.0.0.1:1", policy=RetryPolicy(initial_delay=0.01, give_up_after=0.1))
    with pytest.raises(StorageError, match="Connection refused") as caught:
        plan_upload(client, files({"a": b"1"}), GsUri("bucket", "dir/"))
    assert caught.value.where == "gs://bucket/dir/"
    client.close()


def test_http_client_reads_the_message_of_an_error(webs: Callable[[], Web], files: MakeFiles, tmp_path: Path) -> None:
    web = webs()
    client = StorageClient(web.url)
    web.answer = lambda method, *_rest: (
        (403, {}, b'{"error": {"message": "no objects.create"}}') if method == "POST" else (200, {}, b"{}")
    )
    with pytest.raises(StorageRequestError, match=r"403: no objects\.create") as caught:
        upload(client, plan_upload(client, files({"dir/a": b"1"}), GsUri("bucket", "v1/")))
    assert caught.value.where == "gs://bucket/v1/dir/a"
    assert "roles/storage.objectUser" in caught.value.fix
    web.answer = lambda *_asked: (400, {}, b"<?xml?><Error><Code>X</Code><Message>bad part</Message></Error>")
    with pytest.raises(StorageRequestError, match="400: bad part"):
        client.request("POST", "/b/o?uploads", where="x")
    client.close()
