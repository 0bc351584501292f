"""Threads that work a queue of requests off: as many at a time as the line and the other end bear."""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable, Iterable

from aip_magics.storage.retry import Again

Task = Callable[[], None]
TICK = 0.05  # seconds between looks at the clock, a stop and the progress
_WINDOW = 0.25  # seconds over which a number of requests at a time is judged, unless
_ROUNDS = 2  # that many times the number went through before
_BUSY = 0.7  # of one processor
_START = 8  # requests at a time
_START_NEAR = 3  # where answers come so soon that threads mostly wait for each other
_START_FAR = 16  # where threads mostly wait for answers
_NEAR, _FAR = 0.005, 0.02  # seconds
_FEWEST = 2  # one of them may be the lane, which is there all the time
_REST = 5.0  # seconds after which more is tried again when less had been asked for
_REQUEST = 64 << 10  # a request costs as much as that many bytes: so small files and big ones have one measure
_LEAST_RATE = 128 << 10  # bytes/s that a stream of a big file should have: a part must not take minutes


class Stopped(Exception):
    """The work was told to stop; nothing failed."""


class Pace:
    """How many requests run at a time: doubled while that brings more, halved when the other end asks for less.

    `work` is the processor time of this process in seconds. Where that is what takes the time, more threads would only
    wait for each other.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        start: int = _START,
        most: int = 64,
        work: Callable[[], float] = time.process_time,
    ) -> None:
        self._clock = clock
        self._work = work
        self._worked = work()
        self._most = most
        self._lock = threading.Lock()
        self.limit = min(start, most)
        self._before: tuple[int, float] | None = None  # limit and rate before the last step up
        self._climbing = True
        self._since = clock()
        self._last_halving = float("-inf")
        self._requests = 0
        self._bytes = 0

    def done(self) -> None:
        """A request is through."""
        with self._lock:
            self._requests += 1

    def slow_down(self) -> None:
        """The other end asked for less (429, 503). Many answers at once count as one."""
        with self._lock:
            now = self._clock()
            if now - self._last_halving >= 1.0:
                self._last_halving = now
                self.limit = max(_FEWEST, self.limit // 2)
                self._climbing, self._before = False, None

    def review(self, moved: int, busy: int, waiting: int) -> None:
        """Judge the last window. `moved` bytes so far, `busy` requests run, `waiting` more are queued."""
        with self._lock:
            now = self._clock()
            passed = now - self._since
            if passed < _WINDOW and (passed < TICK or self._requests < _ROUNDS * self.limit):
                return
            more = max(0, moved - self._bytes)
            rate = (more + self._requests * _REQUEST) / passed
            big = more > 16 * self._requests * _REQUEST
            worked = self._work()
            waits = worked - self._worked < _BUSY * passed
            self._since, self._bytes, self._requests, self._worked = now, moved, 0, worked
            if not self._climbing and now - self._last_halving > _REST and self._last_halving > 0:
                self._climbing, self._last_halving = True, float("-inf")
            if big and rate < self.limit * _LEAST_RATE:
                self.limit = max(_FEWEST, min(self.limit, int(rate / _LEAST_RATE)))
                self._before = None
            elif self._climbing and waits and waiting and busy >= self.limit:
                self._climb(rate)

    def _climb(self, rate: float) -> None:
        if self._before is not None and rate < 1.2 * self._before[1]:
            self.limit, self._climbing = self._before[0], False  # it brought nothing
        elif self.limit < self._most:
            self._before = (self.limit, rate)
            self.limit = min(self._most, 2 * self.limit)


def first_limit(soonest: float) -> int:
    """How many requests to begin with where an answer takes so many seconds at best (inf: not known)."""
    if soonest < _NEAR:
        return _START_NEAR
    return _START_FAR if _FAR < soonest < float("inf") else _START


class Crew:
    """Runs tasks on daemon threads. The first one that raises ends the run; `Stopped` of the others is nothing."""

    def __init__(
        self, pace: Pace, interrupt: Callable[[], None], clock: Callable[[], float], patience: float = 0.1
    ) -> None:
        """`interrupt` breaks off what threads wait for; `patience` is how long a stop waits for them, in seconds."""
        self.pace = pace
        self.stopping = threading.Event()
        self._interrupt = interrupt
        self._clock = clock
        self._patience = patience
        self._changed = threading.Condition()
        self._queue: collections.deque[Task] = collections.deque()
        self._threads: list[threading.Thread] = []
        self._busy = 0
        self._ended = False
        self._failure: BaseException | None = None

    def add(self, tasks: Iterable[Task], *, first: bool = False) -> None:
        """Queue tasks; with `first` before all that wait, in this order."""
        with self._changed:
            if first:
                self._queue.extendleft(reversed(list(tasks)))
            else:
                self._queue.extend(tasks)
            self._changed.notify_all()

    def check(self) -> None:
        """Stopped when the work is to stop. Tasks ask this often."""
        if self.stopping.is_set():
            raise Stopped

    def fault(self, fault: Again) -> None:
        """A try failed: Stopped when that was because the work is to stop, and slower where that is asked for."""
        self.check()
        if fault.slow:
            self.pace.slow_down()

    def pause(self, seconds: float) -> None:
        """Wait; Stopped when the work is to stop."""
        if self.stopping.wait(seconds):
            raise Stopped

    def run(self, on_tick: Callable[[], None], moved: Callable[[], int]) -> None:
        """Until all tasks, and those they add, are done. `on_tick` is called on this thread and may raise to stop.

        Raises what the first failing task raised. Whatever is raised, the threads have stopped, or will at once.
        """
        self._ended, self._threads = False, []
        try:
            while self._more():
                on_tick()
                with self._changed:
                    self.pace.review(moved(), self._busy, len(self._queue))
                    self._changed.notify_all()  # there may be room for more
        finally:
            self._end()
        if self._failure is not None:
            raise self._failure

    def _more(self) -> bool:
        """Start threads that are wanted, wait a tick; False when all is done or something failed."""
        with self._changed:
            for _ in range(self._missing()):
                thread = threading.Thread(target=self._work, name="storage", daemon=True)
                self._threads.append(thread)
                thread.start()
            if self._idle() or self._failure:
                return False
            self._changed.wait_for(lambda: self._idle() or self._failure is not None or self._missing() > 0, TICK)
            return True

    def _missing(self) -> int:
        """Threads that there is work for."""
        return min(self.pace.limit, self._busy + len(self._queue)) - len(self._threads)

    def _idle(self) -> bool:
        return not self._queue and not self._busy

    def _end(self) -> None:
        with self._changed:
            done = self._idle() and self._failure is None
            self._ended = True
            if not done:
                self.stopping.set()
                self._queue.clear()
            self._changed.notify_all()
        if not done:
            self._interrupt()
        deadline = self._clock() + self._patience
        for thread in self._threads:
            thread.join(max(0.0, deadline - self._clock()))

    def _work(self) -> None:
        while (task := self._next()) is not None:
            failure: BaseException | None = None
            try:
                task()
            except Stopped:
                pass
            except BaseException as error:  # noqa: BLE001 - it is raised again, on the thread that waits
                failure = error
            self.pace.done()
            with self._changed:
                self._busy -= 1
                if failure is not None and self._failure is None and not self.stopping.is_set():
                    self._failure = failure
                if failure is not None or self._idle():
                    self._changed.notify_all()

    def _next(self) -> Task | None:
        with self._changed:
            while not self._ended:
                if self._queue and self._busy < self.pace.limit:
                    self._busy += 1
                    return self._queue.popleft()
                self._changed.wait(1.0)
        return None
