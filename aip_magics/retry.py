"""Retry policy of all HTTP clients: which failures are retried, after which delay, and when retrying stops."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

RETRYABLE_STATUSES = frozenset({408, 429, 500, 502, 503, 504})


@dataclasses.dataclass(frozen=True)
class RetryPolicy:
    """Delays and time limits of requests, in seconds.

    Attributes:
        initial_delay: Delay before the second attempt; it doubles with every further attempt, with jitter.
        max_delay: Upper bound of the delay.
        give_up_after: Time without any byte transferred after which retrying stops.
        max_attempts: Upper bound of attempts without any byte transferred.
        read_timeout: Limit for one socket operation and for the head of a response.
        connect_timeout: Limit for opening a connection.
        stall_timeout: Time without any byte moved after which a request is aborted.
    """

    initial_delay: float = 0.5
    max_delay: float = 32.0
    give_up_after: float = 120.0
    max_attempts: float = math.inf
    read_timeout: float = 60.0
    connect_timeout: float = 20.0
    stall_timeout: float = 75.0


class RetryableError(Exception):
    """An attempt failed for a reason that may pass; `attempts` is set when the policy allows no further one.

    `slow_down`: the server asks for fewer requests (429, 503). `final`: what the caller raises in the end, if that was
    known when the attempt failed.
    """

    def __init__(
        self, cause: str, *, retry_after: float = 0.0, slow_down: bool = False, final: Exception | None = None
    ) -> None:
        super().__init__(cause)
        self.cause = cause
        self.retry_after = retry_after
        self.slow_down = slow_down
        self.final = final
        self.attempts = 0


def retry_call(
    call: Callable[[], T],
    policy: RetryPolicy,
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    on_retry: Callable[[RetryableError], None] = lambda _error: None,
    bytes_transferred: Callable[[], int] = lambda: 0,
) -> T:
    """Call `call` until it succeeds or the policy ends it.

    Args:
        call: One attempt; raises RetryableError for a failure that may pass.
        policy: Delays and limits.
        clock: Current time in seconds, never going back.
        sleep: Waits for a delay; may raise to stop retrying.
        on_retry: Called with every failure, before the delay; may raise to stop retrying.
        bytes_transferred: Grows as long as attempts make progress; progress resets the limits of the policy.

    Raises:
        RetryableError: The last failure, when the policy ended it.
    """
    since, attempts, before = clock(), 0, bytes_transferred()
    while True:
        try:
            return call()
        except RetryableError as error:
            on_retry(error)
            now = clock()
            if (transferred := bytes_transferred()) > before:
                since, attempts, before = now, 0, transferred
            delay = min(policy.initial_delay * 2**attempts, policy.max_delay) * random.uniform(0.5, 1.0)
            delay = max(delay, error.retry_after)
            attempts += 1
            if attempts >= policy.max_attempts or now + delay - since > policy.give_up_after:
                error.attempts = attempts
                raise
            sleep(delay)


def parse_retry_after(text: str, date: str) -> float:
    """Seconds that a `Retry-After` header asks for: a number, or a date compared with the response's own `Date`."""
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    if not text:
        return 0.0
    import email.utils

    try:
        then, now = (email.utils.parsedate_to_datetime(value) for value in (text, date))
        return max(0.0, (then - now).total_seconds())
    except (ValueError, TypeError):
        return 0.0
