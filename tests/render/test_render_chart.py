"""Class probabilities as bars: only where they are probabilities, and never more than there is room for."""

from __future__ import annotations

import pytest

from aip_magics.render import html, text
from aip_magics.render.panels.chart import MAX_BARS, probabilities


def test_chart_has_a_bar_for_each_class_of_a_few_predictions():
    chart = probabilities([[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]])
    assert chart is not None
    assert len(chart.rows) == 6
    page = html.of({"predictions": [[0.1, 0.2, 0.7]]})
    assert page.count("<progress") == 3
    assert 'aria-label="class 2"' in page
    assert "[##############------] 0.700" in text.of({"predictions": [[0.1, 0.2, 0.7]]})


def test_chart_has_a_bar_for_the_likeliest_class_of_many():
    chart = probabilities([[0.1, 0.9]] * 100)
    assert chart is not None
    assert (len(chart.rows), chart.total) == (MAX_BARS, 100)
    assert "most likely class" in chart.heads
    assert len(html.of({"predictions": [[0.1, 0.9]] * 100}).encode()) <= 4096


def test_chart_of_objects_with_one_list_of_probabilities():
    assert probabilities([{"class": 1, "scores": [0.4, 0.6]}]) is not None
    assert probabilities([{"a": [0.4, 0.6], "b": [0.5, 0.5]}]) is None  # which of them?


@pytest.mark.parametrize(
    "predictions",
    [
        [],
        [0, 1, 2],
        [[1, 0]],
        [[0.1, 0.1]],
        [[1.5, -0.5]],
        [[0.5, 0.5], 3],
        [["a", "b"]],
        [[1.0]],
        [[float("nan"), 0.5]],
    ],
)
def test_chart_is_not_drawn_without_probabilities(predictions):
    assert probabilities(predictions) is None
