"""What the model's code writes, passed on to the standard error of the container, where the platform collects it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path

PAUSE_SECONDS = 0.2
MOST_BYTES = 4 << 20  # of a log, which is cut once it was passed on
CHUNK = 1 << 20


class WorkerLogs:
    """The logs of workers: a file each, which is followed until its worker has ended."""

    def __init__(self) -> None:
        self._passed: dict[Path, int] = {}  # bytes of each log that were passed on
        self._task: asyncio.Task[None] | None = None

    def follow(self, path: Path) -> None:
        """Pass on what is in a log, and what will be."""
        self._passed[path] = 0
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    def end(self, path: Path) -> None:
        """Pass on the rest of a log, and delete it."""
        passed = self._passed.pop(path, None)
        if passed is not None:
            self._pass_on(path, passed)
            path.unlink(missing_ok=True)

    async def close(self) -> None:
        """Pass on the rest of all logs."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        for path in list(self._passed):
            self.end(path)

    async def _run(self) -> None:
        while True:
            for path, passed in list(self._passed.items()):
                size = self._pass_on(path, passed)
                if size > MOST_BYTES:  # the worker appends: it goes on at the new end
                    with contextlib.suppress(OSError):
                        os.truncate(path, 0)
                        size = 0
                self._passed[path] = size
            await asyncio.sleep(PAUSE_SECONDS)

    def _pass_on(self, path: Path, passed: int) -> int:
        """Write what follows the first bytes of a log, up to its present end; how many bytes were passed on by then."""
        with contextlib.suppress(OSError):
            size = path.stat().st_size
            if size == passed:
                return passed
            with path.open("rb") as file:
                file.seek(passed)
                # Not until there is no more: a worker may write faster than the platform reads.
                while block := file.read(min(CHUNK, size - passed)):
                    passed += len(block)
                    sys.stderr.buffer.write(block)
            sys.stderr.flush()
        return passed
