"""A Cloud Storage endpoint that answers without end, lies or leads elsewhere: an error, in bounded memory."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile import BLOCK, ENDLESS, JSON, OK, Hostile, forever, hostile, memory, within
from storage_fixtures import MakeFiles

from aip_magics.errors import StorageError
from aip_magics.storage import (
    GsUri,
    RemovalUri,
    RetryPolicy,
    StorageClient,
    bearer,
    download_directory,
    download_object,
    ensure_bucket,
    list_objects,
    plan_removal,
    plan_upload,
    upload,
)

DIRECTORY = GsUri("bucket", "d/")


@pytest.fixture
def other() -> Iterator[Hostile]:
    with hostile() as server:
        yield server


@pytest.fixture
def client(other: Hostile) -> Iterator[StorageClient]:
    found = StorageClient(
        other.url, bearer("secret"), policy=RetryPolicy(initial_delay=0.01, give_up_after=0.5, read_timeout=10)
    )
    yield found
    found.close()


def answer(body: object) -> list[bytes]:
    raw = json.dumps(body).encode()
    return [JSON + b"Content-Length: %d\r\n\r\n%b" % (len(raw), raw)]


def resource(name: str, size: int = 10) -> dict[str, object]:
    return {"name": name, "size": str(size), "crc32c": "AAAAAA==", "generation": "1"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ENDLESS)
def test_http_client_bounds_an_endless_response(other: Hostile, client: StorageClient, kind: str) -> None:
    other.answer = lambda _head: ENDLESS[kind]()
    with memory(), within(60), pytest.raises(StorageError) as caught:
        ensure_bucket(client, "bucket", project="project", location="us")
    assert len(str(caught.value)) < 1000


def test_http_client_error_names_endpoint_and_limit(other: Hostile, client: StorageClient) -> None:
    other.answer = lambda _head: ENDLESS["chunks"]()
    with pytest.raises(StorageError, match="exceeds the limit of 16777216 bytes") as caught:
        list_objects(client, DIRECTORY)
    assert other.url in caught.value.where


@pytest.mark.slow
def test_list_objects_bounds_endless_listings(other: Hostile, client: StorageClient) -> None:
    numbers = itertools.count()

    def page(_head: bytes) -> list[bytes]:
        number = next(numbers)
        items = [resource(f"d/{number}-{index}-{'n' * 40}") for index in range(5000)]
        return answer({"items": items, "nextPageToken": str(number)})

    other.answer = page
    with memory(150 << 20), within(100), pytest.raises(StorageError, match=r"more than \d+ entries") as caught:
        list_objects(client, DIRECTORY)
    assert caught.value.where == other.url


def test_list_objects_tells_listings_in_a_circle(other: Hostile, client: StorageClient) -> None:
    tokens = iter("abcab")
    other.answer = lambda _head: answer({"items": [], "nextPageToken": next(tokens)})
    with pytest.raises(StorageError, match="repeated or invalid page token"):
        list_objects(client, DIRECTORY)


def test_removal_plan_takes_no_object_outside_of_the_directory(other: Hostile, client: StorageClient) -> None:
    """An endpoint that ignores the prefix would have all objects of the bucket deleted."""
    other.answer = lambda _head: answer({"items": [resource("d/a"), resource("elsewhere/b")]})
    with pytest.raises(StorageError, match="an object outside of the directory: elsewhere/b"):
        plan_removal(client, [RemovalUri.parse("gs://bucket/d/")])
    assert all(b"DELETE" not in head for head in other.asked)


@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"303 See Other", b"307 Temporary", b"308 Permanent"])
def test_http_client_follows_no_redirect_with_its_bearer(
    other: Hostile, client: StorageClient, files: MakeFiles, tmp_path: Path, status: bytes
) -> None:
    with hostile() as elsewhere:
        head = b"HTTP/1.1 %b\r\nLocation: %b/x\r\nContent-Length: 0\r\n\r\n" % (status, elsewhere.url.encode())
        other.answer = lambda _head: [head]
        for call in (
            lambda: list_objects(client, DIRECTORY),
            lambda: download_object(client, "gs://bucket/o", tmp_path / "o"),
            lambda: ensure_bucket(client, "bucket", project="project", location="us"),
            lambda: upload(client, plan_upload(client, files({"a": b"1"}), DIRECTORY)),
        ):
            with pytest.raises(StorageError, match="30"):
                call()
        assert elsewhere.asked == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "body",
    [
        lambda: forever(BLOCK, OK + b"Connection: close\r\n\r\n"),
        lambda: forever(BLOCK, OK + b"Content-Length: 100000000000\r\n\r\n"),
        lambda: forever(b"%x\r\n%b\r\n" % (len(BLOCK), BLOCK), OK + b"Transfer-Encoding: chunked\r\n\r\n"),
    ],
)
def test_download_tells_an_object_longer_than_announced(
    other: Hostile, client: StorageClient, tmp_path: Path, body: object
) -> None:
    def respond(head: bytes) -> object:
        return body() if b"alt=media" in head else answer({"items": [resource("d/model.joblib")]})  # type: ignore

    other.answer = respond  # type: ignore[assignment]
    with memory(), within(60), pytest.raises(StorageError, match="longer than the requested range"):
        download_directory(client, "gs://bucket/d/", tmp_path / "here")
    assert [path for path in (tmp_path / "here").rglob("*") if path.is_file()] == []


def test_upload_bounds_an_endless_response(other: Hostile, client: StorageClient, files: MakeFiles) -> None:
    """Small files go over connections that read answers by themselves."""

    def respond(head: bytes) -> Iterator[bytes] | list[bytes]:
        return answer({}) if head.startswith(b"GET") else forever(BLOCK, OK + b"Content-Length: 10000000000\r\n\r\n")

    other.answer = respond
    todo = plan_upload(client, files({f"file{number}": b"1" for number in range(40)}), DIRECTORY)
    with memory(), within(60), pytest.raises(StorageError):
        upload(client, todo)
