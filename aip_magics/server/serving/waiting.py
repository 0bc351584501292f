"""Requests on their way to a node, and the queue in which they wait for one."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any

from aip_magics.errors import ApiError, ResourceExhausted, Unavailable
from aip_magics.server.serving import merging

if TYPE_CHECKING:
    from aip_magics.prediction import AsyncWorker, Loaded

QUEUE_REQUESTS = 500
QUEUE_BYTES = 64 << 20
BRISK_SECONDS = 0.005  # of the last answer, for another request to wait at the node
BRISK_BYTES = 4096  # of a request that waits at a node, or that another waits for


@dataclasses.dataclass(eq=False)
class Node:
    """One worker with the model loaded, and the requests that it has."""

    worker: AsyncWorker
    loaded: Loaded
    steady: bool  # whether requests of one size take alike long: not where code is custom
    asked: int = 0  # how many requests it has
    since: float = 0.0  # when it began with the one that it predicts
    brisk: bool = False  # whether it will be done so soon that another may wait at it
    took: float = float("inf")  # seconds that the last request took
    behind: Quick | None = None  # the one that waits at it

    def take(self, ticket: Ticket, now: float) -> None:
        """It gets this request, and predicts it at once where it has no other."""
        self.asked += 1
        if self.asked == 1:
            self.begin(ticket, now)

    def begin(self, ticket: Ticket | None, now: float) -> None:
        """Note that it predicts this request from now on (None: one that nobody waits for any more)."""
        self.since = now
        self.brisk = ticket is not None and ticket.small and self.steady and self.took <= BRISK_SECONDS


@dataclasses.dataclass(eq=False)
class Ticket:
    """A request on its way. While it waits, `turn` becomes its node, or its answer when it went with another's."""

    body: bytes
    end: float  # by the event loop's clock
    alone: bool = False  # not to be merged (again)
    turn: asyncio.Future[Node | bytes] | None = None
    part: merging.Part | None = None

    @property
    def small(self) -> bool:
        """Whether it may wait at a node, or another for it."""
        return False

    @property
    def waits(self) -> bool:
        return self.turn is not None and not self.turn.done()


@dataclasses.dataclass(eq=False)
class Quick(Ticket):
    """A request without a task: `then` gets its answer; where it takes more, `otherwise` gets what is to be awaited."""

    then: Callable[[bytes], None] = lambda _: None
    otherwise: Callable[[Coroutine[Any, Any, bytes]], None] = lambda rest: rest.close()
    tries: int = 0  # the answer of an earlier one is not waited for

    @property
    def small(self) -> bool:
        return len(self.body) <= BRISK_BYTES


class Queue:
    """Tickets that wait, the first one first. `refuse` is called for a Quick one that is taken out at its end."""

    def __init__(self, refuse: Callable[[Quick], None]) -> None:
        self._tickets: collections.deque[Ticket] = collections.deque()
        self._bytes = 0
        self._refuse = refuse
        self._expiry: asyncio.TimerHandle | None = None  # for all Quick ones: one each cost as much as asking a node

    def __len__(self) -> int:
        return len(self._tickets)

    def __iter__(self) -> Iterator[Ticket]:
        return iter(self._tickets)

    @property
    def first(self) -> Ticket:
        return self._tickets[0]

    def is_full(self, body: bytes) -> bool:
        """Whether this request would be too much."""
        return len(self._tickets) >= QUEUE_REQUESTS or self._bytes + len(body) > QUEUE_BYTES

    def add(self, ticket: Ticket, *, first: bool = False) -> None:
        (self._tickets.appendleft if first else self._tickets.append)(ticket)
        self._bytes += len(ticket.body)
        if self._expiry is None and isinstance(ticket, Quick):
            self._expiry = asyncio.get_running_loop().call_at(ticket.end, self._expire)

    def pop(self) -> Ticket:
        ticket = self._tickets.popleft()
        self._bytes -= len(ticket.body)
        return ticket

    def remove(self, ticket: Ticket) -> None:
        """Take it out, if it is still there."""
        if ticket in self._tickets:
            self._tickets.remove(ticket)
            self._bytes -= len(ticket.body)

    def clear(self) -> list[Ticket]:
        """Take all out."""
        tickets = list(self._tickets)
        self._tickets.clear()
        self._bytes = 0
        return tickets

    def companions(self, ticket: Ticket) -> list[Ticket]:
        """Take those out that go with this request; all get their `part`."""
        if ticket.alone:
            return []
        ticket.part = ticket.part or merging.part_of(ticket.body)
        if ticket.part is None:
            return []
        found: list[Ticket] = []
        room = merging.MOST_INSTANCES - len(ticket.part.instances)
        for other in self._tickets:
            if room <= 0:
                break
            if other.alone or not other.waits:
                continue
            other.part = other.part or merging.part_of(other.body)
            if other.part is None:
                other.alone = True
            elif other.part.rest == ticket.part.rest and len(other.part.instances) <= room:
                found.append(other)
                room -= len(other.part.instances)
        for other in found:
            self.remove(other)
        return found

    def close(self) -> None:
        """Leave nothing in the event loop."""
        if self._expiry is not None:
            self._expiry.cancel()

    def _expire(self) -> None:
        loop = asyncio.get_running_loop()
        quick = [ticket for ticket in self._tickets if isinstance(ticket, Quick)]
        late = [ticket for ticket in quick if ticket.end <= loop.time()]
        for ticket in late:
            self.remove(ticket)
        ends = [ticket.end for ticket in quick if ticket not in late]
        self._expiry = loop.call_at(min(ends), self._expire) if ends else None
        for ticket in late:
            self._refuse(ticket)


def too_late() -> ApiError:
    return ApiError("Deadline expired before operation could complete.", code=504, status="DEADLINE_EXCEEDED")


def too_many(waiting: int) -> ApiError:
    retry = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s"}
    text = f"Rate of requests is too high: {waiting} of them wait for a node of this version. Please retry later."
    return ResourceExhausted(text, details=[retry])


def taken_down() -> ApiError:
    return Unavailable("The version is being taken down.")


def expire(turn: asyncio.Future[Node | bytes]) -> None:
    if not turn.done():
        turn.set_exception(too_late())
