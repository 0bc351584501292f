"""The assembly of multipart uploads in the store: whole after any stop, one request at a time, little disk."""

from __future__ import annotations

import os
import random
import sqlite3
import tempfile
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import google_crc32c
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aip_magics import errors
from aip_magics.crc32c import encode_crc32c
from aip_magics.server.gcs import ObjectStore, StoredObject, multipart_uploads, part_assembly
from aip_magics.server.gcs.blobs import Blobs, append_range
from aip_magics.server.gcs.metadata_db import MIGRATIONS
from aip_magics.server.gcs.multipart_uploads import Completion, MultipartUploads
from aip_magics.server.gcs.part_assembly import PartAssembly
from aip_magics.server.gcs.preconditions import Preconditions

SLICE = 100
Listed = list[tuple[int, str]]
BYTES = random.Random(5).randbytes(1 << 16)


class Killed(BaseException):
    """The process ends here: nothing that catches errors runs."""


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts and slices of bytes instead of megabytes."""
    monkeypatch.setattr(multipart_uploads, "MIN_PART", 1)
    monkeypatch.setattr(multipart_uploads, "SLICE", SLICE)


class Upload:
    """A multipart upload of the object `x`."""

    def __init__(self, store: ObjectStore, directory: Path) -> None:
        self.store = store
        self.uploads: MultipartUploads = store.multipart_uploads
        self.id = self.uploads.start("bucket", "x", {"contentType": "text/x"})
        self.objects = directory / "objects"

    def put(self, number: int, data: bytes) -> tuple[int, str]:
        writer = self.store.writer(md5=False)
        writer.write([data])
        try:
            return number, self.uploads.put_part("bucket", "x", self.id, number, writer.finish()).etag
        except BaseException:
            writer.discard()
            raise

    def complete(self, listed: Listed, conditions: Preconditions | None = None) -> Completion:
        return self.uploads.complete("bucket", "x", self.id, listed, conditions or Preconditions())

    def content(self) -> bytes:
        return self.store.path(self.store.get("bucket", "x")).read_bytes()

    def files(self) -> list[str]:
        return sorted(path.parent.name for path in self.objects.rglob("?" * 32))

    def bytes_on_disk(self) -> int:
        return sum(path.stat().st_size for path in self.objects.rglob("?" * 32))


@pytest.fixture
def upload(store: ObjectStore, tmp_path: Path) -> Upload:
    return Upload(store, tmp_path)


def finish(completion: Completion) -> StoredObject:
    while (stored := completion.advance()) is None:
        pass
    return stored


def refused(call: Callable[[], object]) -> tuple[int | None, str]:
    with pytest.raises(errors.ApiError) as caught:
        call()
    return caught.value.code, caught.value.details[1]["xmlCode"]


def test_completion_needs_the_disk_of_one_part_and_copies_a_slice_at_a_time(upload: Upload) -> None:
    listed = [upload.put(number, bytes([number]) * 150) for number in range(1, 11)]
    completion, most, steps = upload.complete(listed), 0, 1
    while completion.advance() is None:
        most, steps = max(most, upload.bytes_on_disk()), steps + 1
        assert refused(lambda: upload.store.get("bucket", "x"))[0] == 404  # nobody sees it before it is whole
    assert most <= 10 * 150 + 150
    assert steps == -(-9 * 150 // SLICE)
    assert upload.content() == b"".join(bytes([number]) * 150 for number in range(1, 11))
    assert upload.files() == [upload.store.get("bucket", "x").blob[:2]]


def test_completion_takes_parts_in_gaps_and_deletes_the_others(upload: Upload) -> None:
    tags = {number: upload.put(number, bytes([number]) * 120) for number in range(1, 8)}
    tags[3] = upload.put(3, b"replaced")
    stored = finish(upload.complete([tags[1], tags[3], tags[7]]))
    whole = bytes([1]) * 120 + b"replaced" + bytes([7]) * 120
    assert upload.content() == whole
    assert (stored.size, stored.crc32c) == (len(whole), encode_crc32c(google_crc32c.value(whole)))
    assert stored.metadata["contentType"] == "text/x"
    assert len(upload.files()) == 1


def test_completion_by_two_requests_at_once_gives_both_the_object(upload: Upload) -> None:
    listed = [upload.put(number, bytes([number]) * 150) for number in (1, 2, 3)]
    first, second = upload.complete(listed), upload.complete(listed)
    assert [first.advance(), second.advance()] == [None, None]
    stored = finish(second)
    assert first.advance() == stored
    assert upload.content() == b"".join(bytes([number]) * 150 for number in (1, 2, 3))
    assert refused(lambda: upload.complete(listed)) == (404, "NoSuchUpload")


def test_completion_refuses_other_parts_only_once_one_was_appended(upload: Upload) -> None:
    listed = [upload.put(number, bytes([number]) * 150) for number in (1, 2, 3)]
    first = upload.complete(listed)
    assert first.advance() is None  # 100 bytes of part 2
    other = upload.complete(listed[1:])
    assert refused(first.advance) == (400, "InvalidPart")
    again = upload.complete(listed)
    assert refused(other.advance) == (400, "InvalidPart")
    assert [again.advance(), again.advance()] == [None, None]
    assert refused(lambda: upload.complete(listed[:2])) == (409, "OperationAborted")
    before = upload.files()
    assert refused(lambda: upload.put(3, b"late")) == (409, "OperationAborted")
    assert upload.files() == before
    assert [part.number for part in upload.uploads.list_parts("bucket", "x", upload.id)] == [1, 2, 3]
    finish(again)
    assert upload.content() == b"".join(bytes([number]) * 150 for number in (1, 2, 3))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_completion_notices_a_part_that_is_replaced_before_any_was_appended(upload: Upload, number: int) -> None:
    tags = {n: upload.put(n, bytes([n]) * 150) for n in (1, 2, 3)}
    completion = upload.complete(list(tags.values()))
    assert completion.advance() is None
    tags[number] = upload.put(number, b"new")
    assert refused(completion.advance) == (400, "InvalidPart")
    finish(upload.complete(list(tags.values())))
    assert upload.content() == b"".join(b"new" if n == number else bytes([n]) * 150 for n in (1, 2, 3))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_completion_refuses_to_go_on_with_a_part_that_was_uploaded_again(upload: Upload, number: int) -> None:
    """With the same bytes: number and ETag are the same, but not the file."""
    listed = [upload.put(n, bytes([n]) * 150) for n in (1, 2, 3)]
    first = upload.complete(listed)
    assert first.advance() is None
    assert upload.put(number, bytes([number]) * 150) == listed[number - 1]
    second = upload.complete(listed)
    assert refused(first.advance) == (400, "InvalidPart")
    finish(second)
    assert upload.content() == b"".join(bytes([n]) * 150 for n in (1, 2, 3))


def test_completion_ends_when_the_upload_or_its_bucket_is_deleted(upload: Upload) -> None:
    listed = [upload.put(number, bytes([number]) * 150) for number in (1, 2, 3)]
    completion = upload.complete(listed)
    for _slice in range(2):
        assert completion.advance() is None
    upload.uploads.abort("bucket", "x", upload.id)
    assert refused(completion.advance) == (404, "NoSuchUpload")
    assert upload.files() == []
    again = Upload(upload.store, upload.objects.parent)
    completion = again.complete([again.put(number, bytes(150)) for number in (1, 2, 3)])
    assert completion.advance() is None
    upload.store.buckets.delete("bucket")
    assert refused(completion.advance) == (404, "NoSuchBucket")
    assert upload.files() == []


def test_completion_leaves_no_file_when_the_bucket_is_deleted_at_the_last_moment(
    upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = upload.store.blobs.publish

    def delete_bucket(file: str) -> str:
        publish(file)
        upload.store.buckets.delete("bucket")
        return file

    monkeypatch.setattr(upload.store.blobs, "publish", delete_bucket)
    completion = upload.complete([upload.put(1, b"data")])
    assert refused(completion.advance) == (404, "NoSuchBucket")
    assert upload.files() == []


def test_completion_checks_preconditions_before_and_after_the_assembly(upload: Upload) -> None:
    listed = [upload.put(number, bytes([number]) * 150) for number in (1, 2)]
    assert refused(lambda: upload.complete(listed, Preconditions(generation_match=7))) == (412, "PreconditionFailed")
    completion = upload.complete(listed, Preconditions(generation_match=0))
    assert completion.advance() is None
    other = upload.store.commit("bucket", "x", upload.store.writer(), [b"theirs"])
    assert refused(completion.advance) == (412, "PreconditionFailed")
    assert upload.content() == b"theirs"
    finish(upload.complete(listed, Preconditions(generation_match=other.generation)))
    assert upload.content() == bytes([1]) * 150 + bytes([2]) * 150
    assert len(upload.files()) == 1


@pytest.mark.parametrize("lost", ["first", "later"])
def test_completion_of_parts_that_are_gone_aborts_the_upload(upload: Upload, lost: str) -> None:
    """As after a loss of power; a client then starts again."""
    listed = [upload.put(number, bytes([number]) * 150) for number in (1, 2, 3)]
    parts = upload.uploads.list_parts("bucket", "x", upload.id)
    path = upload.objects / "incoming" / parts[0 if lost == "first" else 2].file
    path.write_bytes(path.read_bytes()[:100])
    assert refused(lambda: finish(upload.complete(listed))) == (404, "NoSuchUpload")
    assert upload.files() == []
    assert upload.uploads.list_unfinished("bucket") == []


def test_completion_goes_on_after_a_restart_between_rename_and_commit(tmp_path: Path, store: ObjectStore) -> None:
    """The file is among the blobs, its row is not: it belongs to the upload again, as a resumable upload's does."""
    upload = Upload(store, tmp_path)
    listed = [upload.put(number, bytes([number]) * 150) for number in (1, 2)]
    completion = upload.complete(listed)
    assert completion.advance() is None
    session = store.resumable_uploads.start("bucket", "y", {})
    lease = store.resumable_uploads.take(store.resumable_uploads.status(session, "bucket"))  # type: ignore[arg-type]
    lease.append([b"all"])
    lease.pause()
    assert not PartAssembly(store.blobs, [(part.file, part.size) for part in parts_of(upload)]).advance(0)
    assert PartAssembly(store.blobs, [(part.file, part.size) for part in parts_of(upload)]).advance(SLICE)
    store.blobs.publish(parts_of(upload)[0].file)
    store.blobs.publish(session)
    store.close()
    again = ObjectStore(tmp_path, lambda: datetime(2026, 1, 3, tzinfo=timezone.utc))
    try:
        stored = finish(again.multipart_uploads.complete("bucket", "x", upload.id, listed))
        assert again.path(stored).read_bytes() == bytes([1]) * 150 + bytes([2]) * 150
        resumed = again.resumable_uploads.take(again.resumable_uploads.status(session, "bucket"))  # type: ignore[arg-type]
        if os.name == "posix":
            assert (tmp_path / "objects" / "incoming" / session).stat().st_mode & 0o777 == 0o600
        resumed.append([b" of it"])
        assert resumed.received == len(b"all of it")
    finally:
        again.close()


def parts_of(upload: Upload) -> list[Any]:
    return upload.uploads.list_parts("bucket", "x", upload.id)


def test_multipart_upload_of_the_first_schema_is_completed(tmp_path: Path) -> None:
    (root := tmp_path / "objects").mkdir()
    (incoming := root / "incoming").mkdir()
    (incoming / ("f" * 32)).write_bytes(b"data")
    db = sqlite3.connect(root / "index.sqlite")
    db.executescript(f"{MIGRATIONS[0]} pragma user_version = 1;")
    db.execute("insert into buckets values ('bucket', 'demo', 'US', 1, 1, '', '', '{}', null)")
    db.execute("insert into multiparts values ('id', 'bucket', 'x', '{}', '')")
    crc32c = encode_crc32c(google_crc32c.value(b"data"))
    db.execute("insert into parts values ('id', 1, ?, 4, ?, '', '')", ("f" * 32, crc32c))
    db.commit()
    db.close()
    store = ObjectStore(tmp_path, lambda: datetime.now(timezone.utc))
    try:
        (part,) = store.multipart_uploads.list_parts("bucket", "x", "id")
        stored = finish(store.multipart_uploads.complete("bucket", "x", "id", [(1, part.etag)]))
        assert store.path(stored).read_bytes() == b"data"
    finally:
        store.close()


@pytest.mark.slow
@settings(deadline=None, max_examples=60)
@given(
    sizes=st.lists(st.integers(1, 250), min_size=1, max_size=8),
    last=st.integers(0, 250),
    stops=st.lists(st.tuples(st.integers(0, 260), st.booleans()), max_size=6),
    data=st.data(),
)
def test_completion_is_right_wherever_it_stops(
    sizes: list[int], last: int, stops: list[tuple[int, bool]], data: st.DataObject
) -> None:
    """Each stop copies some more bytes, then kills the process, or finds the disk full; the next request goes on."""
    chosen = data.draw(st.lists(st.sampled_from(range(len(sizes) + 1)), min_size=1, unique=True).map(sorted))
    contents = [BYTES[100 * i : 100 * i + size] for i, size in enumerate([*sizes, last])]
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(multipart_uploads, "MIN_PART", 1)
        patch.setattr(multipart_uploads, "SLICE", SLICE)
        store = ObjectStore(Path(name), lambda: datetime.now(timezone.utc))
        store.buckets.create("demo", {"name": "bucket"})
        upload = Upload(store, Path(name))
        tags = [upload.put(number, content) for number, content in enumerate(contents, 1)]
        listed = [tags[number] for number in chosen]
        for room, killed in stops:
            with pytest.MonkeyPatch.context() as stop:
                stop.setattr(part_assembly, "append_range", stopping(room, killed))
                try:
                    finish(store.multipart_uploads.complete("bucket", "x", upload.id, listed))
                    break
                except OSError:
                    pass
                except Killed:
                    store.close()
                    store = ObjectStore(Path(name), lambda: datetime.now(timezone.utc))
            assert upload.bytes_on_disk() <= sum(map(len, contents)) + max(map(len, contents))
        else:
            finish(store.multipart_uploads.complete("bucket", "x", upload.id, listed))
        whole = b"".join(contents[number] for number in chosen)
        stored = store.get("bucket", "x")
        assert store.path(stored).read_bytes() == whole
        assert stored.crc32c == encode_crc32c(google_crc32c.value(whole))
        assert upload.files() == [stored.blob[:2]]
        store.close()


def stopping(room: int, killed: bool) -> Callable[..., None]:
    """As `append_range`, until so many bytes were appended."""
    left = [room]

    def append(target: Any, source: Path, start: int, count: int) -> None:
        append_range(target, source, start, min(count, left[0]))
        left[0] -= count
        if left[0] < 0 or (killed and left[0] == 0):  # killed before the deletion of what was appended
            raise Killed if killed else OSError(28, "No space left on device")

    return append


@pytest.fixture(params=["kernel", "reads"])
def copying(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "reads":
        monkeypatch.setattr("aip_magics.server.gcs.blobs._copy_in_kernel", lambda *_files: None)


@pytest.mark.usefixtures("copying")
def test_append_range_copies_these_bytes_and_tells_a_truncated_file(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path)
    (source := tmp_path / "source").write_bytes(BYTES)
    (target := blobs.incoming("t")).write_bytes(b"before")
    with target.open("r+b", buffering=0) as file:
        file.seek(0, 2)
        append_range(file, source, 10, 5000)
        append_range(file, source, 0, 0)
        with pytest.raises(EOFError, match="source is truncated"):
            append_range(file, source, len(BYTES) - 3, 4)
    assert target.read_bytes() == b"before" + BYTES[10:5010] + BYTES[-3:]
