"""When a request is tried again, after how long, and when it is given up."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from typing import TypeVar

from aip_magics.errors import StorageError
from aip_magics.i18n import gettext as _

T = TypeVar("T")

RETRIED = frozenset({408, 429, 500, 502, 503, 504})


@dataclasses.dataclass(frozen=True)
class Policy:
    """Seconds: `first` and `longest` pause (it doubles, with jitter), `limit` without anything gained before a request
    is given up, `timeout` for one socket operation and for an answer, `connect` for a connection, `stall` after which a
    request in which no byte moves is broken off."""

    first: float = 0.5
    longest: float = 32.0
    limit: float = 120.0
    timeout: float = 60.0
    connect: float = 20.0
    stall: float = 75.0


class Again(Exception):
    """A try failed in a way that may pass. `slow` = the other end asks for less (429, 503)."""

    def __init__(self, cause: str, *, retry_after: float = 0.0, slow: bool = False) -> None:
        super().__init__(cause)
        self.cause = cause
        self.retry_after = retry_after
        self.slow = slow


def persist(
    work: Callable[[], T],
    policy: Policy,
    *,
    where: str,
    clock: Callable[[], float],
    pause: Callable[[float], None],
    on_fault: Callable[[Again], None] = lambda _fault: None,
    gained: Callable[[], int] = lambda: 0,
) -> T:
    """Do `work` until it gets through. `gained` grows as long as tries bring something: then patience begins anew.

    StorageError, naming the last cause, when `policy.limit` seconds brought nothing.
    """
    since, tries, before = clock(), 0, gained()
    while True:
        try:
            return work()
        except Again as fault:
            on_fault(fault)
            now = clock()
            if (gain := gained()) > before:
                since, tries, before = now, 0, gain
            wait = min(policy.first * 2**tries, policy.longest) * random.uniform(0.5, 1.0)
            wait = max(wait, fault.retry_after)
            tries += 1
            if now + wait - since > policy.limit:
                raise given_up(fault.cause, tries, where) from fault
            pause(wait)


def given_up(cause: str, tries: int, where: str) -> StorageError:
    if tries == 1:
        text = _("Cloud Storage could not be used: {cause} (tried once)", cause=cause)
    else:
        text = _("Cloud Storage could not be used: {cause} (tried {tries} times)", cause=cause, tries=tries)
    return StorageError(text, where=where, fix=_("run the same again when it works: it continues from there"))


def retry_after(text: str, date: str) -> float:
    """The seconds that a `Retry-After` header asks for: a number, or a time compared with the answer's own `Date`."""
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
