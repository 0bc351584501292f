"""When a request is tried again. Time is counted, not waited for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from aip_magics.errors import StorageError
from aip_magics.retry import RetryableError, parse_retry_after
from aip_magics.storage import StorageClient

DATE = "Mon, 23 Nov 2026 10:00:00 GMT"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def failing(times: int, fault: Callable[[], RetryableError] = lambda: RetryableError("HTTP 503")) -> Callable[[], str]:
    left = [times]

    def work() -> str:
        left[0] -= 1
        if left[0] >= 0:
            raise fault()
        return "done"

    return work


def tried(work: Callable[[], str], clock: Clock, **more: Callable[[], int]) -> str:
    return StorageClient("http://127.0.0.1:1", clock=lambda: clock.now, sleep=clock.sleep).retry(
        work, where="gs://b/x", **more
    )


def test_retry_pauses_double_with_jitter() -> None:
    clock = Clock()
    assert tried(failing(5), clock) == "done"
    for number, pause in enumerate(clock.pauses):
        assert 0.25 * 2**number <= pause <= 0.5 * 2**number


def test_retry_ends_when_nothing_was_gained_for_long() -> None:
    clock = Clock()
    with pytest.raises(StorageError, match=r"failed after \d+ attempts: HTTP 503") as caught:
        tried(failing(1000), clock)
    assert caught.value.where == "gs://b/x"
    assert "run the command again" in caught.value.fix
    assert sum(clock.pauses) <= 120


def test_retry_goes_on_as_long_as_something_is_gained() -> None:
    clock, bytes_transferred = Clock(), [0]

    def fault() -> RetryableError:
        bytes_transferred[0] += 1
        return RetryableError("reset")

    assert tried(failing(1000, fault), clock, bytes_transferred=lambda: bytes_transferred[0]) == "done"
    assert max(clock.pauses) <= 0.5  # patience begins anew each time


def test_retry_waits_as_long_as_the_server_says() -> None:
    clock = Clock()
    assert tried(failing(1, lambda: RetryableError("HTTP 429", retry_after=17.0)), clock) == "done"
    assert clock.pauses == [17.0]
    with pytest.raises(StorageError, match="after 1 attempt:"):
        tried(failing(1, lambda: RetryableError("HTTP 429", retry_after=1000.0)), clock)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("Mon, 23 Nov 2026 10:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 09:00:00 GMT", 0.0),
        ("", 0.0),
        ("²", 0.0),
    ],
)
def test_retry_after_is_parsed(text: str, seconds: float) -> None:
    assert parse_retry_after(text, DATE) == seconds
