"""The fix for a failed prediction fits the failure, and works when followed; where none is known, there is none."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import xgboost
from sklearn.cluster import DBSCAN
from sklearn.compose import ColumnTransformer
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from aip_magics import i18n
from aip_magics.errors import PredictionError
from aip_magics.prediction import WorkerClient
from aip_magics.prediction.messages import WorkerMessage
from aip_magics.prediction.worker_responses import response_error

pandas: Any = pytest.importorskip("pandas")
X = np.array([[i % 7, i % 3] for i in range(20)], dtype=float)
Y = np.arange(20) % 2
FRAME = pandas.DataFrame(X, columns=["a", "b"])
BY_NAME = make_pipeline(ColumnTransformer([("s", StandardScaler(), ["a", "b"])]), LogisticRegression())
BY_NUMBER = make_pipeline(ColumnTransformer([("s", StandardScaler(), [0, 1])]), LogisticRegression())
LOGISTIC = LogisticRegression().fit(X, Y)
Start = Callable[..., WorkerClient]


def asked(forked: Start, folder: Path, model: object, instances: object, **keys: object) -> Any:
    joblib.dump(model, folder / "model.joblib")
    worker = forked(folder)
    worker.load()
    return json.loads(worker.predict(json.dumps({"instances": instances, **keys}).encode()))["predictions"]


def with_bytes() -> LogisticRegression:
    """A classifier with labels of bytes, which scikit-learn takes up to 1.8."""
    model = LogisticRegression().fit(X, Y)
    model.classes_ = np.array([b"no", "예".encode()])
    return model


@pytest.mark.parametrize(
    ("model", "instances", "fix"),
    [
        (LOGISTIC, [[1, 2, 3]], "provide 2 values per instance, in the order of the columns used for training"),
        (xgboost.XGBClassifier(n_estimators=1, n_jobs=1).fit(X, Y), [[1, 2, 3]], "provide 2 values per instance"),
        (LOGISTIC, [1, 2], "write each instance as a list"),
        (LOGISTIC, [["a", 2]], "provide numbers"),
        (LOGISTIC, [[None, 2]], "provide instances without null"),
        (LOGISTIC, [[1, 2], [1]], "the same number of values in every instance"),
        (BY_NAME.fit(FRAME, Y), [[1, 2]], "train with column numbers"),
        (make_pipeline(OneHotEncoder(), LogisticRegression()).fit([["a"], ["b"]] * 10, Y), [["c"]], "handle_unknown"),
    ],
)
def test_predict_hints_fit_the_failure(
    forked: Start, tmp_path: Path, model: object, instances: object, fix: str
) -> None:
    with pytest.raises(PredictionError) as caught:
        asked(forked, tmp_path, model, instances)
    assert caught.value.kind == "FAILED_TO_RUN_MODEL"
    assert fix in caught.value.fix


def test_predict_hints_do_not_blame_columns_for_another_failure(forked: Start, tmp_path: Path) -> None:
    with pytest.raises(PredictionError) as caught:
        asked(forked, tmp_path, DBSCAN().fit(X), [[1, 2]])
    assert "columns" not in caught.value.fix


def test_predict_hints_that_can_be_followed_work(forked: Start, tmp_path: Path) -> None:
    assert asked(forked, tmp_path, BY_NUMBER.fit(X, Y), [[1, 2]]) == BY_NUMBER.predict([[1, 2]]).tolist()
    encoder = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit([["a"], ["b"]] * 10, Y)
    assert len(asked(forked, tmp_path, encoder, [["c"]])) == 1


def test_predict_hints_decode_labels_of_bytes(forked: Start, tmp_path: Path) -> None:
    model = with_bytes()
    with pytest.raises(PredictionError) as caught:
        asked(forked, tmp_path, model, X.tolist())
    assert caught.value.kind == "INVALID_OUTPUTS"
    line = caught.value.fix.partition(": ")[2].partition(";")[0]
    exec(line, {"model": model, "numpy": np})
    assert set(asked(forked, tmp_path, model, X.tolist())) == {"no", "예"}


def test_predict_hints_of_several_arrays(forked: Start, tmp_path: Path) -> None:
    model = GaussianProcessRegressor().fit(X[:5], Y[:5])
    with pytest.raises(PredictionError) as caught:
        asked(forked, tmp_path, model, [[1.0, 2.0]], return_std=True)
    assert "omit the request keys" in caught.value.fix
    assert len(asked(forked, tmp_path, model, [[1.0, 2.0]])) == 1


@pytest.fixture
def korean() -> Iterator[None]:
    i18n.use("ko")
    yield
    i18n.use("en")


@pytest.mark.usefixtures("korean")
@pytest.mark.parametrize(
    ("error", "fix"),
    [
        ({"fix": "use a", "fix_template": "use {name}", "fix_values": {"name": "a"}}, i18n.gettext),
        ({"fix": "use a", "fix_template": "use {name}", "fix_values": {"other": "a"}}, None),
        ({"fix": "use a", "fix_template": "use {name}", "fix_values": {"name": ["a"]}}, None),
        ({"fix": "use a", "fix_template": "not in {name.__class__}", "fix_values": {"name": "a"}}, None),
        ({"fix": "use a"}, None),
    ],
)
def test_worker_fixes_are_translated_by_their_template(error: dict[str, Any], fix: Callable[..., str] | None) -> None:
    header = {"error": {"kind": "FAILED_TO_RUN_MODEL", "detail": "x", **error}}
    told = response_error(WorkerMessage(header, b""), Path("m"), "").fix
    assert told == (fix("use {name}", name="a") if fix else "use a")
    assert (told != "use a") == bool(fix)


def test_worker_sends_the_template_of_a_fix(forked: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The owner of the worker translates it: here by a catalogue with this one text."""
    template = "provide {count} values per instance, in the order of the columns used for training"
    monkeypatch.setattr(i18n, "_translations", lambda _language: Catalogue({template: "값 {count}개"}))
    with pytest.raises(PredictionError) as caught:
        asked(forked, tmp_path, LOGISTIC, [[1, 2, 3]])
    assert caught.value.fix == "값 2개"


class Catalogue:
    def __init__(self, texts: dict[str, str]) -> None:
        self.texts = texts

    def gettext(self, text: str) -> str:
        return self.texts.get(text, text)
