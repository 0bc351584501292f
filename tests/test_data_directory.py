"""Errors of the file system that no other place explains: the path, the reason, a remedy."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from aip_magics import data_directory
from aip_magics.data_directory import (
    check_free_space,
    create_data_dir,
    data_dir_error,
    disk_full_error,
    file_error,
    is_disk_full,
)
from aip_magics.errors import LocalFileError, SettingsError
from aip_magics.settings import NO_HOME

SET_HOME = "set AIP_MAGICS_HOME to a directory that you can write to"


def os_error(number: int, path: object = None) -> OSError:
    return OSError(number, os.strerror(number), path)


def test_data_directory_is_created_and_kept(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "b"
    assert create_data_dir(directory) == directory
    check_free_space(directory)
    (directory / "file").touch()
    create_data_dir(directory)
    assert [path.name for path in directory.iterdir()] == ["file"]


def test_data_directory_in_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="could not create the data directory: Not a directory") as caught:
        create_data_dir(tmp_path / "file")
    assert caught.value.fix == SET_HOME
    with pytest.raises(SettingsError) as caught:
        create_data_dir(tmp_path / "file" / "below", "use another --data-dir")
    assert caught.value.fix == "use another --data-dir"


def test_data_directory_of_nobody_cannot_be_created() -> None:
    assert not NO_HOME.exists()
    with pytest.raises(SettingsError, match="this user has no home directory") as caught:
        create_data_dir(NO_HOME)
    assert caught.value.fix == SET_HOME


def test_data_directory_on_a_full_disk(tmp_path: Path) -> None:
    error = data_dir_error(tmp_path, os_error(errno.ENOSPC))
    assert (error.message, error.where) == ("the disk of the data directory is full", str(tmp_path))


def test_file_error_names_path_and_reason(tmp_path: Path) -> None:
    error = file_error(os_error(errno.EACCES, str(tmp_path / "model.joblib")), tmp_path / "home")
    assert type(error) is LocalFileError
    assert error.format_lines() == [
        "LocalFileError: could not use the file or directory: Permission denied",
        f"  where: {tmp_path}/model.joblib",
        "  fix:   check the path and its permissions",
    ]
    assert file_error(os_error(errno.EACCES, b"/x"), tmp_path).where == "/x"


@pytest.mark.parametrize("name", ["home", "home/uploads/x", ""])
def test_file_error_about_the_data_directory_names_the_data_directory(tmp_path: Path, name: str) -> None:
    error = file_error(os_error(errno.EACCES, str(tmp_path / name)), tmp_path / "home")
    assert (type(error), error.where, error.fix) == (SettingsError, str(tmp_path / "home"), SET_HOME)


def test_file_error_above_an_existing_data_directory_is_not_about_it(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    assert type(file_error(os_error(errno.EACCES, str(tmp_path)), tmp_path / "home")) is LocalFileError


def test_file_error_without_a_path(tmp_path: Path) -> None:
    error = file_error(os_error(errno.EMFILE), tmp_path)
    assert error.message == "the operating system reported an error: Too many open files"
    assert "--debug" in error.fix
    assert "ConnectionResetError" in file_error(ConnectionResetError(), tmp_path).message


def test_file_error_of_a_write_finds_the_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = {tmp_path: 0}
    usage = data_directory.shutil.disk_usage

    def disk_usage(path: Path) -> object:
        found = usage(path)
        return type(found)(found.total, found.used, full.get(Path(path).absolute(), 1 << 40))

    monkeypatch.setattr(data_directory.shutil, "disk_usage", disk_usage)
    (work := tmp_path / "work").mkdir()
    monkeypatch.chdir(work)
    assert file_error(os_error(errno.ENOSPC), tmp_path).message == "the disk of the data directory is full"
    full.update({work: 100, tmp_path: 1 << 40})
    error = file_error(os_error(errno.ENOSPC), tmp_path)
    assert (error.message, error.where) == ("the disk is full", str(work))
    full.clear()
    error = file_error(os_error(errno.ENOSPC), tmp_path)
    assert (error.message, error.where) == ("the disk is full", "")
    error = file_error(os_error(errno.ENOSPC, "/elsewhere/file"), tmp_path)
    assert (error.message, error.where) == ("the disk is full", "/elsewhere/file")


def test_is_disk_full_knows_the_system_and_sqlite(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "db")
    database.execute("PRAGMA page_size = 512")
    database.execute("CREATE TABLE t (x)")
    database.execute("PRAGMA max_page_count = 3")
    with pytest.raises(sqlite3.OperationalError) as caught:
        database.execute("INSERT INTO t VALUES (zeroblob(10000))")
    database.close()
    assert is_disk_full(caught.value)
    assert is_disk_full(os_error(errno.ENOSPC))
    assert not is_disk_full(os_error(errno.EACCES))
    assert is_disk_full(disk_full_error("/somewhere"))
    assert not is_disk_full(LocalFileError("the disk is full"))
    assert not is_disk_full(sqlite3.OperationalError("disk I/O error"))
