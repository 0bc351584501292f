"""Names of objects as files: none leads out, and those that something runs are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from aip_magics.errors import StorageError
from aip_magics.storage import Cache, GsUri, Store, fetch_file, is_risky, pull
from aip_magics.storage.pull_plan import bad_name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/../b", "a//b", "/a", "a/", "a\0b", "..\\x", "c:x", "a/./b", "a:b"]
)
def test_names_that_lead_out_are_no_files(name):
    assert bad_name(name, windows=False)
    assert bad_name(name, windows=True)


@pytest.mark.parametrize("name", ["con", "NUL.txt", "a/com1", "lpt9.joblib", "a.", "a ", "a?b", "CONIN$", "aux .x"])
def test_names_of_windows(name):
    assert bad_name(name, windows=True)
    assert not bad_name(name, windows=False)


@pytest.mark.parametrize(
    "name",
    [
        ".bashrc", "a/.profile", ".ZSHENV", ".git/hooks/pre-commit", "x/.Git/config", ".envrc", ".ssh/authorized_keys",
        "conftest.py", "tests/sitecustomize.py", "lib/evil.pth", ".vimrc", ".config/autostart/x.desktop",
        "a\x1b[2Jb", "a\nb", "a\u202eb", "\u200bmodel.joblib",
    ],
)  # fmt: skip
def test_names_that_something_runs_are_risky(name):
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
def test_names_of_models_are_not(name):
    assert not is_risky(name)
    assert not bad_name(name)


def put(store: Store, destination: GsUri, name: str, data: bytes = b"x") -> None:
    import urllib.parse

    path = f"/upload/storage/v1/b/{destination.bucket}/o?uploadType=media&name="
    store.call("POST", path + urllib.parse.quote(destination.prefix + name, safe=""), where=name, body=data)


@pytest.mark.parametrize("leads", ["sub", "sub/deeper"])
def test_nothing_is_written_through_a_link(store, destination, tmp_path, leads):
    put(store, destination, "sub/deeper/model.txt")
    put(store, destination, "beside.txt")
    (outside := tmp_path / "outside").mkdir()
    target = tmp_path / "target"
    (target / leads).parent.mkdir(parents=True)
    (target / leads).symlink_to(outside)
    with pytest.raises(StorageError, match="through a link to a folder") as caught:
        pull(store, destination, target)
    assert caught.value.where == str(target / leads)
    assert list(outside.iterdir()) == []
    assert not (target / "beside.txt").exists()
    (target / leads).unlink()  # as the fix says
    assert len(pull(store, destination, target)) == 2
    assert (target / "sub/deeper/model.txt").read_bytes() == b"x"


def test_a_link_in_the_place_of_a_file_is_replaced_not_followed(store, destination, tmp_path):
    put(store, destination, "model.txt", b"new")
    (outside := tmp_path / "outside.txt").write_bytes(b"old")
    (target := tmp_path / "target").mkdir()
    (target / "model.txt").symlink_to(outside)
    pull(store, destination, target)
    assert outside.read_bytes() == b"old"
    assert not (target / "model.txt").is_symlink()


def test_an_object_whose_last_name_leads_up_is_no_package(store, destination, tmp_path):
    put(store, destination, "dir/..")
    with pytest.raises(StorageError, match="cannot become a file"):
        fetch_file(store, f"{destination}dir/..", Cache(tmp_path / "cache"))


def test_a_directory_with_such_a_name_is_not_pulled(store, destination, tmp_path):
    put(store, destination, "a/../../evil.txt")
    with pytest.raises(StorageError, match="cannot become a file"):
        pull(store, destination, Path(tmp_path / "target"))
