"""The part of a model that pickle cannot save: found, named, and mended as the fix says."""

from __future__ import annotations

import functools
import sqlite3
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from aip_magics.commands.common.staging import stage
from aip_magics.commands.common.unpicklable import find_unpicklable
from aip_magics.errors import OptionError

ROWS, LABELS = [[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [3.0, 1.0]], [0, 0, 1, 1]


def pipeline(function: Any) -> Pipeline:
    return make_pipeline(FunctionTransformer(function), LogisticRegression()).fit(ROWS, LABELS)


def with_attribute(value: Any) -> LogisticRegression:
    model = LogisticRegression().fit(ROWS, LABELS)
    model.extra = value
    return model


def make_local() -> tuple[Any, type]:
    def inner(rows: Any) -> Any:
        return rows

    class Local:
        def fit(self) -> None: ...

        def predict(self) -> None: ...

    return inner, Local


INNER, LOCAL = make_local()


class Slotted:
    __slots__ = ("extra",)

    def fit(self) -> None: ...

    def predict(self) -> None: ...


class Cyclic:
    """Refers to itself, and to what cannot be saved."""

    def __init__(self) -> None:
        self.me = self
        self.lock = threading.Lock()

    def fit(self) -> None: ...

    def predict(self) -> None: ...


def slotted() -> Slotted:
    value = Slotted()
    value.extra = threading.Lock()
    return value


def numbers() -> Iterator[int]:
    yield 1


CODE = "define the function with def in my_module.py, import it from there and create the model again"
MOVE = "move {} into my_module.py, import it from there and create the model again"
REMOVE = "remove the object from the model and run the command again"


@pytest.mark.parametrize(
    ("make", "text", "fix"),
    [
        (lambda: pipeline(lambda rows: rows), "m.steps[0][1].func is a lambda, which cannot be imported", CODE),
        (lambda: pipeline(INNER), "m.steps[0][1].func is make_local.<locals>.inner, which", MOVE.format("inner")),
        (lambda: pipeline(functools.partial(INNER)), "m.steps[0][1].func.func is make_local", MOVE.format("inner")),
        (lambda: with_attribute(LOCAL()), "type(m.extra) is make_local.<locals>.Local, which", MOVE.format("Local")),
        (LOCAL, "type(m) is make_local.<locals>.Local, which", MOVE.format("Local")),
        (lambda: with_attribute(LOCAL().fit), "type(m.extra.__self__) is make_local", MOVE.format("Local")),
        (lambda: with_attribute(threading.Lock()), "m.extra is a _thread.lock, which", f"{REMOVE}: m.extra = None"),
        (slotted, "m.extra is a _thread.lock, which", f"{REMOVE}: m.extra = None"),
        (Cyclic, "m.lock is a _thread.lock, which", f"{REMOVE}: m.lock = None"),
        (lambda: with_attribute(numbers()), "m.extra is a generator, which", f"{REMOVE}: m.extra = None"),
        (lambda: with_attribute(sys), "m.extra is a module, which", f"{REMOVE}: m.extra = None"),
        (
            lambda: with_attribute(sqlite3.connect(":memory:")),
            "m.extra is a sqlite3.Connection, which",
            f"{REMOVE}: m.extra = None",
        ),
        (
            lambda: with_attribute({"a": [1, {"file": sys.stdout}]}),
            "m.extra['a'][1]['file'] is a ",
            f"{REMOVE}: m.extra['a'][1]['file'] = None",
        ),
        (lambda: with_attribute({"a": (threading.Lock(),)}), "m.extra['a'][0] is a _thread.lock", REMOVE),
    ],
)
def test_unpicklable_part_is_named(tmp_path: Path, make: Any, text: str, fix: str) -> None:
    model = make()
    with pytest.raises(OptionError) as caught:
        stage(model, tmp_path, "m")
    assert caught.value.message.startswith(f"could not save m: {text}")
    assert caught.value.where == "$m"
    assert caught.value.fix.startswith(fix)
    assert {path.name for path in tmp_path.iterdir()} <= {".use"}  # marks of use, but nothing of the model
    _line, _colon, statement = caught.value.fix.partition("again: ")
    if statement:
        exec(statement, {"m": model})
        folder = stage(model, tmp_path, "m")  # followed literally
        assert type(joblib.load(folder / "model.joblib")) is type(model)


def test_unpicklable_function_that_was_defined_again_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = with_attribute(numbers)
    monkeypatch.setattr(sys.modules[__name__], "numbers", lambda: None)  # as a cell that is run twice does
    with pytest.raises(OptionError, match=r"m\.extra is numbers, which cannot be imported"):
        stage(model, tmp_path, "m")


def test_unpicklable_is_nothing_in_a_good_model() -> None:
    assert find_unpicklable(pipeline(None), "m") is None


class Refusing:
    def fit(self) -> None: ...

    def predict(self) -> None: ...

    def __reduce__(self) -> Any:
        raise ValueError("not today")


def test_unpicklable_model_that_refuses_itself_has_its_own_reason(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="could not save m: ValueError: not today") as caught:
        stage(Refusing(), tmp_path, "m")
    assert caught.value.fix.endswith('use --origin export: joblib.dump(m, "export/model.joblib")')


def test_unpicklable_depth_is_nobodys_fault(tmp_path: Path) -> None:
    nested: list[Any] = []
    for _level in range(100_000):
        nested = [nested]
    with pytest.raises(OptionError, match="could not save m: RecursionError"):
        stage(with_attribute(nested), tmp_path, "m")
    while nested:
        nested = nested.pop()


def test_unpicklable_disk_is_not_the_fault_of_the_model(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        stage(pipeline(None), tmp_path / "file" / "staging", "m")
