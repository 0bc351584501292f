import os
import pickle
import re
import shutil

import joblib
import pytest
import sklearn
import xgboost

from aip_magics.artifacts import inspect_model_dir, listing
from aip_magics.errors import ModelDirError


@pytest.fixture
def export(tmp_path, classifier):
    """A model directory with one real model."""
    folder = tmp_path / "export"
    folder.mkdir()
    joblib.dump(classifier, folder / "model.joblib")
    return folder


def test_model_dir_is_inspected(export):
    (export / "vocabulary").mkdir()
    (export / "vocabulary" / "단어.txt").write_text("a")
    found = inspect_model_dir(export)
    assert [file.name for file in found.files] == ["model.joblib", "vocabulary/단어.txt"]
    model = found.files[0]
    status = (export / "model.joblib").stat()
    assert (model.path, model.size, model.mtime_ns) == (export / "model.joblib", status.st_size, status.st_mtime_ns)
    assert found.model_file == model
    assert found.total_size == status.st_size + 1
    assert found.framework == "SCIKIT_LEARN"
    assert found.libraries == {"scikit-learn": sklearn.__version__}
    assert (found.left_out, found.near_misses, found.given_file, found.newest_export) == ((), (), None, None)


def test_model_dir_framework_follows_the_name_or_the_object(tmp_path, classifier, booster, wrapper):
    cases = [
        ("model.bst", bytes(booster.save_raw("ubj")), "XGBOOST"),
        ("model.pkl", pickle.dumps(classifier), "SCIKIT_LEARN"),
        ("model.pkl", pickle.dumps(booster), "XGBOOST"),
        ("model.pkl", pickle.dumps(wrapper), "SCIKIT_LEARN"),  # its module is xgboost.sklearn
        ("model.joblib", bytes(booster.save_raw("ubj")), "XGBOOST"),
        ("model.pkl", pickle.dumps({"model": classifier}), None),
        ("saved_model.pb", b"\x08\x01", "TENSORFLOW"),
        ("saved_model.pbtxt", b"", "TENSORFLOW"),
    ]
    for number, (name, data, framework) in enumerate(cases):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / name).write_bytes(data)
        assert inspect_model_dir(folder).framework == framework, name
    assert inspect_model_dir(tmp_path / "0").libraries == {"xgboost": xgboost.__version__}


def test_model_dir_with_several_model_files_decides_nothing(export, classifier):
    (export / "model.pkl").write_bytes(pickle.dumps(classifier))
    found = inspect_model_dir(export)
    assert (found.model_file, found.framework, found.contents) == (None, None, None)
    assert [file.name for file in found.model_files] == ["model.joblib", "model.pkl"]


def test_model_dir_of_a_file_is_its_directory(export):
    found = inspect_model_dir(export / "model.joblib")
    assert found.path == export
    assert found.given_file == "model.joblib"


def test_model_dir_tells_which_files_are_left_out_and_why(export, tmp_path):
    for hidden in (".git", ".ipynb_checkpoints", "__pycache__"):
        (export / hidden).mkdir()
        (export / hidden / "x").write_text("x")
    (export / ".DS_Store").write_text("x")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "data.txt").write_text("data")
    (export / "to_folder").symlink_to(tmp_path / "elsewhere")
    (export / "to_itself").symlink_to(export)
    (export / "to_file.txt").symlink_to(tmp_path / "elsewhere" / "data.txt")
    (export / "to_nothing").symlink_to(tmp_path / "gone")
    os.mkfifo(export / "pipe")
    (export / "line\nbreak").write_text("x")
    found = inspect_model_dir(export)
    assert [file.name for file in found.files] == ["model.joblib", "to_file.txt"]
    assert found.files[1].size == 4
    reasons = {entry.name: entry.reason for entry in found.left_out}
    assert set(reasons) == {
        ".git", ".ipynb_checkpoints", "__pycache__", ".DS_Store",
        "to_folder", "to_itself", "to_nothing", "pipe", "line\nbreak",
    }  # fmt: skip
    assert reasons["to_folder"].startswith("link to a directory")
    assert reasons["to_nothing"] == "broken link"
    kinds = {entry.name: entry.kind for entry in found.left_out}
    assert (kinds[".git"], kinds["__pycache__"], kinds["to_folder"]) == ("hidden", "compiled", "link")
    assert (kinds["pipe"], kinds["line\nbreak"]) == ("special", "name")
    assert str(found.left_out[0]) == ".DS_Store (hidden)"


def test_model_dir_of_an_export_base_names_the_newest(tmp_path):
    for name in ("1487877383942", "1587877383942", "999", "not_a_time"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").write_bytes(b"\x08\x01")
    (tmp_path / "1687877383942").mkdir()
    (tmp_path / "1687877383942" / "half_written").write_bytes(b"")
    assert inspect_model_dir(tmp_path).newest_export == "1587877383942"
    (tmp_path / "saved_model.pb").write_bytes(b"\x08\x01")
    assert inspect_model_dir(tmp_path).newest_export is None


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("iris.joblib", "model.joblib"),
        ("model.pickle", "model.pkl"),
        ("Model.pkl", "model.pkl"),
        ("classifier.bst", "model.bst"),
        ("export/model.joblib", "model.joblib"),
        ("weights.h5", None),
        ("net.keras", None),
    ],
)
def test_model_dir_names_near_misses(tmp_path, name, wanted):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"x")
    (near,) = inspect_model_dir(tmp_path).near_misses
    assert (near.name, near.wanted) == (name, wanted)
    assert near.why


@pytest.mark.parametrize("name", ["notes.txt", "data.csv", "config.json", "a/b/model.joblib", "a/iris.joblib"])
def test_model_dir_does_not_take_other_files_for_near_misses(tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_bytes(b'{"a": 1}')
    assert inspect_model_dir(tmp_path).near_misses == ()


def test_model_dir_recognises_a_booster_by_its_bytes_under_any_name(tmp_path, booster):
    (tmp_path / "xgb.model").write_bytes(bytes(booster.save_raw("ubj")))
    (near,) = inspect_model_dir(tmp_path).near_misses
    assert near.wanted == "model.bst"


def test_placeholder_files_of_any_kind_are_found(export):
    (export / "vocabulary.txt").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n")
    (export / "weights.bin").write_text("<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>")
    (export / "help.html").write_text("<!DOCTYPE html><html></html>")
    (export / "notes.txt").write_text("see <html> and https://git-lfs.github.com/spec/v1")
    found = inspect_model_dir(export)
    assert {one.name: one.kind for one in found.stand_ins} == {
        "vocabulary.txt": "git-lfs-pointer",
        "weights.bin": "html",
    }


def test_model_dir_reads_keras_files_and_links(export, tmp_path):
    (export / "assets").mkdir()
    (export / "assets" / "net.H5").write_bytes(b"\x89HDF")
    (tmp_path / "data.txt").write_text("data")
    (export / "data.txt").symlink_to(tmp_path / "data.txt")
    found = inspect_model_dir(export)
    assert found.keras_files == ("assets/net.H5",)
    assert [file.name for file in found.files if file.link] == ["data.txt"]


def test_model_dir_stops_in_endless_folders(export):
    deepest = export
    for _ in range(listing._MAX_DEPTH + 5):
        deepest = deepest / "d"
        deepest.mkdir()
    (deepest / "x").write_text("x")
    with pytest.raises(ModelDirError, match="more than 100 levels deep"):
        inspect_model_dir(export)


def test_model_dir_looks_for_no_near_misses_beside_a_model(export):
    shutil.copy(export / "model.joblib", export / "scaler.joblib")
    assert inspect_model_dir(export).near_misses == ()


def test_model_dir_that_is_missing_names_the_nearest(export):
    with pytest.raises(ModelDirError, match="no such file or directory") as caught:
        inspect_model_dir(export.parent / "exprot")
    assert caught.value.fix == f"did you mean {export}?"
    with pytest.raises(ModelDirError) as caught:
        inspect_model_dir(export.parent / "quite" / "different")
    assert "export" in caught.value.fix


def test_model_dir_that_is_no_directory_or_empty(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ModelDirError, match="neither a directory nor a file"):
        inspect_model_dir(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(ModelDirError, match="broken link"):
        inspect_model_dir(tmp_path / "link")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelDirError, match="is empty"):
        inspect_model_dir(tmp_path / "empty")
    (tmp_path / "empty" / ".hidden").write_text("x")
    with pytest.raises(ModelDirError, match=re.escape("skipped: .hidden (hidden)")):
        inspect_model_dir(tmp_path / "empty")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_model_dir_that_cannot_be_read(export):
    (export / "locked").mkdir(mode=0o000)
    with pytest.raises(ModelDirError, match="could not read"):
        inspect_model_dir(export)


def test_model_dir_walk_stops_at_its_limit(export, monkeypatch):
    monkeypatch.setattr(listing, "MAX_FILES", 5)
    for number in range(4):
        (export / f"part{number}").write_text("x")
    assert not inspect_model_dir(export).truncated
    (export / "part4").write_text("x")
    found = inspect_model_dir(export)
    assert found.truncated
    assert len(found.files) == 5
