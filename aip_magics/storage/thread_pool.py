"""Thread pool with adaptive concurrency: as many requests at a time as the network and the server allow."""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable, Iterable

from aip_magics.retry import RetryableError

Task = Callable[[], None]
TICK = 0.05  # seconds between two checks of the clock, a stop and the progress
_WINDOW = 0.25  # seconds over which a concurrency is measured, unless
_ROUNDS = 2  # times the concurrency has completed before
_BUSY = 0.7  # of one processor
_INITIAL = 8  # requests at a time
_INITIAL_NEAR = 3  # for responses so fast that more threads mostly wait for each other
_INITIAL_FAR = 16  # for responses so slow that threads mostly wait for them
_NEAR, _FAR = 0.005, 0.02  # seconds
_MIN_CONCURRENCY = 2
_REST = 5.0  # seconds after a decrease before the concurrency grows again
_REQUEST_BYTES = 64 << 10  # cost of a request in bytes, so that small and large files have one measure
_MIN_STREAM_RATE = 128 << 10  # bytes/s of each large file: a part must not take minutes


class TransferStopped(Exception):
    """The transfer was stopped; nothing failed."""


class ConcurrencyController:
    """How many requests run at a time: doubled while the rate grows, halved when the server asks for less.

    `cpu_time` is the processor time of this process in seconds. If the processor is the limit, more threads would only
    wait for each other.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        initial: int = _INITIAL,
        maximum: int = 64,
        cpu_time: Callable[[], float] = time.process_time,
    ) -> None:
        self._clock = clock
        self._cpu_time = cpu_time
        self._cpu_before = cpu_time()
        self._maximum = maximum
        self._lock = threading.Lock()
        self.limit = min(initial, maximum)
        self._before: tuple[int, float] | None = None  # limit and rate before the last increase
        self._growing = True
        self._since = clock()
        self._last_decrease = float("-inf")
        self._requests = 0
        self._bytes = 0

    def request_done(self) -> None:
        """Count a completed request."""
        with self._lock:
            self._requests += 1

    def slow_down(self) -> None:
        """Halve the limit: the server asks for fewer requests (429, 503). Many responses at once count as one."""
        with self._lock:
            now = self._clock()
            if now - self._last_decrease >= 1.0:
                self._last_decrease = now
                self.limit = max(_MIN_CONCURRENCY, self.limit // 2)
                self._growing, self._before = False, None

    def adjust(self, transferred: int, running: int, queued: int) -> None:
        """Adjust the limit at the end of a window, from the bytes so far and the running and queued requests."""
        with self._lock:
            now = self._clock()
            passed = now - self._since
            if passed < _WINDOW and (passed < TICK or self._requests < _ROUNDS * self.limit):
                return
            more = max(0, transferred - self._bytes)
            rate = (more + self._requests * _REQUEST_BYTES) / passed
            large = more > 16 * self._requests * _REQUEST_BYTES
            cpu_now = self._cpu_time()
            waits = cpu_now - self._cpu_before < _BUSY * passed
            self._since, self._bytes, self._requests, self._cpu_before = now, transferred, 0, cpu_now
            if not self._growing and now - self._last_decrease > _REST and self._last_decrease > 0:
                self._growing, self._last_decrease = True, float("-inf")
            if large and rate < self.limit * _MIN_STREAM_RATE:
                self.limit = max(_MIN_CONCURRENCY, min(self.limit, int(rate / _MIN_STREAM_RATE)))
                self._before = None
            elif self._growing and waits and queued and running >= self.limit:
                self._increase(rate)

    def _increase(self, rate: float) -> None:
        if self._before is not None and rate < 1.2 * self._before[1]:
            self.limit, self._growing = self._before[0], False  # the last increase had no effect
        elif self.limit < self._maximum:
            self._before = (self.limit, rate)
            self.limit = min(self._maximum, 2 * self.limit)


def initial_concurrency(best_latency: float) -> int:
    """Requests to start with, by the seconds that a response takes at best (inf: unknown)."""
    if best_latency < _NEAR:
        return _INITIAL_NEAR
    return _INITIAL_FAR if _FAR < best_latency < float("inf") else _INITIAL


class TransferThreadPool:
    """Runs tasks on daemon threads. The first error of a task ends the run."""

    def __init__(
        self,
        concurrency: ConcurrencyController,
        interrupt: Callable[[], None],
        clock: Callable[[], float],
        stop_timeout: float = 0.1,
    ) -> None:
        """`interrupt` aborts the requests of all threads; a stop waits `stop_timeout` seconds for the threads."""
        self.concurrency = concurrency
        self.stopping = threading.Event()
        self._interrupt = interrupt
        self._clock = clock
        self._stop_timeout = stop_timeout
        self._changed = threading.Condition()
        self._queue: collections.deque[Task] = collections.deque()
        self._threads: list[threading.Thread] = []
        self._running = 0
        self._ended = False
        self._failure: BaseException | None = None

    def add(self, tasks: Iterable[Task], *, first: bool = False) -> None:
        """Queue tasks, with `first` in front of the queue, in this order."""
        with self._changed:
            if first:
                self._queue.extendleft(reversed(list(tasks)))
            else:
                self._queue.extend(tasks)
            self._changed.notify_all()

    def check_stopped(self) -> None:
        """TransferStopped after a stop. Tasks call this often."""
        if self.stopping.is_set():
            raise TransferStopped

    def on_retryable_error(self, error: RetryableError) -> None:
        """Handle a failed attempt: TransferStopped after a stop, less concurrency if the server asks for it."""
        self.check_stopped()
        if error.slow_down:
            self.concurrency.slow_down()

    def sleep(self, seconds: float) -> None:
        """Wait; TransferStopped after a stop."""
        if self.stopping.wait(seconds):
            raise TransferStopped

    def run(self, on_tick: Callable[[], None], transferred: Callable[[], int]) -> None:
        """Run all tasks, and the tasks that they add.

        Args:
            on_tick: Called often on the calling thread; may raise to stop.
            transferred: Bytes so far.

        Raises:
            BaseException: The first error of a task, or of `on_tick`. The threads have stopped by then, or soon will.
        """
        self._ended, self._threads = False, []
        try:
            while self._has_work():
                on_tick()
                with self._changed:
                    self.concurrency.adjust(transferred(), self._running, len(self._queue))
                    self._changed.notify_all()  # the limit may have grown
        finally:
            self._end()
        if self._failure is not None:
            raise self._failure

    def _has_work(self) -> bool:
        """Start missing threads and wait for one tick; False if all tasks are done or one failed."""
        with self._changed:
            for _ in range(self._threads_to_start()):
                thread = threading.Thread(target=self._work, name="storage", daemon=True)
                self._threads.append(thread)
                thread.start()
            if self._is_idle() or self._failure:
                return False
            self._changed.wait_for(
                lambda: self._is_idle() or self._failure is not None or self._threads_to_start() > 0, TICK
            )
            return True

    def _threads_to_start(self) -> int:
        return min(self.concurrency.limit, self._running + len(self._queue)) - len(self._threads)

    def _is_idle(self) -> bool:
        return not self._queue and not self._running

    def _end(self) -> None:
        with self._changed:
            done = self._is_idle() and self._failure is None
            self._ended = True
            if not done:
                self.stopping.set()
                self._queue.clear()
            self._changed.notify_all()
        if not done:
            self._interrupt()
        deadline = self._clock() + self._stop_timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - self._clock()))

    def _work(self) -> None:
        while (task := self._next_task()) is not None:
            failure: BaseException | None = None
            try:
                task()
            except TransferStopped:
                pass
            except BaseException as error:  # noqa: BLE001 - raised again on the thread that waits
                failure = error
            self.concurrency.request_done()
            with self._changed:
                self._running -= 1
                if failure is not None and self._failure is None and not self.stopping.is_set():
                    self._failure = failure
                if failure is not None or self._is_idle():
                    self._changed.notify_all()

    def _next_task(self) -> Task | None:
        with self._changed:
            while not self._ended:
                if self._queue and self._running < self.concurrency.limit:
                    self._running += 1
                    return self._queue.popleft()
                self._changed.wait(1.0)
        return None
