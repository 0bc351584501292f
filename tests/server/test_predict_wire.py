"""The predict path attacked by bytes: pieces, pipelines, chunks, lengths that contradict each other, nesting, keys."""

import contextlib
import json
import socket
import threading
import time

import pytest
from server_process import LABELS, ROWS
from wire_requests import GOOD, PREDICTIONS, V, answers, request

from aip_magics.server import http_limits

BODY = json.dumps({"instances": ROWS[:1]}).encode()


@pytest.fixture(scope="module")
def served(shared_server, sklearn_dir):
    assert shared_server.deploy(sklearn_dir, framework="SCIKIT_LEARN")["response"]["state"] == "READY"
    yield shared_server
    assert shared_server.call("POST", V, {"instances": ROWS}).body == PREDICTIONS
    assert "Traceback" not in shared_server.log()


@pytest.fixture
def connect(served):
    with contextlib.ExitStack() as stack:

        def new():
            made = stack.enter_context(socket.create_connection(("127.0.0.1", served.state.port), timeout=60))
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return made

        yield new


def chunked(token, *chunks, end=b"0\r\n\r\n", **headers):
    head = request(token, b"", **{"Transfer-Encoding": "chunked", **headers}).replace(b"Content-Length: 0\r\n", b"")
    return head + b"".join(chunks) + end


def chunk(data, extension=b""):
    return b"%x%b\r\n%b\r\n" % (len(data), extension, data)


def test_predict_takes_each_byte_in_a_segment_of_its_own(served, connect):
    connection = connect()
    for whole in (request(served.state.token, BODY), chunked(served.state.token, chunk(BODY[:9]), chunk(BODY[9:]))):
        for byte in whole:
            connection.sendall(bytes([byte]))
            time.sleep(0.0005)
        assert answers(connection)[0][::2] == (200, {"predictions": LABELS[:1]})


def test_predict_takes_a_request_cut_at_every_position(served, connect):
    whole = request(served.state.token, BODY)
    connection = connect()
    for cut in range(1, len(whole)):
        connection.sendall(whole[:cut])
        threading.Event().wait(0.001)
        connection.sendall(whole[cut:])
        assert answers(connection)[0][::2] == (200, {"predictions": LABELS[:1]}), cut


def test_predict_answers_a_pipeline_of_all_kinds_in_order(served, connect):
    token, connection = served.state.token, connect()
    kinds = [
        (200, request(token, BODY)),
        (200, chunked(token, chunk(BODY))),
        (400, request(token, b"{")),
        (401, request("wrong", BODY)),
        (200, request(token, BODY, Connection="Upgrade", Upgrade="h2c")),
        (200, request(token, BODY, path=f"http://127.0.0.1{V}")),
        (403, request(token, BODY, path=f"http://evil{V}")),
        (404, request(token, BODY, path=V.replace("v1:", "v9:"))),
    ] * 8
    threading.Thread(target=connection.sendall, args=(b"".join(sent for _, sent in kinds),)).start()
    assert [status for status, *_ in answers(connection, len(kinds))] == [status for status, _ in kinds]


def test_predict_takes_chunks_with_extensions_and_trailers(served, connect):
    token, connection = served.state.token, connect()
    pieces = [chunk(bytes([byte]), b";name=value") for byte in BODY]
    for sent in (
        chunked(token, *pieces),
        chunked(token, chunk(BODY, b';a="quoted;\\" text"')),
        chunked(
            token,
            chunk(BODY),
            end=b"0\r\nX-Trailer: y\r\nHost: evil\r\nAuthorization: Bearer wrong\r\nOrigin: x\r\n\r\n",
        ),
        chunked(token, b"000000%x\r\n%b\r\n" % (len(BODY), BODY)),
    ):
        connection.sendall(sent)
        assert answers(connection)[0][::2] == (200, {"predictions": LABELS[:1]}), sent


@pytest.mark.parametrize(
    "change",
    [
        lambda sent: sent.replace(b"chunked\r\n", b"chunked\r\nContent-Length: 4\r\n"),
        lambda sent: sent.replace(b"Transfer-Encoding: chunked", b"Content-Length: 4\r\nTransfer-Encoding: chunked"),
        lambda sent: sent.replace(b"chunked\r\n", b"chunked\r\nTransfer-Encoding: identity\r\n"),
        lambda sent: sent.replace(b"Transfer-Encoding: chunked", b"Content-Length: 4\r\nContent-Length: 5"),
        lambda sent: sent.replace(b"Transfer-Encoding: chunked", b"Content-Length: 4\r\nContent-Length: 4"),
        lambda sent: sent.replace(b"Transfer-Encoding: chunked", b"Content-Length: -4"),
        lambda sent: sent.replace(b"Transfer-Encoding: chunked", b"Content-Length: 4, 4"),
        lambda sent: sent.replace(b"Transfer-Encoding: chunked", b"Content-Length: 99999999999999999999999"),
        lambda sent: sent.replace(b"Transfer-Encoding: chunked", b"Transfer-Encoding : chunked"),
        lambda sent: sent.replace(b"Transfer-Encoding: chunked", b"X: y\r\n Transfer-Encoding: chunked"),
        lambda sent: sent.replace(b"\r\n\r\n", b"\r\n\r\nzz\r\n", 1),
    ],
)
def test_predict_refuses_a_request_of_uncertain_length(served, connect, change):
    """Never two readings: the request that is hidden in the body is not answered."""
    hidden = request(served.state.token, BODY)
    connection = connect()
    connection.sendall(change(chunked(served.state.token, chunk(hidden))))
    ((status, headers, _),) = answers(connection)
    assert status == 400
    assert headers["connection"] == "close"
    with contextlib.suppress(ConnectionError):
        assert connection.recv(1 << 16) == b""


@pytest.mark.parametrize(
    "body",
    [
        b'{"instances": ' + b"[" * 500_000 + b"]" * 500_000 + b"}",
        b'{"instances": ' + b"[" * 1_000_000,
        b'{"instances": [' + b'{"a":' * 200_000 + b"1" + b"}" * 200_000 + b"]}",
        b"[" * 1_000_000,
        b'{"x": ' + b"[" * 500_000 + b"]" * 500_000 + b', "instances": [[1, 2]]}',
    ],
    ids=["lists", "open lists", "objects", "no object", "beside the instances"],
)
def test_predict_refuses_nesting_and_the_server_goes_on(served, connect, body):
    for headers in ({}, {"Connection": "keep-alive"}):
        connection = connect()
        connection.sendall(request(served.state.token, body, **headers))
        ((status, _, answer),) = answers(connection)
        assert status == 400, answer
        text = str(answer["error"])
        assert len(text) < 500
        assert "Traceback" not in text
        connection.sendall(request(served.state.token))
        assert answers(connection)[0][::2] == (200, PREDICTIONS)


def test_predict_takes_many_keys(served, connect):
    few = json.dumps(dict.fromkeys(map(str, range(100_000)), 0) | {"instances": ROWS}).encode()
    many = json.dumps({"instances": [dict.fromkeys(map(str, range(100_000)), 0)]}).encode()
    twice = b"{" + b'"instances": [[9, 9]], ' * 50_000 + b'"instances": ' + json.dumps(ROWS).encode() + b"}"
    for body, status in ((few, {200, 400}), (many, {400}), (twice, {200})):
        connection = connect()
        connection.settimeout(60)
        connection.sendall(request(served.state.token, body))
        begun = time.monotonic()
        assert answers(connection)[0][0] in status
        assert time.monotonic() - begun < 20
        connection.sendall(request(served.state.token, GOOD))
        assert answers(connection)[0][::2] == (200, PREDICTIONS)


def test_predict_takes_many_headers(served, connect):
    connection = connect()
    some = {f"X-{index}": "y" for index in range(500)}
    connection.sendall(request(served.state.token, **some))
    assert answers(connection)[0][::2] == (200, PREDICTIONS)
    connection.sendall(request(served.state.token, **{f"X-{index}": "y" for index in range(5000)}))
    ((status, _, body),) = answers(connection)
    assert status == 431
    assert str(http_limits.HEAD_BYTES) in body["error"]["message"]
