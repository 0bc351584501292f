"""Listings that look at names in slices are those that a naive look at all names gives."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from datetime import datetime, timezone

import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from aip_magics.server.gcs import ObjectStore, StoredObject, object_listing
from aip_magics.server.gcs.metadata_db import put_object
from aip_magics.server.gcs.object_listing import Listing, ListPage, ListQuery, glob_pattern, glob_range

NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)
Store = tuple[ObjectStore, StoredObject]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with a bucket, and an object to make others of."""
    store = ObjectStore(tmp_path_factory.mktemp("objects"), lambda: NOW)
    store.buckets.create("demo", {"name": "bucket"})
    one = store.commit("bucket", "one", store.writer(), [b"data"])
    yield store, one
    store.close()


def fill(shared: Store, names: set[str]) -> None:
    store, one = shared
    with store.metadata_db.write() as db:
        db.execute("delete from objects")
        for name in names:
            put_object(db, dataclasses.replace(one, name=name))


def listed(store: ObjectStore, query: ListQuery) -> ListPage:
    listing = store.listing("bucket", query)
    while not listing.complete:
        listing.advance()
    return listing.page


def pages(store: ObjectStore, query: ListQuery) -> tuple[list[str], list[str]]:
    """Items and prefixes of all pages."""
    items: list[str] = []
    prefixes: list[str] = []
    while True:
        page = listed(store, query)
        items += [item.name for item in page.items]
        prefixes += page.prefixes
        if not page.next_page_token:
            return items, prefixes
        query = dataclasses.replace(query, page_token=page.next_page_token)


def naive(names: set[str], query: ListQuery) -> tuple[list[str], list[str]]:
    """The same of the names in memory, by the definition of each parameter."""
    items, prefixes = [], []
    for name in sorted(names):
        wanted = name.startswith(query.prefix) and name >= query.start and (not query.end or name < query.end)
        if not wanted or (query.glob and not glob_pattern(query.glob).fullmatch(name)):
            continue
        at = name.find(query.delimiter, len(query.prefix)) if query.delimiter else -1
        prefix = name[: at + len(query.delimiter)]
        if at >= 0 and prefix not in prefixes:
            prefixes.append(prefix)
        if at < 0 or (query.trailing and name == prefix):
            items.append(name)
    return items, prefixes


NAMES = st.text("ab/\U0010ffff\ue000", min_size=1, max_size=5)
GLOBS = st.text("ab/*?", max_size=5) | st.sampled_from(["{a,b}/*", "a[!a]**", r"a\*", "a/b", r"\a/**", "a{/,b}*"])
QUERIES = st.builds(
    ListQuery,
    prefix=st.text("ab/", max_size=2),
    delimiter=st.sampled_from(["", "/", "b", "//"]),
    start=st.text("ab/", max_size=3),
    end=st.text("ab/", max_size=3),
    glob=GLOBS,
    trailing=st.booleans(),
    limit=st.integers(1, 5),
)


@settings(max_examples=up_to(150), deadline=None)
@given(names=st.sets(NAMES, max_size=25), query=QUERIES, rows=st.integers(1, 7))
def test_object_listing_in_slices_equals_a_naive_one(
    shared: Store, names: set[str], query: ListQuery, rows: int
) -> None:
    fill(shared, names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(object_listing, "SLICE_ROWS", rows)
        assert pages(shared[0], query) == naive(names, query)
        assert [found.name for found in shared[0].list("bucket", query.prefix)] == [
            name for name in sorted(names) if name.startswith(query.prefix)
        ]


@given(name=NAMES, glob=GLOBS)
def test_object_listing_glob_range_holds_what_the_glob_matches(name: str, glob: str) -> None:
    first, stop = glob_range(glob)
    if glob_pattern(glob).fullmatch(name):
        assert first <= name
        assert stop is None or name < stop


@pytest.mark.slow
def test_object_listing_of_a_glob_looks_only_at_the_names_that_can_match(shared: Store) -> None:
    fill(shared, {f"{directory}/{number:04}" for directory in "abc" for number in range(2000)})
    for glob, slices in (("b/**9", 4), ("**9", 12), ("b/0000", 1)):
        listing = shared[0].listing("bucket", ListQuery(glob=glob, limit=1000))
        count = 1
        while not listing.complete:
            listing.advance()
            count += 1
        assert count <= slices + 1, glob
        assert len(listing.page.items) == {"b/**9": 200, "**9": 600, "b/0000": 1}[glob]


@pytest.mark.slow
def test_object_listing_pages_stay_consistent_while_objects_come_and_go(
    shared: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_listing, "SLICE_ROWS", 16)
    store = shared[0]
    stable = {f"{number:04}-stays" for number in range(0, 2000, 2)}
    fill(shared, stable)
    ended = threading.Event()

    def change() -> None:
        number = 0
        while not ended.is_set():
            number = (number + 338) % 2000  # an even step: below, in and above what is being listed
            name = f"{number + 1:04}-passes"
            store.copy(("bucket", "0000-stays"), ("bucket", name))
            store.delete("bucket", name)

    changer = threading.Thread(target=change)
    changer.start()
    try:
        for query in (ListQuery(limit=90), ListQuery(limit=90, glob="*-*s"), ListQuery(limit=90, delimiter="y")):
            for _ in range(5):
                items, prefixes = pages(store, query)
                found = items + prefixes
                assert len(found) == len(set(found))  # nothing twice
                kept = [name for name in found if "stay" in name]
                assert kept == sorted(name[:-1] if query.delimiter else name for name in stable)
                assert items == sorted(items)
    finally:
        ended.set()
        changer.join()


def test_object_listing_lets_others_read_and_write_between_slices(shared: Store) -> None:
    fill(shared, {f"{number:05}" for number in range(5000)})
    store, _ = shared
    listing: Listing = store.listing("bucket", ListQuery(glob="**nothing"))
    slices = 1
    while not listing.complete:
        store.delete("bucket", f"{slices:05}")  # another thread's RLock would be as free as ours
        writer = threading.Thread(target=store.copy, args=(("bucket", "04999"), ("bucket", f"x{slices:05}")))
        writer.start()
        writer.join(60)
        assert not writer.is_alive()
        listing.advance()
        slices += 1
    assert slices >= 5000 // object_listing.SLICE_ROWS
