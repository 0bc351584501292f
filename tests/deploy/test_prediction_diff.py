from __future__ import annotations

import pytest

from aip_magics.deploy.prediction_diff import difference


@pytest.mark.parametrize("same", [({"predictions": [1, 0.5]}, {"predictions": [1.0, 0.5000001]}), (["a"], ["a"])])
def test_prediction_diff_of_equal_predictions(same: tuple[object, object]) -> None:
    assert difference(*same) is None


@pytest.mark.parametrize(
    ("local", "online", "at"),
    [
        ({"predictions": [1]}, {"predictions": [2]}, "predictions[0]: 1 locally, 2 online"),
        ({"predictions": [[0.1, 0.2]]}, {"predictions": [[0.1, 0.3]]}, "predictions[0][1]"),
        ({"predictions": [1]}, {"predictions": [1, 1]}, "predictions"),
        ({"predictions": [True]}, {"predictions": [1.5]}, "predictions[0]"),
        ({"predictions": ["a"]}, {"error": "x"}, ""),
    ],
)
def test_prediction_diff_names_the_difference(local: object, online: object, at: str) -> None:
    assert (difference(local, online) or "").startswith(at)
    assert difference(local, online)
