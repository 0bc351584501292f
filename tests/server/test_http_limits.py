"""Heads, URLs, connections and time without a token: all bounded, with an answer that says the limit."""

import contextlib
import itertools
import os
import socket
import time
from pathlib import Path

import pytest
from server_process import wait_until
from wire_requests import GOOD, PREDICTIONS, V, answers, request

from aip_magics.server import http_limits

MODELS = "/v1/projects/proj/models"
BLOCK = b"y" * (64 << 10)


@pytest.fixture
def connect(served):
    with contextlib.ExitStack() as stack:

        def new():
            return stack.enter_context(socket.create_connection(("127.0.0.1", served.state.port), timeout=60))

        yield new


def resident(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def pour(connection, pieces, most=200 << 20):
    """Send until the other end has had enough."""
    sent = 0
    with contextlib.suppress(OSError):
        for piece in pieces:
            connection.sendall(piece)
            sent += len(piece)
            if sent > most:
                break
    return sent


HEADS = {
    "a URL": (414, b"GET /", BLOCK),
    "a header's value": (431, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ", BLOCK),
    "a header's name": (431, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", BLOCK),
    "headers": (431, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n", b"X: y\r\n" * 10_000),
    "a method": (400, b"", BLOCK),
    "empty lines": (431, b"", b"\r\n" * 10_000),
    "a predict's head": (431, b"POST %b HTTP/1.1\r\nHost: 127.0.0.1\r\n" % V.encode(), b"X: y\r\n" * 10_000),
}
CHUNKED = (
    f"POST {MODELS} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer TOKEN\r\nTransfer-Encoding: chunked\r\n\r\n"
)
BODIES = {
    "trailers": b"2\r\n{}\r\n0\r\n" + b"X: y\r\n",
    "a trailer": b"2\r\n{}\r\n0\r\nX: ",
    "a chunk's extension": b"2;x=",
}


@pytest.mark.parametrize("kind", HEADS)
def test_http_limits_of_an_endless_head(served, connect, kind):
    status, begin, rest = HEADS[kind]
    before = resident(served.state.pid)
    connection = connect()
    sent = pour(connection, itertools.chain([begin], itertools.repeat(rest)))
    assert sent < 32 << 20  # what the kernel took of it
    with contextlib.suppress(ConnectionError):  # the answer is lost where more was sent than is looked at
        ((found, headers, body),) = answers(connection)
        assert found == status
        assert headers["connection"] == "close"
        assert body["error"]["message"]
    assert resident(served.state.pid) - before < 50 << 20
    assert served.call("GET", MODELS).status == 200


@pytest.mark.parametrize(
    ("status", "head"),
    [
        (414, b"GET /" + b"u" * (17 << 10) + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
        (431, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"v" * (65 << 10) + b"\r\n\r\n"),
        (431, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: y\r\n" * 2000 + b"\r\n"),
    ],
)
def test_http_limits_are_named_for_a_head_that_is_too_large(connect, status, head):
    connection = connect()
    connection.sendall(head)
    ((found, headers, body),) = answers(connection)
    assert (found, headers["connection"]) == (status, "close")
    assert str(http_limits.URL_BYTES if status == 414 else http_limits.HEAD_BYTES) in body["error"]["message"]


def test_http_limits_take_what_is_within(served):
    assert served.call("GET", f"{MODELS}/{'m' * (15 << 10)}").status == 404
    assert served.call("GET", MODELS, X_Long="v" * (60 << 10)).status == 200


@pytest.mark.parametrize("kind", BODIES)
def test_http_limits_of_endless_lines_in_a_body(served, connect, kind):
    before = resident(served.state.pid)
    connection = connect()
    connection.sendall(CHUNKED.replace("TOKEN", served.state.token).encode() + BODIES[kind])
    rest = b"X: y\r\n" * 10_000 if kind == "trailers" else BLOCK
    assert pour(connection, itertools.repeat(rest)) < 32 << 20
    assert resident(served.state.pid) - before < 50 << 20
    assert served.call("GET", MODELS).status == 200


def test_http_limits_of_the_time_of_a_head(new_server, monkeypatch):
    server = new_server().start()
    begun = time.monotonic()
    address = ("127.0.0.1", server.state.port)
    with (
        socket.create_connection(address, timeout=60) as silent,
        socket.create_connection(address, timeout=60) as slow,
        socket.create_connection(address, timeout=60) as answered,
        socket.create_connection(address, timeout=60) as resting,
    ):
        get = f"GET {MODELS} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {server.state.token}\r\n"
        slow.sendall(b"GET / HTTP/1.1\r\nHost: ")
        answered.sendall(f"{get.replace('Bearer', 'Wrong')}Content-Length: 1000000\r\n\r\nx".encode())
        assert answers(answered)[0][0] == 401
        resting.sendall(f"{get}\r\n".encode())
        assert answers(resting)[0][0] == 200
        assert silent.recv(100) == b""
        ((status, _, body),) = answers(slow)
        assert status == 408
        assert "20 seconds" in body["error"]["message"]
        answered.sendall(b"more")
        answered.settimeout(30)
        with contextlib.suppress(ConnectionError):
            while answered.recv(1000):
                pass
        assert 15 < time.monotonic() - begun < 58
        resting.sendall(f"{get}\r\n".encode())  # between requests there is more time
        assert answers(resting)[0][0] == 200


def test_http_limits_of_connections_without_a_token_do_not_shut_others_out(new_server, monkeypatch):
    server = new_server().start()
    address = ("127.0.0.1", server.state.port)
    get = f"GET {MODELS} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {server.state.token}\r\n\r\n".encode()
    with contextlib.ExitStack() as stack:
        known = stack.enter_context(socket.create_connection(address, timeout=60))
        known.sendall(get)
        assert answers(known)[0][0] == 200
        for index in range(900):
            half = stack.enter_context(socket.create_connection(address, timeout=60))
            if index % 2:
                half.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
        assert server.call("GET", MODELS).status == 200
        open_files = Path(f"/proc/{server.state.pid}/fd")
        wait_until(lambda: len(list(open_files.iterdir())) < http_limits.MOST_CONNECTIONS + 100)
        known.sendall(get)
        assert answers(known)[0][0] == 200


def test_http_limits_of_connections_with_a_token_are_told(new_server):
    server = new_server().start()
    address = ("127.0.0.1", server.state.port)
    get = f"GET {MODELS} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {server.state.token}\r\n\r\n".encode()
    server.http.close()
    with contextlib.ExitStack() as stack:
        for _ in range(http_limits.MOST_CONNECTIONS):
            one = stack.enter_context(socket.create_connection(address, timeout=60))
            one.sendall(get)
            assert answers(one)[0][0] == 200
        more = stack.enter_context(socket.create_connection(address, timeout=60))
        ((status, headers, body),) = answers(more)
        assert (status, headers["connection"]) == (503, "close")
        assert "too many connections" in body["error"]["message"]
        one.sendall(get)
        assert answers(one)[0][0] == 200
    time.sleep(0.2)
    assert server.call("GET", MODELS).status == 200


def test_http_limits_ignore_an_upgrade(served, connect):
    for kind in ({"Connection": "upgrade"}, {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c"},
                 {"Connection": "upgrade", "Upgrade": "websocket"}, {"Upgrade": "h2c"}):  # fmt: skip
        connection = connect()
        for _ in range(2):
            connection.sendall(request(served.state.token, **kind) + request(served.state.token))
            for status, _, body in answers(connection, 2):
                assert (status, body) == (200, PREDICTIONS)
        connection.sendall(request("", **kind))
        assert answers(connection)[0][0] == 401
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n")
        assert answers(connection)[0][0] == 200


TOKEN = "Authorization: Bearer TOKEN\r\n"
HOST = "Host: 127.0.0.1\r\n"


@pytest.mark.parametrize(
    ("status", "head"),
    [
        (403, f"GET http://evil{MODELS} HTTP/1.1\r\n{HOST}{TOKEN}"),
        (403, f"GET http://evil:80{MODELS} HTTP/1.1\r\n{HOST}{TOKEN}"),
        (403, f"POST HTTP://evil{V} HTTP/1.1\r\n{HOST}{TOKEN}Content-Length: 0\r\n"),
        (403, f"GET http://evil?x HTTP/1.1\r\n{HOST}{TOKEN}"),
        (403, f"GET http://127.0.0.1.evil{MODELS} HTTP/1.1\r\n{HOST}{TOKEN}"),
        (200, f"GET http://127.0.0.1{MODELS} HTTP/1.1\r\nHost: evil\r\n{TOKEN}"),
        (200, f"GET http://127.0.0.1:1{MODELS}?alt=json HTTP/1.1\r\n{HOST}{TOKEN}"),
        (400, f"GET http://127.0.0.1@evil{MODELS} HTTP/1.1\r\n{HOST}{TOKEN}"),
        (400, f"GET http://evil@127.0.0.1{MODELS} HTTP/1.1\r\n{HOST}{TOKEN}"),
        (400, f"GET http:///{MODELS} HTTP/1.1\r\n{HOST}{TOKEN}"),
        (400, f"GET ftp://127.0.0.1{MODELS} HTTP/1.1\r\n{HOST}{TOKEN}"),
        (400, f"OPTIONS * HTTP/1.1\r\n{HOST}{TOKEN}"),
        (400, f"GET * HTTP/1.1\r\n{HOST}{TOKEN}"),
        (400, f"CONNECT 127.0.0.1:80 HTTP/1.1\r\n{HOST}{TOKEN}"),
        (400, f"CONNECT evil:443 HTTP/1.1\r\n{HOST}{TOKEN}"),
        (400, f"GET 127.0.0.1:80 HTTP/1.1\r\n{HOST}{TOKEN}"),
        (400, f"GET {MODELS} HTTP/1.1\r\n{HOST}{HOST}{TOKEN}"),
        (400, f"GET {MODELS} HTTP/1.1\r\n{HOST}Host: evil\r\n{TOKEN}"),
        (400, f"GET {MODELS} HTTP/1.1\r\n{TOKEN}"),
        (400, f"GET http://127.0.0.1{MODELS} HTTP/1.1\r\n{TOKEN}"),
        (400, f"POST {V} HTTP/1.1\r\n{HOST}{HOST}{TOKEN}Content-Length: 0\r\n"),
        (403, f"GET {MODELS} HTTP/1.0\r\n{TOKEN}"),
        (403, f"GET {MODELS} HTTP/1.1\r\nHost:\r\n{TOKEN}"),
        (404, f"GET //evil{MODELS} HTTP/1.1\r\n{HOST}{TOKEN}"),
    ],
)
def test_http_limits_of_request_targets(served, connect, status, head):
    connection = connect()
    connection.sendall(f"{head}\r\n".replace("TOKEN", served.state.token).encode())
    assert answers(connection)[0][0] == status


def test_http_limits_of_targets_of_predict(served, connect):
    connection = connect()
    connection.sendall(request(served.state.token, path=f"http://evil{V}"))
    assert answers(connection)[0][0] == 403
    connection.sendall(request(served.state.token, path=f"http://127.0.0.1{V}", host="evil"))
    assert answers(connection)[0][::2] == (200, PREDICTIONS)
    connection.sendall(request(served.state.token, body=GOOD))
    assert answers(connection)[0][::2] == (200, PREDICTIONS)
