"""Progress of a transfer: bytes, files, current rate."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator

_WINDOW = 5.0  # seconds over which the rate is averaged


@dataclasses.dataclass(frozen=True)
class ProgressSnapshot:
    """State of a transfer at one moment. Sizes in bytes, `rate` in bytes per second; `name` is a file in transfer.

    `assembling` is a file whose parts the server is assembling; `seconds_left` is None while the rate is unknown.
    """

    done: int
    total: int
    files_done: int
    files_total: int
    rate: float = 0.0
    name: str = ""
    assembling: str = ""

    @property
    def seconds_left(self) -> float | None:
        return (self.total - self.done) / self.rate if self.rate > 0 else None


OnProgress = Callable[[ProgressSnapshot], None]


class ProgressTracker:
    """Thread-safe counters of one transfer. `clock` gives seconds and never goes back."""

    def __init__(self, total: int, files: int, clock: Callable[[], float]) -> None:
        self._total = total
        self._files = files
        self._clock = clock
        self._lock = threading.Lock()
        self._done = 0
        self._files_done = 0
        self._name = ""
        self._assembling: dict[str, None] = {}  # names, in the order of their starts
        self._marks: collections.deque[tuple[float, int]] = collections.deque([(clock(), 0)])

    @property
    def bytes_done(self) -> int:
        """Bytes so far; decreases when bytes have to be sent again."""
        return self._done

    def add_bytes(self, count: int, name: str) -> None:
        """Count bytes of this file; a negative `count` takes back bytes that have to be sent again."""
        with self._lock:
            self._done += count
            self._name = name

    def add_resumed_bytes(self, count: int) -> None:
        """Count bytes that an earlier run has transferred; they do not affect the rate."""
        with self._lock:
            self._done += count
            self._marks = collections.deque((then, before + count) for then, before in self._marks)

    def grow_total(self, count: int) -> None:
        """Add bytes to the total."""
        with self._lock:
            self._total += count

    def file_done(self) -> None:
        with self._lock:
            self._files_done += 1

    @contextlib.contextmanager
    def assembly(self, name: str) -> Iterator[None]:
        """Show that the server is assembling the parts of this file."""
        with self._lock:
            self._assembling[name] = None
        try:
            yield
        finally:
            with self._lock:
                del self._assembling[name]

    def snapshot(self) -> ProgressSnapshot:
        now = self._clock()
        with self._lock:
            while len(self._marks) > 1 and self._marks[0][0] < now - _WINDOW:
                self._marks.popleft()
            then, before = self._marks[0]
            rate = max(0.0, (self._done - before) / (now - then)) if now > then else 0.0
            if now - self._marks[-1][0] >= _WINDOW / 20:
                self._marks.append((now, self._done))
            assembling = next(iter(self._assembling), "")
            return ProgressSnapshot(
                self._done, self._total, self._files_done, self._files, rate, self._name, assembling
            )
