"""The timings of one request, with the service's names."""

# ruff: noqa: UP035

import contextlib
import time
from typing import Any, Dict, Iterator


class Stats(Dict[str, Any]):  # noqa: UP006
    """A dictionary that can time a block in whole microseconds; also passed to routines as `stats`."""

    @contextlib.contextmanager
    def time(self, name: str) -> "Iterator[None]":
        """Record the duration of a block as `name`, unless the block raises."""
        start = time.perf_counter()
        yield
        self[name] = int((time.perf_counter() - start) * 1e6)
