"""How far a transfer is: bytes that left (or reached) the machine, files that are done, the rate of late."""

from __future__ import annotations

import collections
import dataclasses
import threading
from collections.abc import Callable

_WINDOW = 5.0  # seconds over which the rate is taken


@dataclasses.dataclass(frozen=True)
class Standing:
    """A transfer at a moment. Sizes in bytes, `rate` in bytes per second; `name` is a file being worked on.

    `seconds_left` is None as long as nothing can be said.
    """

    done: int
    total: int
    files_done: int
    files_total: int
    rate: float = 0.0
    name: str = ""

    @property
    def seconds_left(self) -> float | None:
        return (self.total - self.done) / self.rate if self.rate > 0 else None


OnProgress = Callable[[Standing], None]


class Meter:
    """Counts for all threads of a transfer. `clock` gives seconds and never goes back."""

    def __init__(self, total: int, files: int, clock: Callable[[], float]) -> None:
        self._total = total
        self._files = files
        self._clock = clock
        self._lock = threading.Lock()
        self._done = 0
        self._files_done = 0
        self._name = ""
        self._marks: collections.deque[tuple[float, int]] = collections.deque([(clock(), 0)])

    @property
    def moved(self) -> int:
        """Bytes so far; goes back when something is sent again."""
        return self._done

    def add(self, count: int, name: str) -> None:
        """`count` more bytes of this file (fewer, when it is negative: they have to be sent again)."""
        with self._lock:
            self._done += count
            self._name = name

    def found(self, count: int) -> None:
        """`count` bytes were there already, from an earlier run: they are done, at no rate."""
        with self._lock:
            self._done += count
            self._marks = collections.deque((then, before + count) for then, before in self._marks)

    def more(self, count: int) -> None:
        """`count` more bytes have to be moved than was thought."""
        with self._lock:
            self._total += count

    def file_done(self) -> None:
        with self._lock:
            self._files_done += 1

    def standing(self) -> Standing:
        now = self._clock()
        with self._lock:
            while len(self._marks) > 1 and self._marks[0][0] < now - _WINDOW:
                self._marks.popleft()
            then, before = self._marks[0]
            rate = max(0.0, (self._done - before) / (now - then)) if now > then else 0.0
            if now - self._marks[-1][0] >= _WINDOW / 20:
                self._marks.append((now, self._done))
            return Standing(self._done, self._total, self._files_done, self._files, rate, self._name)
