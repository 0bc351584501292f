"""Timings of one request, under the service's names."""

# ruff: noqa: UP035

import contextlib
import time
from typing import Any, Dict, Iterator


class Stats(Dict[str, Any]):  # noqa: UP006
    """What a routine gets as `stats`, too: a dictionary that can time a block, in whole microseconds."""

    @contextlib.contextmanager
    def time(self, name: str) -> "Iterator[None]":
        """Record how long a block takes as `name`; nothing is recorded when it raises."""
        start = time.perf_counter()
        yield
        self[name] = int((time.perf_counter() - start) * 1e6)
