from __future__ import annotations

import pytest

from aip_magics.render import formatting


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-1, "0.0 s"),
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.7, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3600, "1 h 00 min"),
        (90061, "25 h 01 min"),
    ],
)
def test_formatting_of_durations(seconds, shown):
    assert formatting.duration(seconds) == shown


@pytest.mark.parametrize(
    ("done", "total", "unit", "shown"),
    [
        (0, 0, "bytes", "0 B"),
        (12, 900, "bytes", "12 of 900 B"),
        (12, 1500, "bytes", "0.0 of 1.5 kB"),
        (3_400_000, 10_000_000, "bytes", "3.4 of 10.0 MB"),
        (5 * 10**12, 0, "bytes", "5,000.0 GB"),
        (1, 2000, "files", "1 of 2,000 files"),
        (7, 0, "instances", "7 instances"),
    ],
)
def test_formatting_of_amounts(done, total, unit, shown):
    assert formatting.amount(done, total, unit) == shown


@pytest.mark.parametrize(
    ("created", "later", "shown"),
    [
        ("1970-01-01T00:00:00Z", 0, "0 seconds"),
        ("1970-01-01T00:00:00.123456789Z", 1, "1 second"),
        ("1970-01-01T00:00:00Z", 119, "1 minute"),
        ("1970-01-01T00:00:00Z", 2 * 86400, "2 days"),
        ("1970-01-02T00:00:00Z", 5, "0 seconds"),
        ("yesterday", 5, ""),
        (None, 5, ""),
    ],
)
def test_formatting_of_ages(created, later, shown):
    assert formatting.age(created, float(later)) == shown


def test_formatting_width_of_korean_and_combining_letters():
    assert formatting.width("붓꽃 a") == 6
    assert formatting.width("é") == 1


def test_formatting_of_a_first_line():
    assert formatting.first_line("\n  \nwhat\nmore") == "what"
    assert formatting.first_line("") == ""
