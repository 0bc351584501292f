"""Uploads of many small files to a server that answers in ways the embedded server does not."""

from __future__ import annotations

import email
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import google_crc32c
import pytest
from storage_fixtures import MakeFiles, serving

from aip_magics.artifacts import File
from aip_magics.crc32c import encode_crc32c
from aip_magics.errors import StorageError
from aip_magics.storage import GsUri, RetryPolicy, StorageClient, diff_with_remote, upload

FILES = {f"file-{number:03}.bin": bytes([number]) * number * 100 for number in range(100)}


class Server(http.server.ThreadingHTTPServer):
    """Takes objects. `way` is how it answers; `connections` and `asked` count."""

    daemon_threads, block_on_close, request_queue_size = True, False, 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.way = "plain"
        self.url = ""
        self.connections = 0
        self.asked = 0
        self.objects: dict[str, bytes] = {}

    def handle_error(self, *_words: object) -> None: ...


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer in one piece
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_POST(self) -> None:
        self.server.asked += 1
        body = self.rfile.read(int(self.headers["Content-Length"]))
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode("latin-1")
        about, content = (part.get_payload(decode=True) for part in email.message_from_bytes(head + body).get_payload())
        made = json.loads(about)
        if self.server.way == "hangs once" and made["name"].endswith("050.bin") and self.server.asked < len(FILES):
            threading.Event().wait(3)
            self.close_connection = True
            return
        assert made["crc32c"] == encode_crc32c(google_crc32c.value(content))
        if self.server.objects.setdefault(made["name"], content) != content:
            self.send_error(412)
            return
        crc32c = made["crc32c"] if self.server.way != "other bytes" else "AAAAAA=="
        answer = {"name": made["name"], "size": str(len(content)), "generation": "1", "crc32c": crc32c}
        self.answer(json.dumps(answer).encode())

    def answer(self, data: bytes) -> None:
        way = self.server.way
        self.send_response(200)
        if way == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
            data = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (data[:7], data[7:], b""))
        elif way == "without a length":
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(data)))
        if way == "closes":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *_words: object) -> None: ...


@pytest.fixture(params=["http"])
def server(request: pytest.FixtureRequest, certificate: tuple[Path, Path]) -> Iterator[Server]:
    server = Server()
    with serving(server, certificate if request.param == "https" else None) as server.url:
        yield server


@pytest.fixture
def send(server: Server, files: MakeFiles, certificate: tuple[Path, Path]) -> Iterator[Callable[[], None]]:
    policy = RetryPolicy(
        initial_delay=0.01, max_delay=0.1, give_up_after=5.0, read_timeout=1.0, connect_timeout=5.0, stall_timeout=5.0
    )
    client = StorageClient(server.url, policy=policy, connections=8, ca_file=str(certificate[0]))
    written: list[File] = files(FILES)

    def run() -> None:
        made = upload(client, diff_with_remote(written, GsUri("bucket", "to/"), {}))
        assert [each.name for each in made] == sorted(FILES)

    yield run
    client.close()


@pytest.mark.parametrize("server", ["http", "https"], indirect=True)
@pytest.mark.parametrize("way", ["plain", "chunked", "closes", "without a length", "hangs once"])
def test_nonblocking_uploader_takes_every_way_to_answer(server: Server, send: Callable[[], None], way: str) -> None:
    server.way = way
    send()
    assert server.objects == {f"to/{name}": content for name, content in FILES.items()}
    if way in ("plain", "chunked"):
        assert server.asked == len(FILES)
        assert server.connections <= 32


def test_nonblocking_uploader_tells_a_response_about_other_bytes(server: Server, send: Callable[[], None]) -> None:
    server.way = "other bytes"
    with pytest.raises(StorageError, match="checksum mismatch after upload"):
        send()


def test_nonblocking_uploader_tells_a_file_that_goes_away_meanwhile(send: Callable[[], None], tmp_path: Path) -> None:
    next(tmp_path.rglob("file-099.bin")).unlink()
    with pytest.raises(StorageError, match="could not read the file") as caught:
        send()
    assert caught.value.where.endswith("file-099.bin")
