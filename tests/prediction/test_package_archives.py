"""Archives are validated before any of their code runs: each kind of invalid archive is refused with a reason."""

from __future__ import annotations

import gzip
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from archives import link, sdist, tar, wheel

from aip_magics.artifacts.packages import bounds as own
from aip_magics.errors import PredictionError
from aip_magics.prediction.packages.archives import examine

GOOD = {"p-0.1/setup.py": "raise SystemExit('never run')"}


def refused(path: Path) -> PredictionError:
    with pytest.raises(PredictionError) as caught:
        examine(path)
    error = caught.value
    assert error.message.startswith(f"Failed to load model: User-provided package {path.name} failed to install: ")
    assert error.fix
    assert error.where == f"packageUris: {path.name}"
    return error


def test_package_archives_that_are_good(tmp_path: Path) -> None:
    found = examine(sdist(tmp_path, "good", {"good": "X = 1"}))
    assert (found.is_wheel, found.pyproject) == (False, None)
    assert found.members == {"good-0.1/setup.py", "good-0.1/good.py"}
    assert examine(wheel(tmp_path, "good", {"good": "X = 1"})).is_wheel
    inside = {**GOOD, "p-0.1/pyproject.toml": "[build-system]\n", "p-0.1/a/b": link("../setup.py"), "p-0.1/c": "x"}
    assert examine(tar(tmp_path / "links.tgz", inside)).pyproject == b"[build-system]\n"


@pytest.mark.parametrize(
    "name", ["../evil.py", "/evil.py", "p-0.1/../../evil.py", "C:/evil.py", "p-0.1\\..\\evil.py", "p-0.1/e\nvil.py"]
)
def test_package_archives_refuse_names_that_lead_out(name: str, tmp_path: Path) -> None:
    assert "outside the archive" in refused(tar(tmp_path / "x.tar.gz", {**GOOD, name: "x"})).message
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr("setup.py", "")
        file.writestr(name, "x")
    assert "outside the archive" in refused(tmp_path / "x.zip").message


@pytest.mark.parametrize(
    "members",
    [
        {"p-0.1/l": link("/etc/passwd")},
        {"p-0.1/l": link("../../x")},
        {"p-0.1/l": link("a/../../x")},
        {"p-0.1/l": link("../x", tarfile.LNKTYPE)},
        {"p-0.1/l": link("/etc/passwd", tarfile.LNKTYPE)},
        {"p-0.1/l": link("."), "p-0.1/l/m": link("..")},  # each is inside on its own
    ],
    ids=lambda members: ",".join(f"{info.linkname}" for info in members.values()),
)
def test_package_archives_refuse_links_that_lead_out(members: dict[str, tarfile.TarInfo], tmp_path: Path) -> None:
    assert "outside the archive" in refused(tar(tmp_path / "x.tar.gz", {**GOOD, **members})).message


def test_package_archives_refuse_devices_pipes_and_links_in_zips(tmp_path: Path) -> None:
    assert "a pipe" in refused(tar(tmp_path / "x.tar.gz", {**GOOD, "p-0.1/f": link("", tarfile.FIFOTYPE)})).message
    entry = zipfile.ZipInfo("p-0.1/link")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr("p-0.1/setup.py", "")
        file.writestr(entry, "/etc/passwd")
    assert "a link in a zip" in refused(tmp_path / "x.zip").message


def test_package_archives_refuse_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "UNPACKED_BYTES", 1 << 20)
    zeros = tar(tmp_path / "zeros.tar.gz", {**GOOD, "p-0.1/zeros": bytes(2 << 20)})
    assert zeros.stat().st_size < 10_000
    assert "unpacks to more than" in refused(zeros).message
    with zipfile.ZipFile(tmp_path / "zeros.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("p-0.1/setup.py", bytes(2 << 20))
    assert "unpacks to more than" in refused(tmp_path / "zeros.zip").message
    monkeypatch.setattr(own, "MEMBERS", 10)
    many = tar(tmp_path / "many.tar.gz", {**GOOD, **{f"p-0.1/{number}": "" for number in range(20)}})
    assert "more than 10 members" in refused(many).message


def test_package_archives_refuse_a_false_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "lies.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("p-0.1/setup.py", bytes(2 << 20))
    honest = (2 << 20).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(honest, (100).to_bytes(4, "little")))
    assert "corrupted" in refused(path).message


def test_package_archives_refuse_a_huge_header(tmp_path: Path) -> None:
    info = tarfile.TarInfo()
    info.pax_headers = {"comment": "x" * (2 << 20)}
    assert "a header of more than 1 MiB" in refused(tar(tmp_path / "x.tar.gz", {"p-0.1/a": info, **GOOD})).message


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("x.tar.gz", b"", "file is empty"),
        ("x.tar.gz", b"<!DOCTYPE html><html>", "a web page"),
        ("x.tar.gz", b"plain text", "not a gzip-compressed tar archive"),
        ("x.tar.gz", gzip.compress(b"not a tar", mtime=0), "not a gzip-compressed tar archive"),
        ("x.whl", b"plain text", "not a zip archive"),
        ("x.rar", b"Rar!", "expected a .tar.gz, .zip or .whl file"),
    ],
)
def test_package_archives_refuse_what_is_no_archive(name: str, content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert reason in refused(tmp_path / name).message


def test_package_archives_refuse_what_is_no_package(tmp_path: Path) -> None:
    assert "setup.py and pyproject.toml" in refused(tar(tmp_path / "x.tar.gz", {"p-0.1/deep/setup.py": ""})).message
    assert "%aip_package" in refused(tar(tmp_path / "x.tar.gz", {"code.py": ""})).fix
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as file:
        file.writestr("code.py", "")
    assert ".dist-info/METADATA is missing" in refused(tmp_path / "x.whl").message


def test_package_archives_refuse_a_truncated_one(tmp_path: Path) -> None:
    path = tar(tmp_path / "x.tar.gz", {**GOOD, "p-0.1/data": bytes(range(256)) * 4000})
    path.write_bytes(path.read_bytes()[:-2000])
    assert "corrupted" in refused(path).message
