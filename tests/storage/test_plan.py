"""What an upload will do: by size and checksum, without reading again what did not change."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from store_fixtures import MakeFiles

from aip_magics.artifacts import File
from aip_magics.errors import StorageError
from aip_magics.storage import Digests, GsUri, Store, compare, plan, upload
from aip_magics.storage import digests as digests_module


def later(seconds: float = 10.0) -> int:
    """A time at which files written now are old enough to be remembered."""
    return time.time_ns() + int(seconds * 1e9)


def test_send_keep_and_what_is_there_only(store: Store, destination: GsUri, files: MakeFiles) -> None:
    upload(store, plan(store, files({"same": b"1", "other": b"2", "gone": b"3"}), destination))
    now = files({"same": b"1", "other": b"9", "new": b"4"})
    made = plan(store, now, destination)
    assert [(kind, name) for kind, name, _ in made.rows] == [("upload", "other"), ("upload", "new"), ("keep", "same")]
    assert [remote.name for remote in made.extra] == ["gone"]
    assert made.remove == ()
    assert made.bytes_to_send == 2
    deleting = plan(store, now, destination, delete_extra=True)
    assert [remote.name for remote in deleting.remove] == ["gone"]
    stored = upload(store, deleting)
    assert [(one.name, one.kind) for one in stored] == [("new", "uploaded"), ("other", "uploaded"), ("same", "kept")]
    assert plan(store, now, destination, delete_extra=True).unchanged
    assert {one.name: one.generation for one in stored} == {
        name: remote.generation for name, remote in plan(store, now, destination).remote.items()
    }


def test_a_bucket_that_is_not_there_counts_as_empty(store: Store, files: MakeFiles) -> None:
    made = plan(store, files({"a": b"1"}), GsUri("nobody-made-this"))
    assert [file.name for file in made.send] == ["a"]
    with pytest.raises(StorageError, match="404"):
        upload(store, made)


def test_more_objects_than_one_page(store: Store, destination: GsUri, files: MakeFiles) -> None:
    many = files({f"f{number:04}": b"x" for number in range(1005)})
    upload(store, plan(store, many, destination))
    assert plan(store, many, destination).unchanged


def test_a_new_version_copies_what_another_has(store: Store, destination: GsUri, files: MakeFiles) -> None:
    old, new = destination.child("v1"), destination.child("v2")
    upload(store, plan(store, files({"a": b"a" * 1000, "b": b"b" * 1000, "empty": b""}), old))
    now = files({"renamed": b"a" * 1000, "b": b"c" * 1000, "empty": b""})
    made = plan(store, now, new, copy_from=old)
    assert [(copy.name, copy.source.name) for copy in made.copy] == [("renamed", f"{old.prefix}a")]
    assert [file.name for file in made.send] == ["b", "empty"]
    shown = []
    stored = upload(store, made, progress=shown.append)
    assert {one.name: one.kind for one in stored} == {"renamed": "copied", "b": "uploaded", "empty": "uploaded"}
    assert (shown[-1].done, shown[-1].total) == (1000, 1000)  # what was copied did not leave this machine
    # The copy has the strong hash, too: it can be copied from.
    again = plan(store, now, destination.child("v3"), copy_from=new)
    assert [copy.name for copy in again.copy] == ["renamed", "b"]


def test_a_copy_whose_source_is_gone_is_sent(store: Store, destination: GsUri, files: MakeFiles) -> None:
    old, new = destination.child("v1"), destination.child("v2")
    upload(store, plan(store, files({"a": b"a" * 1000}), old))
    made = plan(store, files({"a": b"a" * 1000}), new, copy_from=old)
    assert made.copy
    upload(store, plan(store, [], old, delete_extra=True))
    assert [one.kind for one in upload(store, made)] == ["uploaded"]


def test_equal_checksums_are_not_enough_for_a_copy(store: Store, destination: GsUri, files: MakeFiles) -> None:
    """What somebody else put there has no strong hash: CRC32C has 32 bits, and says nothing across names."""
    body = b"content"
    target = f"/upload/storage/v1/b/{destination.bucket}/o?uploadType=media&name={destination.prefix}v1/a"
    store.call("POST", target, where="a", body=body)
    made = plan(store, files({"a": body}), destination.child("v2"), copy_from=destination.child("v1"))
    assert made.copy == ()


def test_what_did_not_change_is_not_read_again(
    tmp_path: Path, files: MakeFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = files({"a": b"12345"})[0].path
    with Digests(tmp_path / "digests", later) as digests:
        digest = digests.of(path)
    monkeypatch.setattr(digests_module, "file_digest", lambda path: pytest.fail("it was read again"))
    with Digests(tmp_path / "digests", later) as digests:
        assert digests.of(path) == digest


@pytest.mark.skipif(os.name == "nt", reason="Windows has no time of change that nobody can set")
def test_a_change_is_seen_though_size_and_time_are_the_same(tmp_path: Path, files: MakeFiles) -> None:
    path = files({"a": b"12345"})[0].path
    before = path.stat()
    with Digests(tmp_path / "digests", later) as digests:
        first = digests.of(path)
    path.write_bytes(b"54321")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    with Digests(tmp_path / "digests", later) as digests:
        assert digests.of(path) != first


def test_what_changed_just_now_is_not_remembered(tmp_path: Path, files: MakeFiles) -> None:
    path = files({"a": b"12345"})[0].path
    with Digests(tmp_path / "digests", lambda: path.stat().st_mtime_ns + 1) as digests:
        digests.of(path)
    read = []
    with pytest.MonkeyPatch.context() as patch, Digests(tmp_path / "digests") as digests:
        patch.setattr(digests_module, "file_digest", lambda path, _check: read.append(path))
        digests.of(path)
    assert read == [path]


def test_a_damaged_memory_is_no_error(tmp_path: Path, files: MakeFiles) -> None:
    path = files({"a": b"12345"})[0].path
    (tmp_path / "digests").write_bytes(b"this is no database" * 100)
    with Digests(tmp_path / "digests", later) as digests:
        assert digests.of(path).size == 5


@pytest.mark.parametrize(
    ("name", "problem"), [("x" * 1025, "1025 bytes"), ("ä" * 513, "1026 bytes"), ("a\nb", "line break")]
)
def test_names_that_no_object_can_have(name: str, problem: str) -> None:
    with pytest.raises(StorageError, match=problem):
        compare([File(name, Path("none"), 0, 0)], GsUri("bucket"), {})


def test_a_file_that_cannot_be_read(store: Store, destination: GsUri, files: MakeFiles) -> None:
    (file,) = files({"a": b"1"})
    made = plan(store, [file], destination)
    file.path.unlink()
    with pytest.raises(StorageError, match="cannot be read") as caught:
        upload(store, made)
    assert caught.value.where == str(file.path)


def test_an_unchanged_upload_is_light(endpoint: str, destination: GsUri, store: Store, files: MakeFiles) -> None:
    """It neither imports Google's client, which takes half a second, nor requests."""
    (file,) = files({"model.bin": b"x" * 100})
    upload(store, plan(store, [file], destination))
    script = f"""
import sys
from pathlib import Path
from aip_magics.artifacts import look
from aip_magics.storage import GsUri, Store, bearer, plan, upload
store = Store({endpoint!r}, bearer("t"))
made = plan(store, look(Path({str(file.path.parent)!r})).files, GsUri.parse({str(destination)!r}))
assert made.unchanged, made
upload(store, made)
print(sorted({{"google.cloud.storage", "google.api_core", "requests", "asyncio"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
