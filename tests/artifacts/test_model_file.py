import functools
import pickle

import joblib
import numpy as np
import pytest
import sklearn
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from aip_magics.artifacts import Global, decompression, model_file, pickles


@pytest.fixture
def written(tmp_path):
    """A function that writes bytes to a file and looks into it."""

    def write(data):
        path = tmp_path / "file"
        path.write_bytes(data)
        return model_file.read(path)

    return write


@pytest.mark.parametrize("protocol", range(6))
def test_model_file_reads_pickles_of_every_protocol(written, classifier, protocol):
    found = written(pickle.dumps(classifier, protocol=protocol))
    assert found.format == "pickle"
    assert found.libraries == {"scikit-learn": sklearn.__version__}
    assert found.protocol == (protocol if protocol > 1 else 0)
    assert found.top == "sklearn.linear_model._logistic.LogisticRegression"
    assert found.complete


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)])
def test_model_file_reads_joblib_with_every_compression(tmp_path, forest, compress):
    path = tmp_path / "model.joblib"
    joblib.dump(forest, path, compress=compress)
    found = model_file.read(path)
    expected = {0: None, 3: "zlib"}.get(compress) if isinstance(compress, int) else compress[0]
    assert found.compression == expected
    assert found.libraries == {"scikit-learn": sklearn.__version__}
    assert found.top == "sklearn.ensemble._forest.RandomForestClassifier"
    assert found.complete


def test_model_file_decompresses_lz4(tmp_path, forest):
    path = tmp_path / "model.joblib"
    joblib.dump(forest, path, compress=("lz4", 3))
    found = model_file.read(path)
    assert (found.compression, found.complete) == ("lz4", True)
    assert found.top == "sklearn.ensemble._forest.RandomForestClassifier"
    path.write_bytes(path.read_bytes()[:-300])
    assert not model_file.read(path).complete


@pytest.mark.slow
def test_model_file_reads_large_pickles_to_the_end(written):
    """Strings of bytes are passed over; of a pickle that is cut off in one, the end is missed."""
    rows = np.zeros((300, 4000))
    for protocol in (2, 3, 4, 5):
        data = pickle.dumps({"rows": rows, "after": KNeighborsClassifier()}, protocol=protocol)
        assert len(data) > 8 * 1024 * 1024
        found = written(data)
        assert found.complete, protocol
        assert found.libraries == {"scikit-learn": sklearn.__version__}
        assert not written(data[: len(data) // 2]).complete


@pytest.mark.parametrize("protocol", range(6))
def test_model_file_names_the_pickled_class(written, classifier, protocol):
    cases = {
        "builtins.type": LogisticRegression,
        "builtins.function": sklearn.clone,
        "numpy.ndarray": np.zeros(3),
        "builtins.dict": {"model": classifier},
        "builtins.tuple": (classifier, 1),
        "builtins.set": {1, 2},
        "functools.partial": functools.partial(print, 1),
        "sklearn.linear_model._logistic.LogisticRegression": classifier,
    }
    for top, value in cases.items():
        assert written(pickle.dumps(value, protocol=protocol)).top == top


def test_model_file_names_a_joblib_array(tmp_path):
    joblib.dump(np.zeros(3), tmp_path / "model.joblib")
    assert model_file.read(tmp_path / "model.joblib").top == "numpy.ndarray"


def test_model_file_tells_facts_of_a_pickle(tmp_path, forest):
    joblib.dump(forest, tmp_path / "model.joblib", protocol=4)
    found = model_file.read(tmp_path / "model.joblib").pickle
    assert (found.protocol, found.main_names, found.complete, found.unread) == (4, (), True, "")
    assert Global("sklearn.ensemble._forest", "RandomForestClassifier") in found.globals
    assert {"joblib", "numpy", "sklearn"} <= set(found.modules)


@pytest.mark.parametrize(("raw_format", "expected"), [("ubj", "xgboost-ubjson"), ("json", "xgboost-json")])
def test_model_file_recognises_booster_files(written, booster, raw_format, expected):
    found = written(bytes(booster.save_raw(raw_format)))
    assert found.format == expected
    assert found.libraries == {"xgboost": xgboost.__version__}


def test_model_file_reads_ubjson_versions_with_wider_integers(written):
    key = b"L" + (7).to_bytes(8, "big") + b"version[#L" + (3).to_bytes(8, "big")
    found = written(b"{L" + bytes(8) + key + b"U\x03I\x01\x00l\x00\x00\x00\x07}")
    assert found.libraries == {"xgboost": "3.256.7"}


def test_model_file_recognises_an_old_binary_booster(written):
    assert written(b"binf" + bytes(200)).format == "xgboost-binary"


def test_model_file_recognises_pickled_boosters_and_wrappers(written, booster, wrapper):
    for model, top in ((booster, "xgboost.core.Booster"), (wrapper, "xgboost.sklearn.XGBClassifier")):
        found = written(pickle.dumps(model))
        assert found.top == top
        assert found.libraries == {"xgboost": xgboost.__version__}


@pytest.mark.parametrize(
    ("data", "format"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 12\n", "git-lfs-pointer"),
        (b"\n<!DOCTYPE html>\n<html><head><title>Sign in</title>", "html"),
        (b"<html>", "html"),
        (b"", "empty"),
        (b'<?xml version="1.0"?>\n<!DOCTYPE html>', "html"),
        (b'<?xml version="1.0"?>\n<PMML>', "xml"),
        (b"some text", "text"),
        (b"Internal error", "text"),
        ("한국어".encode()[:-1], "text"),
        ("한국어".encode("utf-16"), "unknown"),
        (b"CBM1" + bytes(90), "catboost"),
        (b"PAR1" + bytes(90), "parquet"),
        (b"a,b\n1,2\n", "csv"),
        (b"a,b\nno second\n", "text"),
        (b"\x00\x01\x02\x03" * 9, "unknown"),
        (b"\x89HDF\r\n\x1a\n" + bytes(200), "hdf5"),
        (b"PK\x03\x04" + bytes(200), "zip"),
        (b"<model>", "text"),
        (b'{"a": 1}', "json"),
        (b"[[0.5]]", "json"),
    ],
)
def test_model_file_recognises_other_formats(written, data, format):
    assert written(data).format == format


@pytest.mark.parametrize(
    ("value", "top"),
    [
        ({"model": 1}, "builtins.dict"),
        ([1], "builtins.list"),
        (5, "builtins.int"),
        (2.5, "builtins.float"),
        ("model.joblib", "builtins.str"),
        (None, "builtins.NoneType"),
    ],
)
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_model_file_names_pickled_literals(written, value, top, protocol):
    assert written(pickle.dumps(value, protocol=protocol)).top == top


def test_model_file_tells_a_missing_file_without_raising(tmp_path):
    found = model_file.read(tmp_path / "gone")
    assert (found.format, found.complete) == ("unknown", False)
    assert "No such file" in found.unread


def test_model_file_unpickles_nothing(written, tmp_path):
    trace = tmp_path / "trace"

    class Bad:
        def __reduce__(self):
            return (open, (str(trace), "w"))

    found = written(pickle.dumps(Bad()))
    assert found.top in ("io.open", "_io.open")
    assert not trace.exists()


def test_model_file_finds_the_version_after_a_large_array(tmp_path, monkeypatch):
    monkeypatch.setattr(decompression, "WINDOW", 64 * 1024)
    monkeypatch.setattr(decompression, "CHUNK", 16 * 1024)
    rows = np.random.default_rng(0).random((20_000, 4))
    model = KNeighborsClassifier(algorithm="brute").fit(rows, rows[:, 0] > 0.5)
    path = tmp_path / "model.joblib"
    joblib.dump(model, path)
    assert path.stat().st_size > 3 * decompression.WINDOW
    found = model_file.read(path)
    assert found.libraries == {"scikit-learn": sklearn.__version__}  # the version stands behind the array
    assert found.complete  # the array is passed over
    assert found.top == "sklearn.neighbors._classification.KNeighborsClassifier"


def test_model_file_finds_a_version_across_two_chunks(tmp_path, monkeypatch, classifier):
    monkeypatch.setattr(decompression, "CHUNK", 700)
    data = pickle.dumps(classifier, protocol=4)
    at = data.index(b"_sklearn_version")
    for shift in range(0, 30, 3):
        path = tmp_path / "model.pkl"
        path.write_bytes(data[:60] + bytes((700 - at + shift) % 700) + data[60:])
        assert model_file.read(path).libraries == {"scikit-learn": sklearn.__version__}, shift


@pytest.mark.parametrize("compress", [("zlib", 3), ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)])
def test_model_file_reads_a_bomb_to_its_limit_only(tmp_path, monkeypatch, compress):
    monkeypatch.setattr(decompression, "WINDOW", 2 * 1024 * 1024)
    path = tmp_path / "model.joblib"
    joblib.dump(bytes(8 * 1024 * 1024), path, compress=compress)
    stream = decompression.chunks(path, compress[0])
    sizes = [len(chunk) for chunk in stream]
    assert sum(sizes) <= 4 * 1024 * 1024
    assert max(sizes) <= decompression.CHUNK + decompression.OVERLAP
    assert "only the first" in stream.unread


@pytest.mark.parametrize("compress", [("zlib", 3), ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)])
def test_model_file_stops_at_truncated_and_damaged_data(tmp_path, forest, compress):
    path = tmp_path / "model.joblib"
    joblib.dump(forest, path, compress=compress)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert not model_file.read(path).complete
    middle = len(whole) // 2
    path.write_bytes(
        whole[:middle] + bytes(byte ^ 0xFF for byte in whole[middle : middle + 200]) + whole[middle + 200 :]
    )
    found = model_file.read(path)
    assert found.compression == compress[0]
    assert not found.complete
    assert found.unread


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_model_file_answers_any_bytes(data):
    head = b"\x80\x04" + data
    assert pickles.looks_like_pickle(head)
    top = pickles.top_of(head)
    assert top is None or "." in top
    assert pickles.sklearn_version(data) is None
