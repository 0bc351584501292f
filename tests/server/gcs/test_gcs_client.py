"""google-cloud-storage, unchanged, against a real server process."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, Conflict, NotFound, PreconditionFailed
from google.cloud.storage import transfer_manager

MIB = 1 << 20


def test_gcs_bucket_life(client: Any) -> None:
    made = client.bucket("life-of-a-bucket")
    made.iam_configuration.uniform_bucket_level_access_enabled = True
    made.iam_configuration.public_access_prevention = "enforced"
    made.labels = {"a": "1", "b": "2"}
    made = client.create_bucket(made, location="europe-west4")
    assert (made.location, made.location_type, made.storage_class) == ("EUROPE-WEST4", "region", "STANDARD")
    found = client.get_bucket("life-of-a-bucket")
    assert found.iam_configuration.uniform_bucket_level_access_enabled
    assert found.iam_configuration.public_access_prevention == "enforced"
    assert found.project_number == made.project_number
    found.labels = {"a": "1", "c": "3"}
    found.patch()
    assert client.get_bucket("life-of-a-bucket").labels == {"a": "1", "c": "3"}
    assert client.get_bucket("life-of-a-bucket").metageneration == 2
    assert "life-of-a-bucket" in [bucket.name for bucket in client.list_buckets(prefix="life-")]
    found.delete()
    assert not found.exists()


def test_gcs_bucket_refusals(client: Any, bucket: Any) -> None:
    with pytest.raises(Conflict, match="you already own it"):
        client.create_bucket(bucket.name)
    with pytest.raises(Conflict, match="bucket namespace is shared"):
        client.create_bucket(bucket.name, project="another")
    with pytest.raises(BadRequest, match="must not look like an IP address"):
        client.create_bucket("10.0.0.1")
    with pytest.raises(NotFound, match="The specified bucket does not exist"):
        client.get_bucket("missing-bucket")
    bucket.blob("x").upload_from_string("data")
    with pytest.raises(Conflict, match="not empty"):
        bucket.delete()
    bucket.delete(force=True)
    assert not bucket.exists()


def test_gcs_bucket_pages(client: Any) -> None:
    names = [f"paged-{i}" for i in range(5)]
    for name in names:
        client.create_bucket(name)
    pages = client.list_buckets(prefix="paged-", page_size=2).pages
    assert [[bucket.name for bucket in page] for page in pages] == [names[:2], names[2:4], names[4:]]


@pytest.mark.parametrize("data", [b"", b"\r", b"\n", b"end\r\n", b"\x85\xff\0--\r\n", os.urandom(3 * MIB)])
def test_gcs_upload_and_download(bucket: Any, data: bytes) -> None:
    blob = bucket.blob("dir/file.bin")
    blob.metadata = {"key": "välue"}
    blob.cache_control = "no-cache"
    blob.upload_from_string(data, content_type="application/x-thing", checksum="md5", if_generation_match=0)
    found = bucket.get_blob("dir/file.bin")
    assert (found.size, found.content_type, found.cache_control) == (len(data), "application/x-thing", "no-cache")
    assert found.metadata == {"key": "välue"}
    assert (found.generation, found.md5_hash, found.crc32c) == (blob.generation, blob.md5_hash, blob.crc32c)
    assert found.download_as_bytes() == data
    assert found.download_as_bytes(checksum="crc32c") == data


@pytest.mark.parametrize("name", ["a b", "a%2Fb", "a/b", "//x//", "../up", "x#?&+=", "日本語", "cafe\u0301", "é" * 512])
def test_gcs_object_names(bucket: Any, name: str) -> None:
    bucket.blob(name).upload_from_string(name)
    assert [blob.name for blob in bucket.list_blobs()] == [name]
    assert bucket.get_blob(name).download_as_text() == name
    bucket.rename_blob(bucket.blob(name), name[:9] + "~")
    assert [blob.name for blob in bucket.list_blobs()] == [name[:9] + "~"]


def test_gcs_resumable_uploads(bucket: Any, tmp_path: Path) -> None:
    data = os.urandom(3 * MIB + 17)
    known = bucket.blob("known", chunk_size=MIB)
    known.upload_from_file(io.BytesIO(data), size=len(data), if_generation_match=0)
    unknown = bucket.blob("unknown", chunk_size=MIB)
    with unknown.open("wb", chunk_size=MIB) as handle:
        handle.write(data)
    big = bucket.blob("big")
    (tmp_path / "big").write_bytes(data * 4)
    big.upload_from_filename(str(tmp_path / "big"))  # above 8 MiB: resumable in one chunk
    assert known.download_as_bytes() == unknown.download_as_bytes() == data
    assert bucket.get_blob("known").md5_hash == bucket.get_blob("unknown").md5_hash
    big.download_to_filename(str(tmp_path / "again"))
    assert (tmp_path / "again").read_bytes() == data * 4


def test_gcs_ranges(bucket: Any) -> None:
    blob = bucket.blob("x")
    blob.upload_from_string("0123456789")
    assert blob.download_as_bytes(start=2, end=4) == b"234"
    assert blob.download_as_bytes(start=7) == b"789"
    assert blob.download_as_bytes(start=-2) == b"89"
    with blob.open("rb") as handle:
        handle.seek(5)
        assert handle.read(2) == b"56"


def test_gcs_object_listing(client: Any, bucket: Any) -> None:
    for name in ["a", "a/", "a/1", "a/2", "b.txt"]:
        bucket.blob(name).upload_from_string(name)
    top = client.list_blobs(bucket, delimiter="/", include_trailing_delimiter=True)
    assert [blob.name for blob in top] == ["a", "a/", "b.txt"]
    assert top.prefixes == {"a/"}
    assert [blob.name for blob in client.list_blobs(bucket, prefix="a/", page_size=1)] == ["a/", "a/1", "a/2"]
    assert [blob.name for blob in client.list_blobs(bucket, match_glob="**/[12]")] == ["a/1", "a/2"]
    assert [blob.name for blob in client.list_blobs(bucket, start_offset="a/1", end_offset="b")] == ["a/1", "a/2"]
    (blob,) = client.list_blobs(bucket, prefix="b", fields="items(name,size),nextPageToken")
    assert (blob.name, blob.size, blob.md5_hash) == ("b.txt", 5, None)
    with pytest.raises(NotFound):
        list(client.list_blobs("missing-bucket"))


def test_gcs_patch_and_delete(bucket: Any) -> None:
    blob = bucket.blob("x")
    blob.metadata = {"one": "1", "two": "2"}
    blob.upload_from_string("data", content_type="text/plain")
    blob.metadata = {"one": None, "three": "3"}
    blob.content_language = "ko"
    blob.patch(if_metageneration_match=1)
    found = bucket.get_blob("x")
    assert (found.metadata, found.content_language) == ({"two": "2", "three": "3"}, "ko")
    assert (found.metageneration, found.generation) == (2, blob.generation)
    with pytest.raises(PreconditionFailed, match="pre-conditions you specified did not hold"):
        blob.patch(if_metageneration_match=1)
    with pytest.raises(PreconditionFailed):
        blob.delete(if_generation_match=1)
    with pytest.raises(NotFound, match="No such object: "):
        bucket.blob("x", generation=1).delete()
    blob.delete(if_generation_match=blob.generation)
    with pytest.raises(NotFound, match=f"No such object: {bucket.name}/x"):
        blob.delete()


def test_gcs_preconditions_of_uploads_and_reads(bucket: Any) -> None:
    blob = bucket.blob("x")
    blob.upload_from_string("one", if_generation_match=0)
    first = blob.generation
    for size in (3, 9 * MIB):  # multipart, resumable
        with pytest.raises(PreconditionFailed):
            bucket.blob("x").upload_from_string(b"x" * size, if_generation_match=0)
    blob.upload_from_string("two", if_generation_match=first)
    with pytest.raises(PreconditionFailed):
        blob.upload_from_string("three", if_generation_match=first)
    with pytest.raises(PreconditionFailed):
        bucket.blob("x").download_as_bytes(if_generation_match=first)
    with pytest.raises(NotFound):
        bucket.blob("x", generation=first).download_as_bytes()
    assert bucket.blob("x").download_as_bytes(if_generation_match=blob.generation) == b"two"


def test_gcs_one_of_racing_creates_wins(bucket: Any) -> None:
    def create(number: int) -> bool:
        try:
            bucket.blob("race").upload_from_string(str(number), if_generation_match=0)
        except PreconditionFailed:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:  # the client's connection pool holds ten
        won = list(pool.map(create, range(16)))
    assert won.count(True) == 1
    assert bucket.blob("race").download_as_text() == str(won.index(True))


def test_gcs_compose_copy_and_rewrite(client: Any, bucket: Any) -> None:
    for name in ("one", "two"):
        bucket.blob(name).upload_from_string(name, content_type="text/plain")
    both = bucket.blob("both")
    both.content_type = "text/x-both"
    both.compose([bucket.blob("one"), bucket.blob("two")], if_generation_match=0)
    found = bucket.get_blob("both")
    assert (found.download_as_bytes(), found.component_count, found.content_type) == (b"onetwo", 2, "text/x-both")
    assert found.md5_hash is None
    with pytest.raises(PreconditionFailed):
        both.compose([bucket.blob("one")], if_generation_match=0)
    with pytest.raises(NotFound):
        both.compose([bucket.blob("missing")])
    both.compose([bucket.blob("both"), bucket.blob("two")], delete_source_objects=True)
    assert [blob.name for blob in bucket.list_blobs()] == ["both", "one"]
    assert both.download_as_bytes() == b"onetwotwo"

    copied = bucket.copy_blob(bucket.blob("one"), bucket, "dir/copied")
    assert (copied.content_type, copied.download_as_bytes()) == ("text/plain", b"one")
    target = bucket.blob("rewritten")
    assert target.rewrite(bucket.blob("one"), if_generation_match=0) == (None, 3, 3)
    assert target.download_as_bytes() == b"one"
    with pytest.raises(PreconditionFailed):
        bucket.blob("again").rewrite(bucket.blob("one"), if_source_generation_match=1)


def test_gcs_iam(client: Any, bucket: Any) -> None:
    permissions = ["storage.objects.get", "storage.objects.create"]
    assert bucket.test_iam_permissions(permissions) == permissions
    policy = bucket.get_iam_policy(requested_policy_version=3)
    policy.bindings.append({"role": "roles/storage.objectViewer", "members": {"user:a@example.com"}})
    kept = bucket.set_iam_policy(policy)
    assert list(kept.bindings) == [{"role": "roles/storage.objectViewer", "members": {"user:a@example.com"}}]
    with pytest.raises(PreconditionFailed):
        bucket.set_iam_policy(policy)  # the etag is that of the policy before


def test_gcs_batch(client: Any, bucket: Any) -> None:
    for name in ("a/b", "c d", "e"):
        bucket.blob(name).upload_from_string(name)
    with client.batch():
        bucket.blob("a/b").delete()
        bucket.blob("c d").delete()
    assert [blob.name for blob in bucket.list_blobs()] == ["e"]

    def delete_two() -> None:
        with client.batch():
            bucket.blob("e").delete()
            bucket.blob("missing").delete()

    with pytest.raises(NotFound, match="missing"):
        delete_two()
    assert list(bucket.list_blobs()) == []
    bucket.blob("e").upload_from_string("e", content_type="text/plain")
    with client.batch():
        e = bucket.blob("e")
        e.content_language = "한국"
        e.patch()
    assert bucket.get_blob("e").content_language == "한국"


def test_gcs_transfer_manager(client: Any, bucket: Any, tmp_path: Path) -> None:
    data = os.urandom(17 * MIB)
    (tmp_path / "big").write_bytes(data)
    blob = bucket.blob("dir/big ü")
    threads = transfer_manager.THREAD
    transfer_manager.upload_chunks_concurrently(
        str(tmp_path / "big"), blob, chunk_size=6 * MIB, worker_type=threads, max_workers=3
    )
    found = bucket.get_blob("dir/big ü")
    assert (found.size, found.md5_hash) == (len(data), None)
    transfer_manager.download_chunks_concurrently(
        found, str(tmp_path / "again"), chunk_size=5 * MIB, worker_type=threads, max_workers=3
    )
    assert (tmp_path / "again").read_bytes() == data

    names = [f"f{i}" for i in range(30)]
    for name in names:
        (tmp_path / name).write_text(name)
    transfer_manager.upload_many_from_filenames(
        bucket, names, str(tmp_path), worker_type=threads, max_workers=4, raise_exception=True
    )
    assert [blob.download_as_text() for blob in bucket.list_blobs(prefix="f")] == sorted(names)


def test_gcs_data_survive_a_restart(start_server: Callable[[], Any], new_client: Callable[[str], Any]) -> None:
    server = start_server()
    before = new_client(server.url).create_bucket("kept-bucket", location="asia-northeast3").blob("x")
    before.upload_from_string("data")
    server.kill()
    after = new_client(start_server().url).get_bucket("kept-bucket")
    assert after.location == "ASIA-NORTHEAST3"
    assert after.get_blob("x").generation == before.generation
    assert after.blob("x").download_as_bytes() == b"data"
