"""A big file that is read while the listing is awaited: its strong hash goes along with the upload's beginning."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from store_fixtures import MakeFiles, Orphans

from aip_magics.artifacts import File
from aip_magics.errors import Interrupted, StorageError
from aip_magics.storage import Digests, GsUri, Standing, Store, plan, upload
from aip_magics.storage.checksums import Digest, file_digest

MI = 1 << 20
BIG = random.Random(5).randbytes(70 * MI)


def remembering() -> Digests:
    """What was read is remembered, however new the file is."""
    return Digests(now=lambda: time.time_ns() + 60 * 10**9)


@pytest.fixture
def big(files: MakeFiles) -> File:
    return files({"big": BIG})[0]


@pytest.fixture
def described(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The objects that were given their strong hash afterwards."""
    parts = sys.modules["aip_magics.storage.parts"]
    describe, calls = parts.describe, []  # type: ignore[attr-defined]

    def seen(*args: Any) -> None:
        calls.append(args)
        describe(*args)

    monkeypatch.setattr(parts, "describe", seen)
    return calls


def strong_there(store: Store, destination: GsUri) -> str:
    return plan(store, [], destination).remote["big"].strong


def test_while_the_listing_is_awaited(
    store: Store, destination: GsUri, big: File, described: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = remembering()

    def slow(*_args: object) -> dict[str, Any]:
        deadline = time.monotonic() + 30
        while digests.known(big.path) is None and time.monotonic() < deadline:
            time.sleep(0.01)
        return {}

    with monkeypatch.context() as patched:
        patched.setattr(sys.modules["aip_magics.storage.plan"], "listing", slow)
        made = plan(store, [big], destination, digests=digests)
    assert digests.known(big.path) == file_digest(big.path)
    upload(store, made, digests=digests)
    assert strong_there(store, destination) == file_digest(big.path).strong
    assert described == []


def test_a_file_that_is_not_known_is_described_afterwards(
    store: Store, destination: GsUri, big: File, described: list[Any]
) -> None:
    upload(store, plan(store, [big], destination))
    assert strong_there(store, destination) == file_digest(big.path).strong
    assert len(described) == 1


def test_nothing_fails_by_a_file_that_is_gone(store: Store, destination: GsUri, big: File, tmp_path: Path) -> None:
    big.path.unlink()
    assert plan(store, [big], destination).send == (big,)


def test_what_was_remembered_and_is_wrong(store: Store, destination: GsUri, big: File, orphans: Orphans) -> None:
    digests = remembering()
    digests.put(big.path, big.path.stat(), Digest("AAAAAA==", "00", big.size), time.time_ns() + 60 * 10**9)
    made = plan(store, [big], destination, digests=digests)
    with pytest.raises(StorageError, match="changed"):
        upload(store, made, digests=digests)
    assert orphans("big") == []
    assert plan(store, [], destination).remote == {}
    upload(store, made, digests=digests)  # once is enough
    assert strong_there(store, destination) == file_digest(big.path).strong


@pytest.mark.parametrize("known_again", [True, False])
def test_a_stop_in_between(
    store: Store, destination: GsUri, big: File, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known_again: bool
) -> None:
    digests = remembering()
    digests.read(big.path)
    made = plan(store, [big], destination, digests=digests)
    monkeypatch.setattr(sys.modules["aip_magics.storage.upload"]._Run, "clean_up", lambda run: run.journal.keep())

    def stop(now: Standing) -> None:
        if now.done > 20 * MI:
            raise Interrupted("enough")

    with pytest.raises(Interrupted):
        upload(store, made, digests=digests, journal=tmp_path / "journal", progress=stop)
    upload(store, made, digests=digests if known_again else Digests(), journal=tmp_path / "journal")
    assert strong_there(store, destination) == file_digest(big.path).strong
    assert plan(store, [big], destination).unchanged
