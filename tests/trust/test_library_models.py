"""What scikit-learn, SciPy, pandas and XGBoost pickle needs no trust, loads restricted, and predicts the same."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import joblib
import pytest
from restricted_predictions import answer_of

from aip_magics import artifacts, catalog, checks
from aip_magics.spec import Model, Version

sys.path.insert(0, str(Path(__file__).parents[1] / "catalog"))
from collecting import specimens_compositions, specimens_sklearn

SCRIPT = Path(__file__).with_name("restricted_predictions.py")
# Refused on purpose; pickle_judgements.toml says why.
REFUSED = {"search of a histogram", "search of values", "metric pairwise_distances_chunked"}
Specimens = Iterable[tuple[str, Callable[[], Any]]]
Dump = Callable[[Any], bytes]


def by_joblib(compress: int) -> Dump:
    def dump(model: Any) -> bytes:
        stream = io.BytesIO()
        joblib.dump(model, stream, compress=compress)
        return stream.getvalue()

    return dump


def by_pickle(protocol: int) -> Dump:
    return lambda model: pickle.dumps(model, protocol)


FORMATS: tuple[tuple[str, Dump], ...] = (
    ("model.joblib", by_joblib(0)),
    *(("model.pkl", by_pickle(protocol)) for protocol in (2, 3, 4, 5)),
    ("model.joblib", by_joblib(3)),
)


def made(specimens: Specimens) -> Iterator[tuple[str, Any]]:
    """The models that this environment can make."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, make in specimens:
            if name in REFUSED or name.startswith(specimens_sklearn.VARIANT):
                continue
            try:
                yield name, make()
            except Exception:  # noqa: BLE001 - a library or an option that is not there; the tests count what is
                continue


def inputs() -> dict[str, Any]:
    table = specimens_compositions.table()
    return {
        "X": specimens_sklearn.X[:20],
        "texts": specimens_sklearn.TEXTS[:6],
        "table": table,
        "three columns": table[["n", "m", "c"]],
        "two columns": table[["n", "c"]],
    }


def use_of(model: Any, data: dict[str, Any]) -> tuple[str, str, Any]:
    """The method of a model, the name of an input that it takes, and what it answers."""
    for method in ("predict", "transform"):
        for key, value in data.items():
            try:
                return method, key, answer_of(model, method, value)
            except Exception:  # noqa: BLE001 - another input may fit
                continue
    return "", "X", type(model).__name__


def hold(models: Iterable[tuple[str, Any]], formats: Callable[[int], Iterable[int]], folder: Path) -> int:
    """Assert that no model needs trust, and that each answers the same when loaded restricted; count the files."""
    data = inputs()
    joblib.dump(data, folder / "inputs.joblib")
    expected: dict[str, Any] = {}
    uses, stopped = [], []
    for number, (name, model) in enumerate(models):
        method, key, answer = use_of(model, data)
        for index in formats(number):
            file, dump = FORMATS[index]
            place = folder / f"{number} {index} {name}".replace("/", "-")
            place.mkdir()
            (place / file).write_bytes(dump(model))
            outcome = checks.RULES["U01"].apply(
                checks.CheckContext(Model(name="m"), Version(), artifacts.inspect_model_dir(place))
            )
            if not isinstance(outcome, checks.Passed):
                stopped.append((name, outcome))
            uses.append((f"{place.name}/{file}", method, key))
            expected[uses[-1][0]] = answer
    assert stopped == []
    (folder / "models.json").write_text(json.dumps(uses))
    command = [sys.executable, str(SCRIPT), str(catalog.pickle_globals.path()), str(folder)]
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # of tiny models more only wait for each other
    environment = {**os.environ, **one_thread}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    answers = json.loads((folder / "answers.json").read_text())
    expected = json.loads(json.dumps(expected, default=str))  # NaN and dates compare as their texts
    assert {name: answers[name] for name in expected if str(answers[name]) != str(expected[name])} == {}
    return len(uses)


@pytest.mark.slow
def test_compositions_of_libraries_need_no_trust_and_predict_equally(tmp_path: Path) -> None:
    """The kinds of models of which 12 of 72 were stopped once, each in every format."""
    models = made(specimens_compositions.specimens())
    assert hold(models, lambda _: range(len(FORMATS)), tmp_path) >= 72 * len(FORMATS)


@pytest.mark.slow
def test_every_estimator_needs_no_trust_and_predicts_equally(tmp_path: Path) -> None:
    models = made(specimens_sklearn.specimens())
    assert hold(models, lambda number: (0, 1 + number % 4), tmp_path) >= 500
