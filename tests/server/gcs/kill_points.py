"""Points of the assembly of a multipart upload at which the process of the server kills itself, as kill -9 does."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aip_magics.server.gcs import part_assembly
from aip_magics.server.gcs.blobs import append_range
from aip_magics.server.gcs.store_core import StoreCore


def arm(point: str) -> None:
    """Have the process end at this point."""
    _POINTS[point]()


def _kill(*_args: Any, **_options: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def _at_append(number: int, share: float) -> Callable[[], None]:
    """When `share` of the bytes of the append with this number, from 1, are in the file."""
    calls = []

    def append(target: Any, source: Path, start: int, count: int) -> None:
        calls.append(source)
        append_range(target, source, start, int(count * share) if len(calls) == number else count)
        if len(calls) == number:
            _kill()

    return lambda: setattr(part_assembly, "append_range", append)


def _after_commit() -> None:
    publish = StoreCore.publish

    def publish_and_kill(*args: Any, **options: Any) -> Any:
        publish(*args, **options)
        _kill()

    setattr(StoreCore, "publish", publish_and_kill)  # noqa: B010 - mypy refuses an assignment


_POINTS: dict[str, Callable[[], None]] = {
    "first-append": _at_append(1, 0.5),
    "in-part": _at_append(3, 0.5),
    "before-deletion": _at_append(3, 1.0),
    "before-commit": lambda: setattr(StoreCore, "put", _kill),
    "after-commit": _after_commit,
}
