"""How many requests run at a time, by a clock and a line that the test makes."""

from __future__ import annotations

from collections.abc import Callable

from aip_magics.storage.crew import Pace


class Line:
    """A line and what it bears: `rate(limit)` is the requests of `size` bytes that go through in a second."""

    def __init__(self, rate: Callable[[int], float], size: int) -> None:
        self.now = 0.0
        self.moved = 0
        self.pace = Pace(lambda: self.now)
        self._rate = rate
        self._size = size

    def run(self, seconds: float) -> int:
        """Let time pass with enough to do; returns the limit at its end."""
        end = self.now + seconds
        while self.now < end:
            self.now += 0.05
            for _ in range(round(self._rate(self.pace.limit) * 0.05)):
                self.moved += self._size
                self.pace.done()
            self.pace.review(self.moved, self.pace.limit, 1000)
        return self.pace.limit


def test_it_doubles_while_that_brings_more() -> None:
    assert Line(lambda limit: limit / 0.03, 4096).run(2.0) == 64


def test_it_goes_back_where_more_brings_nothing() -> None:
    assert Line(lambda limit: 1500, 4096).run(10.0) == 8


def test_it_stops_where_the_line_is_full() -> None:
    assert Line(lambda limit: min(limit, 16) / 0.03, 4096).run(10.0) == 16


def test_it_halves_once_for_many_refusals_and_recovers() -> None:
    line = Line(lambda limit: limit / 0.03, 4096)
    line.run(2.0)
    for _ in range(50):
        line.pace.slow_down()
    assert line.run(1.0) == 32
    assert line.run(10.0) == 64


def test_a_slow_line_gets_few_streams() -> None:
    """At 100 kB/s a part of 8 MiB must not share the line with seven others."""
    line = Line(lambda limit: 0.0, 0)
    for _ in range(100):
        line.now += 0.05
        line.moved += 5_000
        line.pace.review(line.moved, line.pace.limit, 100)
    assert line.pace.limit <= 4
