"""A large file is hashed while the listing is fetched: its content hash is sent with the start of its upload."""

from __future__ import annotations

import functools
import random
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from storage_fixtures import MakeFiles, Orphans

from aip_magics.artifacts import File
from aip_magics.errors import Interrupted, StorageError
from aip_magics.storage import DigestCache, GsUri, ProgressSnapshot, StorageClient, plan_upload, upload
from aip_magics.storage.checksums import Digest, file_digest

MI = 1 << 20


@functools.cache
def big_bytes() -> bytes:
    """More than one request takes. Created when the first test needs them."""
    return random.Random(5).randbytes(70 * MI)


def remembering() -> DigestCache:
    """A cache that takes a file however recently it changed."""
    return DigestCache(now=lambda: time.time_ns() + 60 * 10**9)


@pytest.fixture
def big(files: MakeFiles) -> File:
    return files({"big": big_bytes()})[0]


@pytest.fixture
def hash_updates(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The calls that set a content hash after an upload."""
    module = sys.modules["aip_magics.storage.upload.multipart_upload"]
    set_content_hash, calls = module.set_content_hash, []  # type: ignore[attr-defined]

    def seen(*args: Any) -> None:
        calls.append(args)
        set_content_hash(*args)

    monkeypatch.setattr(module, "set_content_hash", seen)
    return calls


def remote_content_hash(client: StorageClient, destination: GsUri) -> str:
    return plan_upload(client, [], destination).remote["big"].content_hash


def test_prefetch_digests_while_the_listing_is_awaited(
    client: StorageClient, destination: GsUri, big: File, hash_updates: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = remembering()

    def slow(*_args: object) -> dict[str, Any]:
        deadline = time.monotonic() + 30
        while digests.get_cached(big.path) is None and time.monotonic() < deadline:
            time.sleep(0.01)
        return {}

    with monkeypatch.context() as patched:
        patched.setattr(sys.modules["aip_magics.storage.upload.upload_plan"], "list_objects", slow)
        made = plan_upload(client, [big], destination, digests=digests)
    assert digests.get_cached(big.path) == file_digest(big.path)
    upload(client, made, digests=digests)
    assert remote_content_hash(client, destination) == file_digest(big.path).content_hash
    assert hash_updates == []


def test_prefetch_describes_an_unknown_file_afterwards(
    client: StorageClient, destination: GsUri, big: File, hash_updates: list[Any]
) -> None:
    upload(client, plan_upload(client, [big], destination))
    assert remote_content_hash(client, destination) == file_digest(big.path).content_hash
    assert len(hash_updates) == 1


def test_prefetch_does_not_fail_by_a_file_that_is_gone(
    client: StorageClient, destination: GsUri, big: File, tmp_path: Path
) -> None:
    big.path.unlink()
    assert plan_upload(client, [big], destination).send == (big,)


def test_prefetch_of_a_digest_that_was_remembered_and_is_wrong(
    client: StorageClient, destination: GsUri, big: File, orphans: Orphans
) -> None:
    digests = remembering()
    digests.store(big.path, big.path.stat(), Digest("AAAAAA==", "00", big.size), time.time_ns() + 60 * 10**9)
    made = plan_upload(client, [big], destination, digests=digests)
    with pytest.raises(StorageError, match="changed"):
        upload(client, made, digests=digests)
    assert orphans("big") == []
    assert plan_upload(client, [], destination).remote == {}
    upload(client, made, digests=digests)  # once is enough
    assert remote_content_hash(client, destination) == file_digest(big.path).content_hash


@pytest.mark.parametrize("known_again", [True, False])
def test_prefetch_stops_in_between(
    client: StorageClient,
    destination: GsUri,
    big: File,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    known_again: bool,
) -> None:
    digests = remembering()
    digests.compute(big.path)
    made = plan_upload(client, [big], destination, digests=digests)
    monkeypatch.setattr(
        sys.modules["aip_magics.storage.upload.upload_run"]._UploadRun,
        "clean_up",
        lambda run: run.checkpoint.preserve(),
    )

    def stop(now: ProgressSnapshot) -> None:
        if now.done > 20 * MI:
            raise Interrupted("enough")

    with pytest.raises(Interrupted):
        upload(client, made, digests=digests, checkpoints=tmp_path / "checkpoints", progress=stop)
    upload(client, made, digests=digests if known_again else DigestCache(), checkpoints=tmp_path / "checkpoints")
    assert remote_content_hash(client, destination) == file_digest(big.path).content_hash
    assert plan_upload(client, [big], destination).unchanged
