"""What an upload will do: by size and checksum, without reading again what did not change."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from storage_fixtures import MakeFiles

from aip_magics.artifacts import File
from aip_magics.errors import StorageError
from aip_magics.storage import DigestCache, GsUri, StorageClient, diff_with_remote, digest_cache, plan_upload, upload


def later(seconds: float = 10.0) -> int:
    """A time at which files written now are old enough to be remembered."""
    return time.time_ns() + int(seconds * 1e9)


def test_upload_plan_sends_keeps_and_finds_extra_objects(
    client: StorageClient, destination: GsUri, files: MakeFiles
) -> None:
    upload(client, plan_upload(client, files({"same": b"1", "other": b"2", "gone": b"3"}), destination))
    now = files({"same": b"1", "other": b"9", "new": b"4"})
    made = plan_upload(client, now, destination)
    assert [(kind, name) for kind, name, _ in made.rows] == [("upload", "other"), ("upload", "new"), ("keep", "same")]
    assert [remote.name for remote in made.extra] == ["gone"]
    assert made.remove == ()
    assert made.bytes_to_send == 2
    deleting = plan_upload(client, now, destination, delete_extra=True)
    assert [remote.name for remote in deleting.remove] == ["gone"]
    stored = upload(client, deleting)
    assert [(one.name, one.kind) for one in stored] == [("new", "uploaded"), ("other", "uploaded"), ("same", "kept")]
    assert plan_upload(client, now, destination, delete_extra=True).unchanged
    assert {one.name: one.generation for one in stored} == {
        name: remote.generation for name, remote in plan_upload(client, now, destination).remote.items()
    }


def test_upload_plan_takes_a_missing_bucket_for_empty(client: StorageClient, files: MakeFiles) -> None:
    made = plan_upload(client, files({"a": b"1"}), GsUri("nobody-made-this"))
    assert [file.name for file in made.send] == ["a"]
    with pytest.raises(StorageError, match="404"):
        upload(client, made)


def test_upload_plan_reads_more_objects_than_one_page(
    client: StorageClient, destination: GsUri, files: MakeFiles
) -> None:
    many = files({f"f{number:04}": b"x" for number in range(1005)})
    upload(client, plan_upload(client, many, destination))
    assert plan_upload(client, many, destination).unchanged


def test_upload_plan_copies_what_another_version_has(
    client: StorageClient, destination: GsUri, files: MakeFiles
) -> None:
    old, new = destination.child("v1"), destination.child("v2")
    upload(client, plan_upload(client, files({"a": b"a" * 1000, "b": b"b" * 1000, "empty": b""}), old))
    now = files({"renamed": b"a" * 1000, "b": b"c" * 1000, "empty": b""})
    made = plan_upload(client, now, new, copy_from=old)
    assert [(copy.name, copy.source.name) for copy in made.copy] == [("renamed", f"{old.prefix}a")]
    assert [file.name for file in made.send] == ["b", "empty"]
    shown = []
    stored = upload(client, made, progress=shown.append)
    assert {one.name: one.kind for one in stored} == {"renamed": "copied", "b": "uploaded", "empty": "uploaded"}
    assert (shown[-1].done, shown[-1].total) == (1000, 1000)  # what was copied did not leave this machine
    # The copy has the strong hash, too: it can be copied from.
    again = plan_upload(client, now, destination.child("v3"), copy_from=new)
    assert [copy.name for copy in again.copy] == ["renamed", "b"]


def test_upload_plan_sends_a_copy_whose_source_is_gone(
    client: StorageClient, destination: GsUri, files: MakeFiles
) -> None:
    old, new = destination.child("v1"), destination.child("v2")
    upload(client, plan_upload(client, files({"a": b"a" * 1000}), old))
    made = plan_upload(client, files({"a": b"a" * 1000}), new, copy_from=old)
    assert made.copy
    upload(client, plan_upload(client, [], old, delete_extra=True))
    assert [one.kind for one in upload(client, made)] == ["uploaded"]


def test_upload_plan_needs_more_than_equal_checksums_for_a_copy(
    client: StorageClient, destination: GsUri, files: MakeFiles
) -> None:
    """What somebody else put there has no strong hash: CRC32C has 32 bits, and says nothing across names."""
    body = b"content"
    target = f"/upload/storage/v1/b/{destination.bucket}/o?uploadType=media&name={destination.prefix}v1/a"
    client.request("POST", target, where="a", body=body)
    made = plan_upload(client, files({"a": body}), destination.child("v2"), copy_from=destination.child("v1"))
    assert made.copy == ()


def test_upload_plan_does_not_read_unchanged_files_again(
    tmp_path: Path, files: MakeFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = files({"a": b"12345"})[0].path
    with DigestCache(tmp_path / "digests", later) as digests:
        digest = digests.get(path)
    monkeypatch.setattr(digest_cache, "file_digest", lambda path: pytest.fail("it was read again"))
    with DigestCache(tmp_path / "digests", later) as digests:
        assert digests.get(path) == digest


@pytest.mark.skipif(os.name == "nt", reason="Windows has no time of change that nobody can set")
def test_upload_plan_sees_a_change_of_the_same_size_and_time(tmp_path: Path, files: MakeFiles) -> None:
    path = files({"a": b"12345"})[0].path
    before = path.stat()
    with DigestCache(tmp_path / "digests", later) as digests:
        first = digests.get(path)
    path.write_bytes(b"54321")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    with DigestCache(tmp_path / "digests", later) as digests:
        assert digests.get(path) != first


def test_upload_plan_does_not_remember_what_changed_just_now(tmp_path: Path, files: MakeFiles) -> None:
    path = files({"a": b"12345"})[0].path
    with DigestCache(tmp_path / "digests", lambda: path.stat().st_mtime_ns + 1) as digests:
        digests.get(path)
    read = []
    with pytest.MonkeyPatch.context() as patch, DigestCache(tmp_path / "digests") as digests:
        patch.setattr(digest_cache, "file_digest", lambda path, _check: read.append(path))
        digests.get(path)
    assert read == [path]


def test_digest_cache_that_is_damaged_is_no_error(tmp_path: Path, files: MakeFiles) -> None:
    path = files({"a": b"12345"})[0].path
    (tmp_path / "digests").write_bytes(b"this is no database" * 100)
    with DigestCache(tmp_path / "digests", later) as digests:
        assert digests.get(path).size == 5


@pytest.mark.parametrize(
    ("name", "problem"), [("x" * 1025, "1025 bytes"), ("ä" * 513, "1026 bytes"), ("a\nb", "line break")]
)
def test_upload_plan_refuses_names_that_no_object_can_have(name: str, problem: str) -> None:
    with pytest.raises(StorageError, match=problem):
        diff_with_remote([File(name, Path("none"), 0, 0)], GsUri("bucket"), {})


def test_upload_plan_refuses_a_file_that_cannot_be_read(
    client: StorageClient, destination: GsUri, files: MakeFiles
) -> None:
    (file,) = files({"a": b"1"})
    made = plan_upload(client, [file], destination)
    file.path.unlink()
    with pytest.raises(StorageError, match="could not read the file") as caught:
        upload(client, made)
    assert caught.value.where == str(file.path)


def test_upload_plan_of_an_unchanged_upload_is_light(
    endpoint: str, destination: GsUri, client: StorageClient, files: MakeFiles
) -> None:
    """It neither imports Google's client, which takes half a second, nor requests."""
    (file,) = files({"model.bin": b"x" * 100})
    upload(client, plan_upload(client, [file], destination))
    script = f"""
import sys
from pathlib import Path
from aip_magics.artifacts import inspect_model_dir
from aip_magics.storage import GsUri, StorageClient, bearer, plan_upload, upload
client = StorageClient({endpoint!r}, bearer("t"))
made = plan_upload(client, inspect_model_dir(Path({str(file.path.parent)!r})).files, GsUri.parse({str(destination)!r}))
assert made.unchanged, made
upload(client, made)
print(sorted({{"google.cloud.storage", "google.api_core", "requests", "asyncio"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
