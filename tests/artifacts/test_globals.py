"""The globals of real pickles, found without importing anything; bytes that would do harm do none."""

from __future__ import annotations

import io
import os
import pickle
import struct
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from aip_magics.artifacts import globals as pickled


def of_main(name: str, **body: Any) -> Any:
    """A class as a notebook defines it."""
    return type(name, (), {"__module__": "__main__", **body})


def half(rows: Any) -> Any:
    return numpy.asarray(rows) / 2


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A fitted pipeline with arrays of every kind before, between and after what is of the notebook."""
    holder, thing = of_main("Holder"), of_main("Thing")
    halved = half
    monkeypatch.setattr(halved, "__module__", "__main__")
    main = sys.modules["__main__"]
    for name, value in {"Holder": holder, "Thing": thing, "half": halved}.items():
        monkeypatch.setattr(main, name, value, raising=False)
    steps = make_pipeline(StandardScaler(), FunctionTransformer(halved), RandomForestClassifier(3, random_state=0))
    found = holder()
    found.before = numpy.arange(1000.0)
    found.words = numpy.array(["abc", "d"])
    found.raw = numpy.array([b"ab"])
    found.objects = numpy.array(["text", thing(), None], dtype=object)
    found.steps = steps.fit(*load_iris(return_X_y=True))
    found.after = (numpy.zeros((0, 3)), numpy.array(1.0), halved)
    return found


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)])
def test_joblib(model: Any, compress: Any, tmp_path: Path) -> None:
    joblib.dump(model, tmp_path / "model.joblib", compress=compress)
    found = pickled.read(tmp_path / "model.joblib")
    assert found.complete
    assert sorted(found.of_main) == ["Holder", "Thing", "half"]
    assert "sklearn.preprocessing._data.StandardScaler" in found.names


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle(model: Any, protocol: int, tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model, protocol=protocol))
    found = pickled.read(tmp_path / "model.pkl")
    assert found.complete
    assert sorted(found.of_main) == ["Holder", "Thing", "half"]


def test_a_model_of_libraries_alone(iris_export: Path) -> None:
    found = pickled.read(iris_export / "model.joblib")
    assert (found.of_main, found.complete) == ((), True)


def test_nothing_is_called(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path / 'harm'}",)

    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(Harm()))
    found = pickled.read(path)
    assert found.names == (f"{os.system.__module__}.system",)
    assert not (tmp_path / "harm").exists()


def nested(depth: int) -> bytes:
    """A tuple of a tuple … whose hash takes 2 ** depth steps, as the key of a dictionary."""
    made = io.BytesIO()
    made.write(b"\x80\x04}(N")
    for number in range(depth):
        made.write(b"q" + bytes([number]) + b"h" + bytes([number]) + b"\x86")
    return made.getvalue() + b"Nu."


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"plain text",
        b"\x80\x04\x8c\x08__main__\x8c\x05Thing\x93",  # ends without its end
        b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b"x.",  # a bytearray of a terabyte
        b"\x80\x04\x8d" + struct.pack("<Q", 1 << 40) + b"x.",
        b"\x80\x02\x82\x01.",  # an extension, as a registry may hold it
        b"(" * 9_000_000,
        b"I" + b"9" * 1_000_000 + b"\n.",
        b"\x80\x02Pid\n.",
    ],
    ids=["empty", "text", "cut", "bytearray", "text8", "extension", "too long", "digits", "persistent"],
)
def test_bytes_that_are_no_whole_pickle(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(data)
    assert not pickled.read(tmp_path / "model.pkl").complete
    assert not pickled.read(tmp_path / "nowhere").complete


def test_keys_are_not_hashed(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(nested(60))
    assert pickled.read(tmp_path / "model.pkl") == pickled.Globals((), True)
