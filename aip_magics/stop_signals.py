"""The signals that stop a server process."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any


@contextlib.contextmanager
def handled_by(handler: Callable[[int, FrameType | None], Any]) -> Iterator[None]:
    """Let `handler` handle SIGINT and SIGTERM within the block; a signal is not raised again at its end.

    Unlike `uvicorn.Server.capture_signals`, which does so, and thus would end the process before its workers.
    """
    previous = {each: signal.signal(each, handler) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler_before in previous.items():
            signal.signal(each, handler_before)
