"""The worker's texts for errors of other libraries: short, and with a fix that fits."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import xgboost
from sklearn.cluster import DBSCAN
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from aip_magics.prediction.worker.errors import error_text
from aip_magics.prediction.worker.hints import ANOTHER_RELEASE, hint_for, release_hint

X = np.array([[1.0, 2.0], [2.0, 1.0]])


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        (b"c_loss\n__pyx_unpickle_CyHalfSquaredError\n.", ANOTHER_RELEASE),
        (b"csklearn.ensemble._gb_losses\nLeastSquaresError\n.", ANOTHER_RELEASE),
        (b"csklearn.linear_model.base\nLinearRegression\n.", ANOTHER_RELEASE),
        (b"csklearn.linear_model._sgd_fast\nAbsent\n.", ANOTHER_RELEASE),
        (b"cmy_absent_steps\nStep\n.", "install the package of my_absent_steps"),
    ],
)
def test_hint_for_a_model_of_another_release(name: bytes, fix: str) -> None:
    with pytest.raises((ImportError, AttributeError)) as caught:
        pickle.loads(b"\x80\x04" + name)
    assert hint_for(caught.value).startswith(fix)


def test_hint_for_the_nodes_of_an_older_tree() -> None:
    text = "node array from the pickle has an incompatible dtype:\n- expected: {}\n- got     : []"
    assert hint_for(ValueError(text)) == ANOTHER_RELEASE


def test_predict_hint_for_an_attribute_that_another_release_did_not_save() -> None:
    model = make_pipeline(SimpleImputer(), LogisticRegression()).fit(X, [0, 1])
    del model[0]._fill_dtype
    with pytest.raises(AttributeError, match="_fill_dtype") as caught:
        model.predict(X)
    assert release_hint(caught.value) == ANOTHER_RELEASE


def test_predict_hint_is_not_given_for_the_users_mistakes() -> None:
    with pytest.raises(AttributeError) as caught:
        DBSCAN().fit(X).predict(X)
    assert release_hint(caught.value) == ""
    with pytest.raises(AttributeError, match="lower") as caught:
        CountVectorizer().fit(["a text", "more"]).transform([["a", "list"]])
    assert release_hint(caught.value) == ""
    assert release_hint(ValueError("X has 2 features")) == ""


def test_error_text_of_xgboost_is_short() -> None:
    """No stack of C++ functions, no place in XGBoost's sources, not all names of the features."""
    with pytest.raises(xgboost.core.XGBoostError) as caught:
        xgboost.Booster(model_file=bytearray(b"booster[0]:\n0:leaf=0.1"))
    assert "Stack trace" in str(caught.value)
    text = error_text(caught.value)
    assert "Stack trace" not in text
    assert ".cc:" not in text
    assert text.startswith("Unknown construct")

    names = [f"feature {index}" for index in range(244)]
    matrix = xgboost.DMatrix(np.zeros((4, 244)), [0, 1, 0, 1], feature_names=names)
    booster = xgboost.train({"nthread": 1}, matrix, 1)
    with pytest.raises(ValueError, match="feature 243") as mismatch:
        booster.predict(xgboost.DMatrix(np.zeros((1, 244)), feature_names=[f"f{index}" for index in range(244)]))
    text = error_text(mismatch.value)
    assert "'feature 0', 'feature 1', 'feature 2', … and 241 more" in text
    assert len(text) < 500
    assert len(text.splitlines()) <= 3


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\na\n\n  b  ", "a\nb\n  b"),
        ("1\n2\n3\n4", "1\n2\n3 …"),
        ("expected a, b, c, d, e", "expected a, b, c, d, e"),
        ("", "ValueError"),
        ("x" * 900, "x" * 400 + "…"),
    ],
)
def test_error_text_keeps_three_lines(text: str, shown: str) -> None:
    assert error_text(ValueError(text)) == shown
