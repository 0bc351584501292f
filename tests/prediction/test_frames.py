"""DataFrames and arrays as instances: what is written is what the worker reads, with columns in the model's order."""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy
import pandas
import pytest
import xgboost
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline

from aip_magics.artifacts.facts import ModelInputs, Signature, Tensor
from aip_magics.errors import InstancesError
from aip_magics.prediction import ForkServerPool, WorkerPool, local_predict
from aip_magics.prediction.instances import from_value, request_body
from aip_magics.prediction.worker.predict import parse

HOUSES = pandas.DataFrame({"rooms": [1.0, 2, 3, 4], "age": [40.0, 10, 30, 5]})
PRICES = HOUSES["rooms"] * 100 - HOUSES["age"]
SWAPPED = pandas.DataFrame({"age": [10.0], "rooms": [3.0]})

cells = {
    "int64": st.integers(-(2**63), 2**63 - 1),
    "float64": st.floats(allow_nan=False, allow_infinity=False),
    "bool": st.booleans(),
    "object": st.text(st.characters(codec="utf-8"), max_size=5) | st.none(),
}


@st.composite
def frames(draw: st.DrawFn) -> tuple[pandas.DataFrame, list[list[Any]]]:
    """A frame of named columns of several types, and its rows."""
    names = draw(st.lists(st.text(st.characters(codec="utf-8"), max_size=4), min_size=1, max_size=5, unique=True))
    kinds = [draw(st.sampled_from(sorted(cells))) for _name in names]
    count = draw(st.integers(1, 4))
    columns = [draw(st.lists(cells[kind], min_size=count, max_size=count)) for kind in kinds]
    series = {name: pandas.Series(column, dtype=kind) for name, kind, column in zip(names, kinds, columns, strict=True)}
    return pandas.DataFrame(series), [list(row) for row in zip(*columns, strict=True)]


def read(body: bytes) -> Any:
    """What the worker reads of a request: values and their types."""
    instances, _keys = parse(body)
    return instances


def typed(value: Any) -> Any:
    return [typed(item) for item in value] if isinstance(value, list) else (type(value), value)


@given(frames())
def test_frames_arrive_as_they_are(given_frame: tuple[pandas.DataFrame, list[list[Any]]]) -> None:
    frame, rows = given_frame
    assert typed(read(request_body(frame))) == typed(rows)


@given(frames(), st.randoms(use_true_random=False))
def test_frames_arrive_in_the_order_of_the_model(
    given_frame: tuple[pandas.DataFrame, list[list[Any]]], chance: random.Random
) -> None:
    frame, rows = given_frame
    names = list(frame.columns)
    shuffled = chance.sample(names, len(names))
    inputs = ModelInputs(features=tuple(names))
    assert typed(read(request_body(frame[shuffled], inputs=inputs))) == typed(rows)


@given(frames(), st.randoms(use_true_random=False))
def test_frames_become_objects_for_several_inputs(
    given_frame: tuple[pandas.DataFrame, list[list[Any]]], chance: random.Random
) -> None:
    frame, rows = given_frame
    names = list(frame.columns)
    tensors = tuple(Tensor(name, "float32", (None,)) for name in [*chance.sample(names, len(names)), "optional input"])
    inputs = ModelInputs(signatures=(Signature("serving_default", tensors, ()),))
    objects = [dict(zip(names, row, strict=True)) for row in rows]
    assert read(request_body(frame, inputs=inputs)) == objects


@given(st.lists(st.lists(st.floats(allow_nan=False, width=32), min_size=2, max_size=2), min_size=1, max_size=4))
def test_frames_arrays_of_every_kind_arrive(rows: list[list[float]]) -> None:
    rows = [[0.0 if numpy.isinf(value) else value for value in row] for row in rows]
    for dtype in ("float64", "float32"):
        assert read(request_body(numpy.array(rows, dtype=dtype))) == rows
    structured = numpy.array([tuple(row) for row in rows], dtype=[("b", "f8"), ("a", "f8")])
    assert read(request_body(structured)) == rows
    swapped = [[second, first] for first, second in rows]
    assert read(request_body(structured, inputs=ModelInputs(features=("a", "b")))) == swapped


@given(
    st.sampled_from(["bool", "int8", "uint8", "int64", "uint64", "float16", "U3"]).flatmap(
        lambda dtype: arrays(dtype, st.tuples(st.integers(1, 3), st.integers(1, 3)))
    )
)
def test_frames_arrays_of_every_type_arrive(array: Any) -> None:
    array = numpy.nan_to_num(array, posinf=0, neginf=0) if array.dtype.kind == "f" else array
    assert typed(read(request_body(array))) == typed(array.tolist())
    assert typed(read(request_body(list(array)))) == typed(array.tolist())
    assert typed(read(request_body([list(row) for row in array]))) == typed(array.tolist())
    assert typed(read(request_body(pandas.DataFrame(array)))) == typed(array.tolist())


def test_frames_keep_integers_beside_floats_exact() -> None:
    frame = pandas.DataFrame({"id": [2**63 - 1], "x": [0.5]})
    assert read(request_body(frame)) == [[2**63 - 1, 0.5]]


@pytest.mark.parametrize(
    "frame",
    [
        pandas.DataFrame([[10.0, 3.0]]),
        pandas.DataFrame([[10.0, 3.0]], columns=pandas.MultiIndex.from_tuples([("a", "b"), ("c", "d")])),
        pandas.DataFrame([[10.0, 3.0]], columns=["age", 1]),
    ],
)
def test_frames_without_names_keep_their_order(frame: pandas.DataFrame) -> None:
    assert from_value(frame, ModelInputs(features=("rooms", "age"))) == [[10.0, 3.0]]


def test_frames_keep_their_order_for_a_model_without_names() -> None:
    assert from_value(SWAPPED, ModelInputs()) == [[10.0, 3.0]]
    assert from_value(SWAPPED.to_numpy(), ModelInputs(features=("rooms", "age"))) == [[10.0, 3.0]]


WIDE = tuple(f"c{number}" for number in range(30))


@pytest.mark.parametrize(
    ("frame", "features", "message", "fix"),
    [
        (
            SWAPPED.assign(x=1, y=2),
            ("rooms", "age"),
            "the DataFrame has unexpected columns: x, y",
            "select the columns of the model: df[['rooms', 'age']]",
        ),
        (
            pandas.DataFrame([[0] * 31], columns=["x", *reversed(WIDE)]),
            WIDE,
            "the DataFrame has unexpected columns: x",
            "remove the other columns: df.drop(columns=['x'])",
        ),
        (
            SWAPPED[["age"]],
            ("rooms", "age"),
            "the DataFrame has missing columns: rooms",
            "add the columns to the DataFrame: rooms",
        ),
        (
            SWAPPED.rename(columns={"age": "Age"}),
            ("rooms", "age"),
            "the DataFrame has unexpected columns: Age; missing columns: age",
            "rename the columns as in the model: rooms, age",
        ),
        (
            SWAPPED[["age", "rooms", "age"]],
            ("rooms", "age"),
            "the DataFrame has several columns of the same name: age",
            "remove or rename the columns; the model has rooms, age",
        ),
        (
            pandas.DataFrame([[0]], columns=["x"]),
            WIDE,
            "the DataFrame has unexpected columns: x; missing columns: " + ", ".join(WIDE[:10]) + ", …",
            "use the columns of the model: " + ", ".join(WIDE[:10]) + ", …",
        ),
    ],
)
def test_frames_with_other_columns_are_refused(
    frame: pandas.DataFrame, features: tuple[str, ...], message: str, fix: str
) -> None:
    inputs = ModelInputs(features=features)
    with pytest.raises(InstancesError) as caught:
        from_value(frame, inputs)
    assert (caught.value.message, caught.value.where, caught.value.fix) == (message, "instances", fix)
    code = fix.partition(": ")[2]
    if code.startswith("df"):
        followed = eval(code, {"df": frame})
        assert from_value(followed, inputs) == followed[list(features)].to_numpy().tolist()


KEYED = (Tensor("a", "float32", (None, 1)), Tensor("b", "string", (None,)), Tensor("c", "float32", None))


def test_frames_for_several_inputs_fit_their_shapes() -> None:
    inputs = ModelInputs(signatures=(Signature("serving_default", KEYED, ()),))
    frame = pandas.DataFrame({"b": ["x"], "c": [2], "a": [0.5]})
    assert from_value(frame, inputs) == [{"b": "x", "c": 2, "a": [0.5]}]
    with pytest.raises(InstancesError, match="unexpected columns: d; missing columns: c"):
        from_value(frame.rename(columns={"c": "d"}), inputs)
    with pytest.raises(InstancesError, match="several columns of the same name: a"):
        from_value(frame[["a", "b", "c", "a"]], inputs)
    assert from_value(frame[["a"]], inputs) == [{"a": [0.5]}]  # the others may have defaults; the model says so if not
    assert from_value(frame, inputs, "another") == [["x", 2, 0.5]]  # R09 and the model name the signature


def test_frames_for_one_input_are_rows_or_values() -> None:
    def inputs(shape: tuple[int | None, ...] | None) -> ModelInputs:
        return ModelInputs(signatures=(Signature("s", (Tensor("x", "float32", shape),), ()),))

    assert from_value(SWAPPED, inputs((None, 2))) == [[10.0, 3.0]]
    assert from_value(SWAPPED[["age"]], inputs((None,))) == [[10.0]]
    one = pandas.DataFrame({"x": [1.5, 2.5]})
    assert from_value(one, inputs((None,))) == [{"x": 1.5}, {"x": 2.5}]
    assert from_value(one, inputs((None, 1))) == [[1.5], [2.5]]
    assert from_value(one, inputs(None)) == [[1.5], [2.5]]
    assert from_value(pandas.DataFrame({"x": [[1, 2], [3, 4]]}), inputs((None, 2))) == [{"x": [1, 2]}, {"x": [3, 4]}]


@pytest.fixture(scope="module")
def pool(parents: ForkServerPool) -> Iterator[WorkerPool]:
    with WorkerPool(fork_servers=parents, limit=3) as made:
        yield made


@pytest.mark.parametrize(
    "model",
    [
        LinearRegression(),
        make_pipeline(SimpleImputer(), LinearRegression()),
        make_pipeline(SimpleImputer(), xgboost.XGBRegressor(n_estimators=20, n_jobs=1)),
        xgboost.XGBRegressor(n_estimators=20, n_jobs=1),
    ],
)
def test_frames_local_predict_as_the_estimator_does(pool: WorkerPool, model: Any, tmp_path: Path) -> None:
    model.fit(HOUSES, PRICES)
    joblib.dump(model, tmp_path / "model.joblib")
    expected = {"predictions": pytest.approx(model.predict(SWAPPED[["rooms", "age"]]).tolist())}
    assert local_predict(tmp_path, SWAPPED, pool=pool) == expected
    assert local_predict(tmp_path / "model.joblib", SWAPPED[["rooms", "age"]], pool=pool) == expected
    with pytest.raises(InstancesError, match="missing columns: rooms"):
        local_predict(tmp_path, SWAPPED[["age"]], pool=pool)


@pytest.mark.parametrize("model", [make_pipeline(SimpleImputer(), LinearRegression()), HistGradientBoostingRegressor()])
def test_frames_with_missing_values_arrive_as_nan(pool: WorkerPool, model: Any, tmp_path: Path) -> None:
    joblib.dump(model.fit(HOUSES, PRICES), tmp_path / "model.joblib")
    df = pandas.DataFrame({"age": [numpy.nan, 10.0], "rooms": [3.0, numpy.nan]})
    with pytest.raises(InstancesError) as caught:
        local_predict(tmp_path, df, pool=pool)
    followed = eval(caught.value.fix.partition(": ")[2], {"df": df})
    expected = model.predict(df[["rooms", "age"]]).tolist()
    assert local_predict(tmp_path, followed, pool=pool) == {"predictions": pytest.approx(expected)}


def test_frames_with_missing_values_and_booleans_reach_a_booster(pool: WorkerPool, tmp_path: Path) -> None:
    rows = numpy.random.RandomState(0).rand(50, 2)
    booster = xgboost.train({"nthread": 1}, xgboost.DMatrix(rows, rows[:, 0] > 0.5), 5)
    booster.save_model(tmp_path / "model.ubj")
    (tmp_path / "model.ubj").rename(tmp_path / "model.bst")
    sent = [[True, 0.5], [False, True], [None, 0.5], [True, None]]
    expected = booster.predict(xgboost.DMatrix(numpy.array([[numpy.nan if v is None else v for v in r] for r in sent])))
    for instances in (sent, pandas.DataFrame(sent, columns=["flag", "x"])):
        assert local_predict(tmp_path, instances, pool=pool)["predictions"] == pytest.approx(expected.tolist())
    flags = pandas.get_dummies(pandas.Series(["a", "b"]))
    assert [[type(value) for value in row] for row in from_value(flags)] == [[bool, bool], [bool, bool]]
    expected = booster.predict(xgboost.DMatrix(flags.to_numpy()))
    assert local_predict(tmp_path, flags, pool=pool)["predictions"] == pytest.approx(expected.tolist())


@pytest.mark.skipif(not importlib.util.find_spec("tensorflow"), reason="TensorFlow is not installed")
def test_frames_reach_the_inputs_of_a_saved_model(pool: WorkerPool, tensorflow_exports: Path) -> None:
    frame = pandas.DataFrame({"times": [3, 4], "word": ["a", "b"]})
    answer = local_predict(tensorflow_exports / "numbers", frame, signature_name="mixed", pool=pool)
    assert [(one["text"], one["double"]) for one in answer["predictions"]] == [("3", 6), ("4", 8)]
    rows = pandas.DataFrame([[0.5, -1.5]], columns=["a", "b"])
    named = local_predict(tensorflow_exports / "numbers", rows, pool=pool)
    assert named == local_predict(tensorflow_exports / "numbers", rows.to_numpy(), pool=pool)
    with pytest.raises(InstancesError, match="unexpected columns: words; missing columns: word"):
        local_predict(
            tensorflow_exports / "numbers",
            frame.rename(columns={"word": "words"}),
            signature_name="mixed",
            pool=pool,
        )
