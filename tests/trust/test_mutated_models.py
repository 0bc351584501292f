"""Real models, mutated at the level of opcodes: whatever still loads has used only listed globals.

Differential: Python's own disassembler says which globals a mutant can name, the list which of them are known, and the
audit hooks of the process that loads it what it really did.
"""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import pickle
import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy
import pytest
from hostile_pickles import name, payload, stacked, text
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reading import Read
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

X = numpy.array([[i, i % 3, (i * 7) % 5] for i in range(24)], dtype=float)
Y = (X[:, 0] > 11).astype(int)
PER_MODEL = 60
GADGETS = [
    ("posix", "system"), ("builtins", "eval"), ("builtins", "exec"), ("builtins", "getattr"), ("builtins", "open"),
    ("builtins", "__import__"), ("subprocess", "Popen"), ("operator", "attrgetter"), ("operator", "methodcaller"),
    ("importlib", "import_module"), ("numpy", "load"), ("numpy", "memmap"), ("numpy", "fromfile"), ("numpy", "save"),
    ("joblib", "load"), ("joblib.memory", "Memory"), ("pandas.core.frame", "DataFrame"), ("pandas", "read_pickle"),
    ("pickle", "loads"), ("sklearn.metrics._scorer", "_Scorer"), ("sklearn.metrics._scorer", "make_scorer"),
    ("xgboost.core", "Booster"), ("functools", "partial"), ("builtins", "map"), ("types", "FunctionType"),
    ("numpy.lib.format", "read_array"), ("shutil", "rmtree"), ("os", "remove"), ("ctypes", "CDLL"),
    ("builtins", "type"), ("sklearn.utils._testing", "ignore_warnings"), ("sklearn.datasets", "fetch_openml"),
    ("joblib.numpy_pickle", "pickle"),
]  # fmt: skip


@functools.cache
def models() -> dict[str, bytes]:
    """Models as pickle and joblib write them, with several protocols."""
    made: dict[str, Any] = {
        "forest": RandomForestClassifier(3, max_depth=2).fit(X, Y),
        "pipeline": make_pipeline(FunctionTransformer(numpy.log1p), StandardScaler(), LogisticRegression()).fit(X, Y),
        "search": GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2]}, scoring="f1", cv=2).fit(X, Y),
        "stack": StackingClassifier([("a", GaussianNB()), ("b", DecisionTreeClassifier())], cv=2).fit(X, Y),
        "words": make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(
            ["good day", "bad day", "good work", "bad work"] * 3, [0, 1] * 6
        ),
    }
    found = {}
    for number, (kind, model) in enumerate(made.items()):
        found[f"{kind}.pkl"] = pickle.dumps(model, protocol=(5, 4, 2, 0, 3)[number])
        buffer = io.BytesIO()
        joblib.dump(model, buffer)
        found[f"{kind}.joblib"] = buffer.getvalue()
    return found


def operations(data: bytes) -> list[tuple[str, bytes, int]]:
    """Name, argument and position of the opcodes, up to the first array of joblib, which ends the disassembly."""
    found: list[tuple[str, bytes, int]] = []
    with contextlib.suppress(Exception):
        for opcode, argument, position in pickletools.genops(data):
            found.append((opcode.name, str(argument).encode(), position or 0))
    return found


def cuts(data: bytes) -> list[int]:
    """The positions of opcodes."""
    return [position for _, _, position in operations(data)] or [0]


def globals_at(data: bytes) -> list[tuple[int, int, bytes]]:
    """Positions that name a global by text: start, end, the text."""
    return [
        (position, following, argument)
        for (opcode, argument, position), (_, _, following) in itertools.pairwise(operations(data))
        if opcode in ("GLOBAL", "SHORT_BINUNICODE")
    ]


@st.composite
def mutants(draw: st.DrawFn, data: bytes, mark: str) -> bytes:
    """Apply one to four mutations, each of which changes, adds, repeats or moves instructions."""
    for _ in range(draw(st.integers(1, 4))):
        places = cuts(data)
        at = draw(st.sampled_from(places))
        to = draw(st.sampled_from(places))
        module, attribute = draw(st.sampled_from(GADGETS))
        kind = draw(
            st.sampled_from(["gadget", "call", "payload", "repeat", "drop", "rename", "byte", "memo", "build", "new"])
        )
        if kind == "gadget":
            data = data[:at] + draw(st.sampled_from([name, stacked]))(module, attribute) + data[at:]
        elif kind == "call":
            data = data[:at] + name(module, attribute) + text(mark) + b"\x85R" + data[at:]
        elif kind == "payload":
            data = data[:at] + payload(mark) + draw(st.sampled_from([b"", b"0", b"\x94", b"\x85R"])) + data[at:]
        elif kind == "repeat":
            data = data[:at] + data[min(at, to) : max(at, to)][:4000] + data[at:]
        elif kind == "drop":
            data = data[: min(at, to)] + data[min(max(at, to), min(at, to) + 40) :]
        elif kind == "rename" and (named := globals_at(data)):
            begin, end, old = draw(st.sampled_from(named))
            new = f"c{module}\n{attribute}\n".encode() if data[begin : begin + 1] == b"c" else text(attribute)
            data = data[:begin] + (new if old else b"") + data[end:]
        elif kind == "byte":
            data = data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]
        elif kind == "memo":
            data = data[:at] + b"h" + bytes([draw(st.integers(0, 40))]) + data[at:]
        elif kind == "build":
            data = data[:at] + b"}" + text(draw(st.sampled_from(["__class__", "predict", "__dict__", "x"])))
            data += name(module, attribute) + b"sb" + data[at:]
        elif kind == "new":
            data = data[:at] + name(module, attribute) + b")\x81" + data[at:]
    return data


KINDS = ("forest", "pipeline", "search", "stack", "words")


@pytest.mark.parametrize("model", [f"{kind}.{suffix}" for kind in KINDS for suffix in ("pkl", "joblib")])
def test_restricted_reader_lets_no_mutant_do_anything(model: str, tmp_path: Path, read: Callable[[Path], Read]) -> None:
    mark = tmp_path / "mark"
    file = tmp_path / f"mutant.{model.rpartition('.')[2]}"
    original = models()[model]
    file.write_bytes(original)
    assert read(file) == Read(True, "", ())
    outcomes = {"loaded": 0, "NotTrusted": 0, "other": 0}

    @settings(max_examples=PER_MODEL, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(mutants(original, str(mark)))
    def mutate(data: bytes) -> None:
        file.write_bytes(data)
        found = read(file)
        assert found.events == ()
        assert not mark.exists()
        assert "too slow" not in found.error
        kind = "loaded" if found.loaded else "NotTrusted" if found.error.startswith("NotTrusted") else "other"
        outcomes[kind] += 1

    mutate()
    assert outcomes["NotTrusted"] > PER_MODEL // 10, outcomes  # the mutations are not merely noise
