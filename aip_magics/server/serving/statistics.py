"""Counters and latencies of one version since the server started, in a few hundred bytes, and of ended nodes."""

from __future__ import annotations

import collections
import math
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

FIRST_BUCKET = 50e-6  # seconds; what is faster falls into it, too
GROWTH = 1.1  # each bucket ends so much later than the one before: percentiles are right to 10 %
BUCKETS = 160  # the last one begins at more than 100 s
PERCENTILES = (50, 95, 99)


class Histogram:
    """Durations in buckets whose limits grow geometrically."""

    def __init__(self) -> None:
        self._counts = [0] * BUCKETS
        self.count = 0
        self.longest = 0.0

    def add(self, seconds: float) -> None:
        place = math.ceil(math.log(seconds / FIRST_BUCKET, GROWTH)) if seconds > FIRST_BUCKET else 0
        self._counts[min(place, BUCKETS - 1)] += 1
        self.count += 1
        self.longest = max(self.longest, seconds)

    def percentile(self, percent: float) -> float:
        """Seconds that so many percent of the durations did not pass; 0.0 without any."""
        rank = math.ceil(self.count * percent / 100)
        for place, count in enumerate(self._counts):
            rank -= count
            if rank <= 0:
                return min(FIRST_BUCKET * GROWTH**place, self.longest)
        return self.longest


class Statistics:
    """`record` takes every answered request."""

    def __init__(self) -> None:
        self._latency = Histogram()
        self._statuses: dict[int, int] = {}

    def record(self, status: int, seconds: float) -> None:
        """`status` is the HTTP status of the answer, `seconds` the time from the whole request to it."""
        self._statuses[status] = self._statuses.get(status, 0) + 1
        self._latency.add(seconds)

    def to_json(self) -> Mapping[str, Any]:
        requests = sum(self._statuses.values())
        errors = {str(status): count for status, count in sorted(self._statuses.items()) if status >= 400}
        percentiles = {f"p{percent}": _ms(self._latency.percentile(percent)) for percent in PERCENTILES}
        return {
            "requests": requests,
            "errors": sum(errors.values()),
            "errorsByStatus": errors,
            "latencyMs": {**percentiles, "max": _ms(self._latency.longest)},
        }


class EndedNodes:
    """How many nodes ended for want of a resource, and when the last one did."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._counts: collections.Counter[str] = collections.Counter()
        self._last: datetime | None = None

    def record(self, resource: str) -> None:
        self._counts[resource] += 1
        self._last = self._clock()

    def to_json(self) -> dict[str, Any]:
        last = {"last": self._last.isoformat(timespec="seconds").replace("+00:00", "Z")} if self._last else {}
        return {"memory": self._counts["memory"], "descriptors": self._counts["descriptors"], **last}


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
