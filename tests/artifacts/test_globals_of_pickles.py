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
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from aip_magics.artifacts import model_file
from aip_magics.artifacts import pickle_globals as pickled


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
def test_pickle_globals_of_joblib_files(model: Any, compress: Any, tmp_path: Path) -> None:
    joblib.dump(model, tmp_path / "model.joblib", compress=compress)
    found = pickled.read(tmp_path / "model.joblib")
    assert found.complete
    assert sorted(found.of_main) == ["Holder", "Thing", "half"]
    assert "sklearn.preprocessing._data.StandardScaler" in found.names


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickle_globals_of_pickles(model: Any, protocol: int, tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model, protocol=protocol))
    found = pickled.read(tmp_path / "model.pkl")
    assert found.complete
    assert sorted(found.of_main) == ["Holder", "Thing", "half"]


def test_pickle_globals_of_a_model_of_libraries_alone(iris_export: Path) -> None:
    found = pickled.read(iris_export / "model.joblib")
    assert (found.of_main, found.complete) == ((), True)


def test_pickle_globals_calls_nothing(tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path / 'harm'}",)

    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(Harm()))
    found = pickled.read(path)
    assert found.names == (f"{os.system.__module__}.system",)
    assert not (tmp_path / "harm").exists()


def test_pickle_globals_of_a_class_written_by_cloudpickle(tmp_path: Path) -> None:
    """It needs nothing of the notebook: the class itself is in the file."""
    cloudpickle = pytest.importorskip("cloudpickle")  # newer joblibs bring it
    thing = of_main("Thing", rows=numpy.arange(3))
    for value, top in ((thing(), "__main__.Thing"), (thing, "builtins.type"), (lambda row: row, "builtins.function")):
        (tmp_path / "model.pkl").write_bytes(cloudpickle.dumps(value))
        found = pickled.read(tmp_path / "model.pkl")
        assert (found.top, found.of_main, found.complete) == (top, (), True)


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
        b"\x80\x04" + b"]\x94" * 2_000_000 + b".",
        b"\x80\x04\x95" + struct.pack("<Q", 1 << 60) + b"N",  # a frame
        b"\x80\x04B" + struct.pack("<I", 0xFFFFFFFF) + b"x.",
        b"\x80\x04\x8b\xff\xff\xff\x7f9.",  # an integer of 2 GiB
        b"\x80\x04r\xff\xff\xff\xff.",  # a place in the memo for what is not there
    ],
    ids=[
        "empty",
        "text",
        "cut",
        "bytearray",
        "text8",
        "extension",
        "too long",
        "digits",
        "persistent",
        "many",
        "frame",
        "bytes",
        "integer",
        "memo",
    ],
)
def test_pickle_globals_of_incomplete_pickles(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(data)
    assert not pickled.read(tmp_path / "model.pkl").complete
    assert not pickled.read(tmp_path / "nowhere").complete


def test_pickle_globals_hashes_no_keys(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(nested(60))
    found = pickled.read(tmp_path / "model.pkl")
    assert (found.found, found.complete, found.top) == ((), True, "builtins.dict")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)])
def test_pickle_globals_of_harmful_files_leave_no_trace(protocol: int, compress: Any, tmp_path: Path) -> None:
    class Harm:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path / 'harm'}",)

    class Later:
        def __reduce__(self) -> Any:
            return exec, (f"open({str(tmp_path / 'harm')!r}, 'w')",)

    value = {"model": [Harm()], "rows": numpy.array([Later(), 1], dtype=object)}
    joblib.dump(value, tmp_path / "model.joblib", compress=compress, protocol=protocol)
    facts = model_file.read(tmp_path / "model.joblib").pickle
    assert facts is not None
    assert facts.complete
    assert {"system", "exec"} <= {one.name for one in facts.globals}
    assert not (tmp_path / "harm").exists()


WHOLE = pickle.dumps({"a": [1, 2.5, "text"], "b": (numpy.arange(3), pickle.HIGHEST_PROTOCOL), "c": {1, 2}}, protocol=4)


@settings(max_examples=up_to(300), deadline=None)
@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=10), st.booleans())
def test_pickle_globals_answers_every_mutated_pickle(tmp_path_factory: Any, at: int, change: bytes, cut: bool) -> None:
    path = tmp_path_factory.getbasetemp() / "mutated.pkl"
    path.write_bytes(WHOLE[:at] + change + (b"" if cut else WHOLE[at + len(change) :]))
    found = model_file.read(path)
    assert found.complete or found.unread or found.format in ("unknown", "empty")


@settings(max_examples=up_to(300), deadline=None)
@given(
    st.lists(st.sampled_from([bytes([code]) for code in pickle._Unpickler.dispatch]), max_size=30),
    st.binary(max_size=8),
)
def test_pickle_globals_answers_any_opcodes(tmp_path_factory: Any, opcodes: list[bytes], end: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "opcodes.pkl"
    path.write_bytes(b"\x80\x04" + b"".join(opcodes) + end)
    assert isinstance(pickled.read(path).complete, bool)
