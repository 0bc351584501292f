"""The newest operations of an endpoint, whatever the order in which it lists them."""

from __future__ import annotations

import json
import random
import urllib.parse
from collections.abc import Iterator

import pytest
import requests
from hostile import Hostile, hostile

from aip_magics.client import Client, Transport

COUNT = 230


@pytest.fixture
def other() -> Iterator[Hostile]:
    with hostile() as server:
        yield server


@pytest.fixture
def client(other: Hostile) -> Iterator[Client]:
    with requests.Session() as session:
        session.trust_env = False
        yield Client(Transport(other.url, session, timeout=10, sleep=lambda _: None), "my-project")


def serve(other: Hostile, order: list[int]) -> list[int]:
    """Let the endpoint list operations in this order of age; the sizes of the pages that it is asked for."""
    asked: list[int] = []

    def answer(head: bytes) -> list[bytes]:
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(head.split()[1].decode()).query)
        size, first = int(query["pageSize"][0]), int(query.get("pageToken", ["0"])[0])
        asked.append(size)
        page = order[first : first + size]
        body = {"operations": [{"name": f"operations/{age}", "metadata": {"createTime": moment(age)}} for age in page]}
        more = {"nextPageToken": str(first + size)} if first + size < len(order) else {}
        raw = json.dumps({**body, **more}).encode()
        return [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(raw), raw)]

    other.answer = answer
    return asked


def moment(age: int) -> str:
    """A time so many half seconds ago, with a fraction where it has one, as the service writes it."""
    left = 600 - age
    return f"2026-01-02T03:{left // 120:02}:{left // 2 % 60:02}{'.5' if left % 2 else ''}Z"


def ages(client: Client, limit: int, *, newest_first: bool) -> tuple[list[int], bool]:
    found, more = client.list_newest_operations(limit, newest_first=newest_first)
    return [int(operation.id or "") for operation in found], more


def test_operation_listing_requests_only_what_it_returns_of_the_newest_first(other: Hostile, client: Client) -> None:
    asked = serve(other, list(range(COUNT)))
    assert ages(client, 50, newest_first=True) == (list(range(50)), True)
    assert asked == [50]
    assert ages(client, 150, newest_first=True) == (list(range(150)), True)
    assert asked == [50, 100, 100]
    assert ages(client, 1000, newest_first=True) == (list(range(COUNT)), False)


@pytest.mark.parametrize("order", ["oldest first", "random"])
def test_operation_listing_sorts_where_the_order_is_not_known(other: Hostile, client: Client, order: str) -> None:
    listed = list(reversed(range(COUNT)))
    if order == "random":
        random.Random(0).shuffle(listed)
    asked = serve(other, listed)
    assert ages(client, 50, newest_first=False) == (list(range(50)), True)
    assert asked == [100, 100, 100]  # all of them: any page could hold the newest
    assert ages(client, COUNT, newest_first=False) == (list(range(COUNT)), False)
