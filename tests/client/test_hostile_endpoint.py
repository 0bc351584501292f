"""An endpoint that answers without end, or leads elsewhere: an error that names it, in bounded memory."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import requests
from hostile import BLOCK, ENDLESS, JSON, OK, Hostile, chunk, forever, hostile, memory, within

from aip_magics import errors
from aip_magics.client import Client, Transport
from aip_magics.spec import Operation


@pytest.fixture
def other() -> Iterator[Hostile]:
    with hostile() as server:
        yield server


@pytest.fixture
def client(other: Hostile) -> Iterator[Client]:
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = "Bearer secret"
        yield Client(Transport(other.url, session, timeout=10, sleep=lambda _: None), "my-project")


def answer(body: object, status: bytes = b"200 OK") -> list[bytes]:
    raw = json.dumps(body).encode()
    return [b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(raw), raw)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ENDLESS)
def test_transport_bounds_an_endless_response(other: Hostile, client: Client, kind: str) -> None:
    other.answer = lambda _head: ENDLESS[kind]()
    with memory(), within(60), pytest.raises(errors.ApiError) as caught:
        client.get_model("iris")
    told = str(caught.value)
    assert other.url in told or kind == "an error's text"
    assert len(told) < 1000


@pytest.mark.slow
def test_transport_bounds_a_large_prediction(other: Hostile, client: Client) -> None:
    large = [0.123456789] * 500_000
    other.answer = lambda _head: answer({"predictions": large})
    assert client.predict("iris", b"{}")["predictions"] == large
    other.answer = lambda _head: forever(chunk(BLOCK), JSON + b"Transfer-Encoding: chunked\r\n\r\n")
    with memory(), within(60), pytest.raises(errors.ApiError, match="33554432 bytes"):
        client.predict("iris", b"{}")


@pytest.mark.parametrize("length", [3, 1 << 40])
def test_transport_tells_a_false_content_length(other: Hostile, client: Client, length: int) -> None:
    """Shorter than announced: cut off on the way. Longer: what is left over belongs to no answer."""
    body = b'{"name": "iris"}'
    other.answer = lambda _head: [JSON + b"Content-Length: %d\r\nConnection: close\r\n\r\n%b" % (length, body)]
    with pytest.raises(errors.ApiError):
        client.get_model("iris")


@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"303 See Other", b"307 Temporary", b"308 Permanent"])
def test_transport_follows_no_redirect_with_its_bearer(other: Hostile, client: Client, status: bytes) -> None:
    with hostile() as elsewhere:
        head = b"HTTP/1.1 %b\r\nLocation: %b/v1/x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % (
            status,
            elsewhere.url.encode(),
        )
        other.answer = lambda _head: [head]
        for call in (client.list_models, lambda: client.get_model("m"), lambda: client.predict("m", b"{}")):
            with pytest.raises(errors.ApiError, match="the endpoint redirects to") as caught:
                call()
            assert elsewhere.url in caught.value.message
            assert caught.value.where == other.url
        assert elsewhere.asked == []


@pytest.mark.parametrize("body", ["[]", "null", '"text"', "3", "no JSON", "<html>"])
def test_transport_refuses_a_response_that_is_no_object(other: Hostile, client: Client, body: str) -> None:
    raw = body.encode()
    other.answer = lambda _head: [OK + b"Content-Length: %d\r\n\r\n%b" % (len(raw), raw)]
    with pytest.raises(errors.ApiError, match="expected a JSON object"):
        client.get_model("iris")


@pytest.mark.slow
def test_client_list_bounds_endless_pages(other: Hostile, client: Client) -> None:
    pages = iter(range(10**9))
    other.answer = lambda _head: answer({"models": [{"name": "m"}], "nextPageToken": str(next(pages))})
    with memory(), within(100), pytest.raises(errors.ApiError, match="more than 1000 entries") as caught:
        client.list_models()
    assert caught.value.where == other.url


def test_client_list_tells_pages_in_a_circle(other: Hostile, client: Client) -> None:
    tokens = iter("abcab")
    other.answer = lambda _head: answer({"operations": [], "nextPageToken": next(tokens)})
    with pytest.raises(errors.ApiError, match="repeated or invalid page token"):
        client.list_operations()


@pytest.mark.slow
def test_client_list_bounds_large_pages(other: Hostile, client: Client) -> None:
    pages = iter(range(10**9))
    filler = "d" * (3 << 20)
    other.answer = lambda _head: answer(
        {"models": [{"name": "m", "description": filler}], "nextPageToken": str(next(pages))}
    )
    with memory(150 << 20), within(60), pytest.raises(errors.ApiError, match=r"more than \d+ entries"):
        client.list_models()


def test_client_list_refuses_what_is_no_list(other: Hostile, client: Client) -> None:
    other.answer = lambda _head: answer({"models": "abc"})
    with pytest.raises(errors.ApiError, match="expected a list"):
        client.list_models()


def test_client_wait_bounds_an_operation_that_is_never_done(other: Hostile, client: Client) -> None:
    """Each answer has another name: it is still the first one that is asked for."""
    name = "projects/my-project/operations/create_m_v1-1"
    client._poll_seconds = 600.0
    other.answer = lambda _head: answer({"name": "projects/my-project/models/m:predict"})
    with pytest.raises(errors.Unavailable, match="not done after 2 hours") as caught:
        client.wait(Operation(name=name), sleep=lambda _: None)
    assert caught.value.fix.endswith(f"%aip_attach {name}")
    assert {head.split(b" ")[1] for head in other.asked} == {f"/v1/{name}".encode()}
