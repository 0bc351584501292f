"""Copies of model directories, from a real object store."""

import os
import shutil
from datetime import datetime, timezone

import pytest

from aip_magics.errors import FailedPrecondition
from aip_magics.server.gcs import ObjectStore
from aip_magics.server.state.model_snapshots import ModelSnapshots, digest, list_model_files

CONTENT = {"model.joblib": b"model", "assets/words.txt": "Wörter\n".encode(), "empty": b""}


@pytest.fixture
def objects(tmp_path):
    store = ObjectStore(tmp_path, lambda: datetime.now(timezone.utc))
    store.buckets.create("p", {"name": "bucket"})
    for name, content in CONTENT.items():
        put(store, f"dir/{name}", content)
    yield store
    store.close()


@pytest.fixture
def copies(tmp_path):
    return ModelSnapshots(tmp_path / "artifacts")


def put(objects, name, content):
    objects.commit("bucket", name, objects.writer(), [content])


def content_of(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_model_snapshots_outlive_their_source(objects, copies):
    put(objects, "dir/", b"")  # a marker that some tools leave is no file
    name = copies.create(objects, list_model_files(objects, "gs://bucket/dir/"))
    for stored in objects.list("bucket", ""):
        objects.delete("bucket", stored.name)
    assert content_of(copies.path(name)) == CONTENT


def test_model_snapshots_store_the_same_files_once(objects, copies):
    for name, content in CONTENT.items():
        put(objects, f"again/{name}", content)
    first = copies.create(objects, list_model_files(objects, "gs://bucket/dir"))
    assert copies.create(objects, list_model_files(objects, "gs://bucket/again")) == first
    put(objects, "again/empty", b"no more")
    assert digest(list_model_files(objects, "gs://bucket/again")) != first


def test_model_snapshots_are_real_copies_where_links_are_impossible(objects, copies, monkeypatch):
    def refuse(*arguments):
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    name = copies.create(objects, list_model_files(objects, "gs://bucket/dir"))
    assert content_of(copies.path(name)) == CONTENT
    assert all(path.stat().st_nlink == 1 for path in copies.path(name).rglob("*") if path.is_file())


def test_model_snapshots_leave_no_half_copy_of_a_vanished_object(objects, copies):
    files = list_model_files(objects, "gs://bucket/dir")
    objects.delete("bucket", "dir/model.joblib")
    with pytest.raises(FileNotFoundError):
        copies.create(objects, files)
    assert list(copies.path("").iterdir()) == []


def test_model_snapshots_keep_only_what_is_needed_at_start(objects, copies, tmp_path):
    name = copies.create(objects, list_model_files(objects, "gs://bucket/dir"))
    shutil.copytree(copies.path(name), copies.path("forgotten"))
    copies.path("building-x").mkdir()
    copies.keep_only({name, "elsewhere"})
    assert [path.name for path in (tmp_path / "artifacts").iterdir()] == [name]


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/x", "a//x", "./x", "x/.", "a\0b", "n" * 256, "empty/x"])
def test_model_snapshots_refuse_names_that_lead_out(objects, name):
    put(objects, f"dir/{name}", b"x")
    with pytest.raises(FailedPrecondition, match="cannot become a file of the model directory"):
        list_model_files(objects, "gs://bucket/dir")


@pytest.mark.parametrize("uri", ["gs://bucket/nothing", "gs://bucket/dir/model.joblib", "gs://bucket/di"])
def test_model_snapshots_of_missing_directories(objects, uri):
    with pytest.raises(FailedPrecondition, match="was not found or holds no files"):
        list_model_files(objects, uri)
