"""How many requests run at a time, with a clock and a network of the test."""

from __future__ import annotations

from collections.abc import Callable

from aip_magics.storage.thread_pool import ConcurrencyController


class Network:
    """`rate(limit)`: requests of `size` bytes that complete in a second."""

    def __init__(self, rate: Callable[[int], float], size: int) -> None:
        self.now = 0.0
        self.moved = 0
        self.concurrency = ConcurrencyController(lambda: self.now)
        self._rate = rate
        self._size = size

    def run(self, seconds: float) -> int:
        """Let time pass with enough to do; returns the limit at its end."""
        end = self.now + seconds
        while self.now < end:
            self.now += 0.05
            for _ in range(round(self._rate(self.concurrency.limit) * 0.05)):
                self.moved += self._size
                self.concurrency.request_done()
            self.concurrency.adjust(self.moved, self.concurrency.limit, 1000)
        return self.concurrency.limit


def test_concurrency_doubles_while_the_rate_grows() -> None:
    assert Network(lambda limit: limit / 0.03, 4096).run(2.0) == 64


def test_concurrency_goes_back_after_an_increase_without_effect() -> None:
    assert Network(lambda limit: 1500, 4096).run(10.0) == 8


def test_concurrency_stays_when_the_network_is_full() -> None:
    assert Network(lambda limit: min(limit, 16) / 0.03, 4096).run(10.0) == 16


def test_concurrency_halves_once_for_many_refusals_and_recovers() -> None:
    network = Network(lambda limit: limit / 0.03, 4096)
    network.run(2.0)
    for _ in range(50):
        network.concurrency.slow_down()
    assert network.run(1.0) == 32
    assert network.run(10.0) == 64


def test_concurrency_is_low_on_a_slow_network() -> None:
    """At 100 kB/s a part of 8 MiB must not share the network with seven others."""
    network = Network(lambda limit: 0.0, 0)
    for _ in range(100):
        network.now += 0.05
        network.moved += 5_000
        network.concurrency.adjust(network.moved, network.concurrency.limit, 100)
    assert network.concurrency.limit <= 4
