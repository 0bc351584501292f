"""Ask two versions of a model the same requests, a few at a time, and compare their answers."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from aip_magics.deploy.comparison import ComparisonCounter, PredictionComparison, summarize_answers
from aip_magics.errors import AipError, ApiError, CredentialsError, NotFound, Unauthenticated, Unavailable
from aip_magics.i18n import gettext as _

WAKE_SECONDS = 0.25  # how soon an interrupt is noticed where waiting for a queue cannot be interrupted
REQUESTS = 100  # that instances are divided into by default: percentiles of the latency need some
MAX_CONCURRENCY = 10  # connections that the session of a client keeps

Predict = Callable[[str, bytes], Mapping[str, Any]]
"""Predicts the body of a request with the version of this name."""


class ComparedRequest(NamedTuple):
    """A request to both versions. The bodies differ where the versions expect other orders of columns."""

    instances: Sequence[Any]
    left: bytes
    right: bytes


class _Answer(NamedTuple):
    predictions: Sequence[Any]
    seconds: float
    error: AipError | None = None


class _Answers(NamedTuple):
    """The answers of both versions to the request with this index."""

    number: int
    sides: tuple[_Answer, _Answer]


def divide(
    left: Mapping[str, Any], right: Mapping[str, Any], size: int | None, max_bytes: int
) -> list[ComparedRequest]:
    """Divide two request bodies with equally many `instances` into requests.

    Args:
        left: The body for the first version, JSON values only.
        right: The body for the second version.
        size: The number of instances of a request; None for about REQUESTS requests.
        max_bytes: The size of a body that the service accepts; a larger request is divided further.
    """
    count = len(left["instances"])
    size = size or -(-count // REQUESTS)
    return [each for start in range(0, count, size) for each in _divide(left, right, start, start + size, max_bytes)]


def _divide(
    left: Mapping[str, Any], right: Mapping[str, Any], start: int, end: int, max_bytes: int
) -> Iterator[ComparedRequest]:
    parts = [{**body, "instances": body["instances"][start:end]} for body in (left, right)]
    bodies = [json.dumps(part).encode("ascii") for part in parts]
    end = min(end, len(left["instances"]))
    if max(map(len, bodies)) > max_bytes and end - start > 1:
        middle = (start + end) // 2
        yield from _divide(left, right, start, middle, max_bytes)
        yield from _divide(left, right, middle, end, max_bytes)
    else:
        yield ComparedRequest(parts[0]["instances"], *bodies)


def compare_versions(
    predict: Predict,
    requests: Sequence[ComparedRequest],
    empty: PredictionComparison,
    on_progress: Callable[[int, int], None],
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> PredictionComparison:
    """Send the requests to both versions and compare the predictions.

    A thread sends a request to one version and then to the other, every second request the other way round, so that
    neither version is always asked first. The first request is sent before all others and its latency does not count,
    because it may start the first node of a version. An interrupt ends the comparison at once; requests under way are
    abandoned.

    Args:
        predict: Sends one request; called from several threads.
        requests: The requests, at least one.
        empty: The comparison before the first request: names of the versions, tolerance, concurrency.
        on_progress: Called with the number of instances so far and in total, at least every WAKE_SECONDS.
        clock: Measures the latencies, in seconds.

    Raises:
        AipError: The endpoint cannot be reached, does not accept the credentials, or lacks a version. Any other error
            of a request is counted in the result.
    """
    counter = ComparisonCounter(empty.tolerance)
    firsts = list(itertools.accumulate((len(request.instances) for request in requests), initial=0))
    seconds: tuple[list[float], list[float]] = ([], [])
    errors: tuple[list[tuple[str, range]], list[tuple[str, range]]] = ([], [])
    done = 0
    on_progress(0, firsts[-1])
    asking = _Asking(predict, requests, (empty.left.version, empty.right.version), clock)
    with asking.threads(empty.concurrency):
        for answers in asking.answers():
            on_progress(done, firsts[-1])
            if answers is None:
                continue
            request = requests[answers.number]
            for side, answer in enumerate(answers.sides):
                if answer.error is not None:
                    instances = range(*firsts[answers.number : answers.number + 2])
                    errors[side].append((answer.error.message, instances))
                elif answers.number > 0 or len(requests) == 1:
                    seconds[side].append(answer.seconds)
            left, right = answers.sides
            if left.error is None and right.error is None:
                counter.add(firsts[answers.number], request.instances, left.predictions, right.predictions)
            done += len(request.instances)
    on_progress(done, firsts[-1])
    names = (empty.left.version, empty.right.version)
    return dataclasses.replace(
        empty,
        instances=firsts[-1],
        compared=counter.compared,
        equal=counter.equal,
        outputs=counter.outputs(),
        examples=counter.examples(),
        left=summarize_answers(names[0], len(requests), seconds[0], errors[0]),
        right=summarize_answers(names[1], len(requests), seconds[1], errors[1]),
    )


class _Asking:
    """The threads that send the requests. They are daemons: a process that is interrupted does not wait for them."""

    def __init__(
        self,
        predict: Predict,
        requests: Sequence[ComparedRequest],
        versions: tuple[str, str],
        clock: Callable[[], float],
    ) -> None:
        self._predict = predict
        self._requests = requests
        self._versions = versions
        self._clock = clock
        self._pending = iter(range(len(requests)))
        self._lock = threading.Lock()
        self._stopped, self._started = threading.Event(), threading.Event()
        self._queue = queue.SimpleQueue[_Answers | Exception]()

    @contextlib.contextmanager
    def threads(self, count: int) -> Iterator[None]:
        """Run the threads; at the end of the block they stop after the requests that they are sending."""
        try:
            for _unused in range(min(count, len(self._requests))):
                threading.Thread(target=self._work, name="aip_magics compare", daemon=True).start()
            yield
        finally:
            self._stopped.set()
            self._started.set()

    def answers(self) -> Iterator[_Answers | None]:
        """Yield the answers to all requests as they arrive, and None while there are no new ones.

        Raises the first error that ends the comparison.
        """
        missing = len(self._requests)
        while missing:
            try:
                answers = self._queue.get(timeout=WAKE_SECONDS)
            except queue.Empty:
                yield None
                continue
            if isinstance(answers, Exception):
                raise answers
            missing -= 1
            yield answers

    def _work(self) -> None:
        while not self._stopped.is_set():
            with self._lock:
                index = next(self._pending, None)
            if index is None:
                return
            if index > 0:
                self._started.wait()
            if self._stopped.is_set():
                return
            try:
                self._queue.put(self._ask_both(index))
            except Exception as error:  # noqa: BLE001 - an error in a thread is raised by `answers`
                self._stopped.set()
                self._queue.put(error)
            self._started.set()

    def _ask_both(self, index: int) -> _Answers:
        request = self._requests[index]
        bodies, order = (request.left, request.right), (0, 1) if index % 2 == 0 else (1, 0)
        asked = {side: self._ask(self._versions[side], bodies[side], len(request.instances)) for side in order}
        left, right = asked[0], asked[1]
        if left.error is not None and _is_unreachable(left.error) and _is_unreachable(right.error):
            raise left.error
        return _Answers(index, (left, right))

    def _ask(self, version: str, body: bytes, count: int) -> _Answer:
        started = self._clock()
        try:
            answer = self._predict(version, body)
        except (CredentialsError, NotFound, Unauthenticated):
            raise
        except AipError as error:
            return _Answer((), 0.0, error)
        seconds = self._clock() - started
        predictions = answer.get("predictions")
        if not isinstance(predictions, list) or len(predictions) != count:
            got = len(predictions) if isinstance(predictions, list) else 0
            text = _("expected {count} predictions, got {got}", count=count, got=got)
            return _Answer((), seconds, ApiError(text, where=version))
        return _Answer(predictions, seconds)


def _is_unreachable(error: AipError | None) -> bool:
    """Whether there was no response: not even one that says that a version is unavailable."""
    return isinstance(error, Unavailable) and not error.code
