"""Downloads from a real server: whole and checked, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from aip_magics.directory_cache import DirectoryCache
from aip_magics.errors import StorageError
from aip_magics.settings import resolve
from aip_magics.storage import GsUri, cached_directory, cached_file, download_object
from aip_magics.targets import Target, choose

FILES = {"model.pkl": b"model" * 1000, "assets/words.txt": "Wörter\n".encode()}
DIRECTORY = GsUri("there", "dir/")


@pytest.fixture
def target(embedded: Path) -> Target:
    target = choose(resolve(target="local"))
    bucket = target.google_storage_client.create_bucket("there")
    for name, content in FILES.items():
        bucket.blob(f"dir/{name}").upload_from_string(content)
    return target


def blobs(home: Path, content: bytes) -> list[Path]:
    """The files of the server that hold these bytes."""
    return [path for path in (home / "objects").rglob("*") if path.is_file() and path.read_bytes() == content]


def test_cached_download_has_what_was_stored(target: Target, tmp_path: Path, embedded: Path) -> None:
    download_object(target.storage_client, "gs://there/dir/model.pkl", tmp_path / "model.pkl")
    assert (tmp_path / "model.pkl").read_bytes() == FILES["model.pkl"]
    (blob,) = blobs(embedded, FILES["model.pkl"])
    blob.chmod(0o600)
    blob.write_bytes(b"nodel" * 1000)
    (tmp_path / "model.pkl").write_bytes(b"older")
    with pytest.raises(StorageError, match="corrupted"):
        download_object(target.storage_client, "gs://there/dir/model.pkl", tmp_path / "model.pkl")
    assert (tmp_path / "model.pkl").read_bytes() == b"older"
    assert [path.name for path in tmp_path.iterdir()] == ["model.pkl"]


def test_cached_download_of_a_directory_is_made_once(target: Target, tmp_path: Path, embedded: Path) -> None:
    cache = DirectoryCache(tmp_path / "cache")
    found = cached_directory(target.storage_client, DIRECTORY, cache, 10_000)
    assert isinstance(found, Path)
    assert {
        path.relative_to(found).as_posix(): path.read_bytes() for path in found.rglob("*") if path.is_file()
    } == FILES
    for path in blobs(embedded, FILES["model.pkl"]):
        path.unlink()  # it is not asked for again
    assert cached_directory(target.storage_client, DIRECTORY, cache, 10_000) == found
    target.google_storage_client.bucket("there").blob("dir/model.pkl").upload_from_string(b"another")
    other = cached_directory(target.storage_client, DIRECTORY, cache, 10_000)
    assert other != found
    assert isinstance(other, Path)
    assert (other / "model.pkl").read_bytes() == b"another"


def test_cached_download_tells_why_it_is_not_made(target: Target, tmp_path: Path) -> None:
    cache = DirectoryCache(tmp_path / "cache")
    assert "has 0 MB; at most 0 MB" in str(cached_directory(target.storage_client, DIRECTORY, cache, 5000))
    assert "no objects found in" in str(cached_directory(target.storage_client, GsUri("there", "no/"), cache, 10_000))
    assert "no objects found in" in str(cached_directory(target.storage_client, GsUri("nowhere"), cache, 10_000))
    target.google_storage_client.bucket("there").blob("dir/../../evil").upload_from_string(b"x")
    assert "is invalid for a file" in str(cached_directory(target.storage_client, DIRECTORY, cache, 10_000))
    assert not (tmp_path / "cache").exists()


def test_cached_download_of_one_file(target: Target, tmp_path: Path) -> None:
    cache = DirectoryCache(tmp_path / "cache")
    found = cached_file(target.storage_client, "gs://there/dir/model.pkl", cache)
    assert (found.name, found.read_bytes()) == ("model.pkl", FILES["model.pkl"])
    assert cached_file(target.storage_client, "gs://there/dir/model.pkl", cache) == found
    with pytest.raises(StorageError, match="not found"):
        cached_file(target.storage_client, "gs://there/nothing.whl", cache)
