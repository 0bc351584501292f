"""Counters and percentiles."""

from __future__ import annotations

import random

import pytest

from aip_magics.server.serving.statistics import Histogram, Statistics


@pytest.mark.parametrize("spread", [0.1, 1.0, 2.0])
def test_statistics_percentiles_are_right_to_ten_percent(spread: float) -> None:
    dice = random.Random(7)
    durations = sorted(dice.lognormvariate(-5, spread) for _ in range(5000))
    histogram = Histogram()
    for duration in durations:
        histogram.add(duration)
    for percent in (1, 50, 95, 99, 100):
        exact = durations[max(0, -(-len(durations) * percent // 100) - 1)]
        assert exact <= histogram.percentile(percent) * (1 + 1e-9)
        assert histogram.percentile(percent) <= max(exact * 1.11, 51e-6)


def test_statistics_of_extremes() -> None:
    histogram = Histogram()
    assert histogram.percentile(50) == 0.0
    for seconds in (0.0, 1e-9, 500.0):
        histogram.add(seconds)
    assert histogram.percentile(50) <= 50e-6
    assert 100 < histogram.percentile(99) <= histogram.longest == 500.0


def test_statistics_count_requests_and_errors() -> None:
    statistics = Statistics()
    assert statistics.to_json()["requests"] == 0
    for status, count in ((200, 97), (400, 2), (504, 1)):
        for _ in range(count):
            statistics.record(status, 0.001 if status == 200 else 0.5)
    shown = statistics.to_json()
    assert (shown["requests"], shown["errors"], shown["errorsByStatus"]) == (100, 3, {"400": 2, "504": 1})
    assert shown["latencyMs"]["p50"] == pytest.approx(1, rel=0.11)
    assert shown["latencyMs"]["p99"] == shown["latencyMs"]["max"] == 500.0
