"""Local paths as they are typed, and URLs in their place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aip_magics.errors import ModelDirError, OptionError
from aip_magics.local_path import local_path

DOWNLOAD = "download the files and use the local path"


@pytest.mark.parametrize("text", ["export", "./a:b", "/x/y", "C:/model", "C:\\model", "a b", "a:/b"])
def test_local_path_takes_paths(text: str) -> None:
    assert local_path(text) == Path(text)


def test_local_path_expands_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert local_path("~/export") == Path("/home/me/export")
    assert local_path("~no-such-user/export") == Path("~no-such-user/export")  # not found later, instead of a crash


@pytest.mark.parametrize(
    ("text", "where", "fix"),
    [
        ("https://me:secret@example.com/m.joblib?sig=s", "https://example.com/m.joblib", DOWNLOAD),
        ("s3://bucket/model", "s3://bucket/model", DOWNLOAD),
        ("hdfs:///user/model", "hdfs:///user/model", DOWNLOAD),
        ("file:///tmp/my%20model", "file:///tmp/my%20model", "use the path /tmp/my model"),
        ("file://localhost/tmp/m", "file://localhost/tmp/m", "use the path /tmp/m"),
        ("file:/tmp/m", "file:/tmp/m", "use the path /tmp/m"),
        ("gs:/bucket/m", "gs:/bucket/m", "use gs://bucket/m"),
        ("GS://bucket/m", "GS://bucket/m", "use gs://bucket/m"),
        (
            "https://storage.googleapis.com/bucket/a%20b/model.joblib?x=1",
            "https://storage.googleapis.com/bucket/a%20b/model.joblib",
            "use gs://bucket/a b",
        ),
        (
            "https://console.cloud.google.com/storage/browser/bucket/v1.0;tab=objects",
            "https://console.cloud.google.com/storage/browser/bucket/v1.0;tab=objects",
            "use gs://bucket/v1.0",
        ),
    ],
)
def test_local_path_refuses_a_url_with_a_fix(text: str, where: str, fix: str) -> None:
    with pytest.raises(ModelDirError) as caught:
        local_path(text)
    assert (caught.value.where, caught.value.fix) == (where, fix)


def test_local_path_raises_the_class_of_its_caller() -> None:
    with pytest.raises(OptionError, match="expected a local path or a gs:// URI, got https://…"):
        local_path("https://example.com/my-1.0.tar.gz", OptionError)


@pytest.mark.skipif(os.name == "nt", reason="no such file names")
def test_local_path_takes_a_file_that_looks_like_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data:").mkdir()
    Path("data:/model").mkdir()
    assert local_path("data://model").is_dir()
