"""The store without HTTP: what is on disk, what a listing holds, what a restart finds."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from mounts import fill, mounted

from aip_magics import errors
from aip_magics.server.gcs import ObjectStore, StoredObject
from aip_magics.server.gcs.names import check_bucket_name, check_object_name
from aip_magics.server.gcs.object_checksums import ExpectedChecksums
from aip_magics.server.gcs.object_listing import ListQuery, glob_pattern, prefix_end
from aip_magics.server.gcs.preconditions import ALWAYS, Preconditions
from aip_magics.server.gcs.resumable_uploads import ResumableUpload, UploadLease

NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)


def put(store: ObjectStore, name: str, data: bytes = b"data", **more: object) -> StoredObject:
    return store.commit("bucket", name, store.writer(), [data], **more)  # type: ignore[arg-type]


def files(data_dir: Path) -> set[str]:
    return {path.name for path in (data_dir / "objects").rglob("*") if path.is_file() and "index" not in path.name}


def test_object_store_keeps_an_object_as_a_read_only_file_of_another_name(store: ObjectStore, tmp_path: Path) -> None:
    stored = put(store, "../../etc/passwd", b"hello")
    path = store.path(stored)
    assert path.read_bytes() == b"hello"
    assert path.parent.parent == tmp_path / "objects" / "blobs"
    assert path.stat().st_mode & 0o777 == 0o400
    assert (stored.crc32c, stored.md5, stored.size) == ("mnG7TA==", "XUFAKrxLKna5cZ2REBfFkg==", 5)
    assert stored.created == "2026-01-02T03:04:05.678Z"
    assert store.list("bucket", "../") == [stored]


def test_object_store_separates_names_that_a_file_system_would_confuse(store: ObjectStore) -> None:
    names = ["x", "x/y", "x//y", "X", "../x", "a%2Fb", "a/b", "caf\u00e9", "cafe\u0301", "CON", "dir/", "nul\0", " "]
    for name in names:
        put(store, name, name.encode())
    listed = store.list("bucket", "")
    assert [stored.name for stored in listed] == sorted(names)
    assert all(store.path(stored).read_bytes() == stored.name.encode() for stored in listed)


def test_object_store_list_of_a_missing_bucket_is_not_found(store: ObjectStore) -> None:
    with pytest.raises(errors.NotFound, match="The specified bucket does not exist"):
        store.list("missing", "")


@pytest.mark.parametrize("name", ["", ".", "..", "a\nb", "a\rb", "x" * 1025, "é" * 513, "\ud800", 7])
def test_object_store_refuses_illegal_object_names(name: object) -> None:
    with pytest.raises(errors.InvalidArgument):
        check_object_name(name)


@pytest.mark.parametrize("name", ["x" * 1024, "é" * 512, "...", "a\tb", "#?%", "\U0010ffff"])
def test_object_store_takes_legal_object_names(name: str) -> None:
    assert check_object_name(name) == name


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("ab", "3 to 63"),
        ("a" * 64, "3 to 63"),
        ("Upper", "lower-case"),
        ("-abc", "both ends"),
        ("abc_", "both ends"),
        ("a..b", "between dots"),
        ("goog-x", "goog"),
        ("my-g00gle", "google"),
        ("192.168.5.4", "IP address"),
        ("999.999.999.999", "IP address"),
        (None, "name is required"),
    ],
)
def test_object_store_refuses_illegal_bucket_names(name: object, why: str) -> None:
    with pytest.raises(errors.InvalidArgument, match=why):
        check_bucket_name(name)


@pytest.mark.parametrize("name", ["abc", "a" * 63, "my-bucket_1.example", "1ab"])
def test_object_store_takes_legal_bucket_names(name: str) -> None:
    assert check_bucket_name(name) == name


def test_object_store_generations_always_grow(store: ObjectStore) -> None:
    generations = [put(store, "x").generation for _ in range(3)]  # the clock of this store stands still
    assert generations == sorted(set(generations))


def test_object_store_removes_the_old_file_on_overwrite_or_delete(store: ObjectStore, tmp_path: Path) -> None:
    put(store, "x", b"old")
    new = put(store, "x", b"new")
    assert files(tmp_path) == {new.blob}
    store.delete("bucket", "x")
    assert files(tmp_path) == set()


def test_object_store_copy_shares_the_file_until_the_last_is_deleted(store: ObjectStore, tmp_path: Path) -> None:
    original = put(store, "x", metadata={"contentType": "a/b"})
    copied = store.copy(("bucket", "x"), ("bucket", "y"))
    assert (copied.blob, copied.metadata) == (original.blob, {"contentType": "a/b"})
    store.delete("bucket", "x")
    assert store.path(copied).read_bytes() == b"data"
    store.delete("bucket", "y")
    assert files(tmp_path) == set()


def test_object_store_reader_keeps_what_it_opened(store: ObjectStore) -> None:
    put(store, "x", b"old")
    _, handle = store.open("bucket", "x")
    put(store, "x", b"new")
    with handle:
        assert handle.read() == b"old"


def test_object_store_refused_write_leaves_nothing_behind(store: ObjectStore, tmp_path: Path) -> None:
    kept = put(store, "x")
    with pytest.raises(errors.ApiError) as caught:
        put(store, "x", conditions=Preconditions(generation_match=0))
    assert caught.value.code == 412
    with pytest.raises(errors.InvalidArgument):
        put(store, "..")
    with pytest.raises(errors.NotFound):
        store.commit("missing", "x", store.writer(), [b"data"])
    assert files(tmp_path) == {kept.blob}
    assert store.list("bucket", "") == [kept]


def list_page(store: ObjectStore, **parameters: object) -> tuple[list[str], list[str], str]:
    listing = store.listing("bucket", ListQuery(**parameters))  # type: ignore[arg-type]
    while not listing.complete:
        listing.advance()
    page = listing.page
    return [stored.name for stored in page.items], page.prefixes, page.next_page_token


def test_object_listing_of_prefixes_and_delimiters(store: ObjectStore) -> None:
    for name in ["a", "a/", "a/b", "a/b/c", "a/d", "b.txt", "c/x.txt", "\U0010ffff", "\U0010ffffz"]:
        put(store, name)
    top = (["a", "b.txt", "\U0010ffff", "\U0010ffffz"], ["a/", "c/"])
    assert list_page(store, delimiter="/")[:2] == top
    assert list_page(store, delimiter="/", trailing=True)[:2] == (["a", "a/", *top[0][1:]], top[1])
    assert list_page(store, prefix="a/", delimiter="/") == (["a/", "a/b", "a/d"], ["a/b/"], "")
    assert list_page(store, start="a/d", end="c/x.txt")[0] == ["a/d", "b.txt"]
    assert list_page(store, glob="**.txt")[0] == ["b.txt", "c/x.txt"]
    assert list_page(store, glob="*.txt")[0] == ["b.txt"]
    assert list_page(store, prefix="\U0010ffff")[0] == ["\U0010ffff", "\U0010ffffz"]


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_object_listing_pages_together_are_the_whole(store: ObjectStore, limit: int) -> None:
    for name in ["a/1", "a/2", "b", "c/1", "c/2", "c/3", "d", "e/"]:
        put(store, name)
    found: list[str] = []
    token = ""
    for _ in range(10):
        items, prefixes, token = list_page(store, delimiter="/", limit=limit, page_token=token)
        assert len(items) + len(prefixes) <= limit
        found += items + prefixes
        if not token:
            break
    assert sorted(found) == ["a/", "b", "c/", "d", "e/"]


def test_object_listing_past_skips_what_is_no_character() -> None:
    assert prefix_end("a") == "b"
    assert prefix_end("\ud7ff") == "\ue000"
    assert prefix_end("a\U0010ffff") == "b"
    assert prefix_end("\U0010ffff") is None
    assert prefix_end("") is None


@pytest.mark.parametrize(
    ("glob", "yes", "no"),
    [
        ("a?c", "abc", "a/c"),
        ("[a-c]x", "bx", "dx"),
        ("[!a-c]x", "dx", "bx"),
        ("{one,two}/*", "two/x", "three/x"),
        ("a/**/z", "a/b/c/z", "a/b/c/y"),
        (r"\*", "*", "x"),
        ("a.b", "a.b", "axb"),
    ],
)
def test_object_listing_globs(glob: str, yes: str, no: str) -> None:
    assert glob_pattern(glob).fullmatch(yes)
    assert not glob_pattern(glob).fullmatch(no)


@pytest.mark.parametrize("glob", ["[", "{a", "a}", "[z-a]", "[]"])
def test_object_listing_refuses_malformed_globs(glob: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="matchGlob"):
        glob_pattern(glob)


def test_object_store_start_removes_orphans_and_keeps_the_rest(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path, lambda: NOW)
    store.buckets.create("demo", {"name": "bucket"})
    kept, cut, lost = put(store, "kept"), put(store, "cut"), put(store, "lost")
    put(store, "orphan")
    upload = store.resumable_uploads.start("bucket", "later", {})
    half = store.writer()
    half.write([b"half"])
    half.pause()
    store.close()

    db = sqlite3.connect(tmp_path / "objects" / "index.sqlite")
    db.execute("delete from objects where name = 'orphan'")  # as if killed between file and row
    db.commit()
    db.close()
    store.path(cut).chmod(0o600)
    store.path(cut).write_bytes(b"")  # as after a loss of power
    store.path(lost).unlink()

    store = ObjectStore(tmp_path, lambda: NOW)
    try:
        assert store.list("bucket", "") == [kept]
        assert files(tmp_path) == {kept.blob}
        assert put(store, "new").generation > kept.generation
        assert isinstance(store.resumable_uploads.status(upload, "bucket"), ResumableUpload)
    finally:
        store.close()


def test_blobs_are_concatenated_where_the_kernel_copies_nothing(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        store.commit("bucket", name, store.writer(), [name.encode() * 100_000])
    monkeypatch.setattr(os, "copy_file_range", lambda *_args: 0, raising=False)
    composed = store.compose("bucket", "c", [("a", None, ALWAYS), ("b", None, ALWAYS)], {})
    assert store.path(composed).read_bytes() == b"a" * 100_000 + b"b" * 100_000


def test_resumable_uploads_live_a_week_with_their_bytes(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path, lambda: NOW)
    store.buckets.create("demo", {"name": "bucket"})
    id_ = store.resumable_uploads.start("bucket", "x", {})
    upload = store.resumable_uploads.status(id_, "bucket")
    assert isinstance(upload, ResumableUpload)
    store.resumable_uploads.take(upload).append([b"half"])
    store.close()
    for days, alive in ((6, True), (8, False)):
        store = ObjectStore(tmp_path, lambda days=days: NOW + timedelta(days=days))  # type: ignore[misc]
        try:
            assert files(tmp_path) == ({id_} if alive else set())
            if alive:
                found = store.resumable_uploads.status(id_, "bucket")
                assert isinstance(found, ResumableUpload)
                assert found.writer.size == 4
            else:
                with pytest.raises(errors.NotFound):
                    store.resumable_uploads.status(id_, "bucket")
        finally:
            store.close()


def test_resumable_uploads_are_completed_once_a_full_disk_has_room(tmp_path: Path) -> None:
    with (
        mounted(tmp_path / "disk", "size=16m") as disk,
        contextlib.closing(ObjectStore(disk, lambda: datetime.now(timezone.utc))) as store,
    ):
        store.buckets.create("demo", {"name": "bucket"})
        uploads, data = store.resumable_uploads, b"x" * 3_000_000
        id_ = uploads.start("bucket", "x", {})

        def take() -> UploadLease:
            upload = uploads.status(id_, "bucket")
            assert isinstance(upload, ResumableUpload)
            return uploads.take(upload)

        take().append([data])
        filler = fill(disk)
        for _request in range(2):
            with pytest.raises(sqlite3.OperationalError, match="disk is full"):
                take().finish(ExpectedChecksums())
        assert take().received == len(data)
        filler.unlink()
        stored = take().finish(ExpectedChecksums())
        assert store.path(stored).read_bytes() == data


def test_resumable_uploads_expire_while_the_server_runs(tmp_path: Path) -> None:
    day = 86400
    seconds = [0]
    store = ObjectStore(tmp_path, lambda: datetime.fromtimestamp(1.8e9 + seconds[0], timezone.utc))
    try:
        store.buckets.create("demo", {"name": "bucket"})
        for number in range(250):
            id_ = store.resumable_uploads.start("bucket", str(number), {})
            lease = store.resumable_uploads.take(store.resumable_uploads.status(id_, "bucket"))  # type: ignore[arg-type]
            lease.append([b"half"])
            lease.pause()
        incoming = tmp_path / "objects" / "incoming"
        assert (len(store.resumable_uploads._open), len(list(incoming.iterdir()))) == (250, 250)
        seconds[0] = 8 * day
        for number in range(4):
            store.resumable_uploads.start("bucket", str(number), {})
        assert (len(store.resumable_uploads._open), list(incoming.iterdir())) == (0, [])
        assert store.metadata_db.all("select count(*) from sessions")[0][0] == 4
    finally:
        store.close()


def test_metadata_db_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    ObjectStore(tmp_path, lambda: NOW).close()
    db = sqlite3.connect(tmp_path / "objects" / "index.sqlite")
    db.execute("pragma user_version = 99")
    db.close()
    with pytest.raises(errors.ServerError, match="newer version of aip-magics"):
        ObjectStore(tmp_path, lambda: NOW)
