"""Object names as file names: none leaves the directory, and risky ones are reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from aip_magics.directory_cache import DirectoryCache
from aip_magics.errors import StorageError
from aip_magics.storage import GsUri, StorageClient, cached_file, download_directory, is_risky
from aip_magics.storage.download.download_plan import is_invalid_file_name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/../b", "a//b", "/a", "a/", "a\0b", "..\\x", "c:x", "a/./b", "a:b"]
)
def test_download_plan_takes_no_names_that_lead_out(name):
    assert is_invalid_file_name(name, windows=False)
    assert is_invalid_file_name(name, windows=True)


@pytest.mark.parametrize("name", ["con", "NUL.txt", "a/com1", "lpt9.joblib", "a.", "a ", "a?b", "CONIN$", "aux .x"])
def test_download_plan_names_of_windows(name):
    assert is_invalid_file_name(name, windows=True)
    assert not is_invalid_file_name(name, windows=False)


@pytest.mark.parametrize(
    "name",
    [
        ".bashrc", "a/.profile", ".ZSHENV", ".git/hooks/pre-commit", "x/.Git/config", ".envrc", ".ssh/authorized_keys",
        "conftest.py", "tests/sitecustomize.py", "lib/evil.pth", ".vimrc", ".config/autostart/x.desktop",
        "a\x1b[2Jb", "a\nb", "a\u202eb", "\u200bmodel.joblib",
    ],
)  # fmt: skip
def test_download_plan_names_that_something_runs_are_risky(name):
    assert is_risky(name)


@pytest.mark.parametrize(
    "name",
    [
        "model.joblib",
        "assets/vocab.txt",
        "variables/variables.index",
        "trainer/setup.py",
        "붓꽃.csv",
        "a b.txt",
        "git/x",
    ],
)
def test_download_plan_names_of_models_are_not_risky(name):
    assert not is_risky(name)
    assert not is_invalid_file_name(name)


def put(client: StorageClient, destination: GsUri, name: str, data: bytes = b"x") -> None:
    import urllib.parse

    path = f"/upload/storage/v1/b/{destination.bucket}/o?uploadType=media&name="
    client.request("POST", path + urllib.parse.quote(destination.prefix + name, safe=""), where=name, body=data)


@pytest.mark.parametrize("leads", ["sub", "sub/deeper"])
def test_download_writes_nothing_through_a_link(client, destination, tmp_path, leads):
    put(client, destination, "sub/deeper/model.txt")
    put(client, destination, "beside.txt")
    (outside := tmp_path / "outside").mkdir()
    target = tmp_path / "target"
    (target / leads).parent.mkdir(parents=True)
    (target / leads).symlink_to(outside)
    with pytest.raises(StorageError, match="through a symlink to a directory") as caught:
        download_directory(client, destination, target)
    assert caught.value.where == str(target / leads)
    assert list(outside.iterdir()) == []
    assert not (target / "beside.txt").exists()
    (target / leads).unlink()  # as the fix says
    assert len(download_directory(client, destination, target)) == 2
    assert (target / "sub/deeper/model.txt").read_bytes() == b"x"


def test_download_replaces_a_link_in_the_place_of_a_file(client, destination, tmp_path):
    put(client, destination, "model.txt", b"new")
    (outside := tmp_path / "outside.txt").write_bytes(b"old")
    (target := tmp_path / "target").mkdir()
    (target / "model.txt").symlink_to(outside)
    download_directory(client, destination, target)
    assert outside.read_bytes() == b"old"
    assert not (target / "model.txt").is_symlink()


def test_cached_download_refuses_a_package_whose_last_name_leads_up(client, destination, tmp_path):
    put(client, destination, "dir/..")
    with pytest.raises(StorageError, match="is invalid for a file"):
        cached_file(client, f"{destination}dir/..", DirectoryCache(tmp_path / "cache"))


def test_cached_download_refuses_a_directory_with_such_a_name(client, destination, tmp_path):
    put(client, destination, "a/../../evil.txt")
    with pytest.raises(StorageError, match="is invalid for a file"):
        download_directory(client, destination, Path(tmp_path / "target"))
