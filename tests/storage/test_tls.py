"""The engine over TLS: the certificate is checked, and a stop breaks off a request that waits."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from storage_fixtures import serving

from aip_magics import settings
from aip_magics.errors import StorageError
from aip_magics.retry import RetryableError
from aip_magics.storage import StorageClient
from aip_magics.targets import choose


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/slow":
            time.sleep(5)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_words: object) -> None: ...


@pytest.fixture
def url(certificate: tuple[Path, Path]) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads, server.block_on_close = True, False
    server.handle_error = lambda *_words: None  # type: ignore[method-assign]
    with serving(server, certificate) as url:
        yield url


def test_tls_trusts_the_named_bundle(url: str, certificate: tuple[Path, Path]) -> None:
    client = StorageClient(url, ca_file=str(certificate[0]))
    for _ in range(2):  # the second one over the same connection
        assert client.request_once("GET", "/", where=url).json() == {}
    client.close()


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_tls_trusts_the_users_bundle_on_this_machine_too(
    url: str, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    for each in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv(variable, str(certificate[0]))
    client = choose(settings.resolve(target="aiplatform", project="my-project", storage_endpoint=url)).storage_client
    assert client.request_once("GET", "/", where=url).json() == {}
    client.close()


def test_tls_tells_an_unknown_certificate_at_once(url: str) -> None:
    client = StorageClient(url)
    begun = time.monotonic()
    with pytest.raises(StorageError, match="TLS certificate verification failed: self") as caught:
        client.request("GET", "/", where=url)
    assert time.monotonic() - begun < 5
    assert "REQUESTS_CA_BUNDLE" in caught.value.fix
    with pytest.raises(StorageError, match="certificate"):
        client.request_once("GET", "/", where=url)
    client.close()


def test_tls_request_that_waits_is_broken_off(url: str, certificate: tuple[Path, Path]) -> None:
    client = StorageClient(url, ca_file=str(certificate[0]))
    assert client.request_once("GET", "/", where=url).status == 200
    timer = threading.Timer(0.2, client.sockets.interrupt)
    begun = time.monotonic()
    timer.start()
    with pytest.raises(RetryableError):
        client.request_once("GET", "/slow", where=url)
    assert time.monotonic() - begun < 3
    timer.join()
    client.close()
