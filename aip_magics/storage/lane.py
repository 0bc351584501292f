"""Many very small files: one thread with many connections.

With a thread for each connection most of the time goes into handing the interpreter from one to the next. Here each
file is tried once; what does not go smoothly is left to the threads of the crew, who know how to try again.
"""

from __future__ import annotations

import collections
import dataclasses
import selectors
from collections.abc import Callable, Iterable

from aip_magics.storage.checksums import Digest
from aip_magics.storage.crew import TICK, Pace
from aip_magics.storage.line import Connecting, Line
from aip_magics.storage.objects import Remote
from aip_magics.storage.plan import LocalFile
from aip_magics.storage.retry import Again
from aip_magics.storage.sending import Sending, Transfer
from aip_magics.storage.store import Answer, failure

_START = 32  # requests at a time: here one more costs next to nothing
_IN_FLIGHT = 16 << 20  # bytes of files that are read and not answered yet
_SLOW_READING = 0.001  # seconds for a file, and
_SLOW_READS = 16  # in a row: then threads are faster, which read at the same time
_MOST_FAULTS = 8  # without a success in between
_LOOK = 1.0  # seconds between looks for requests that hang


@dataclasses.dataclass
class _Request:
    sending: Sending
    digest: Digest
    begun: float
    moved: float  # when a byte of it left for the last time

    @property
    def file(self) -> LocalFile:
        return self.sending.file


class Lane:
    """A task for the crew. `begin` makes the upload of a file, `sent` is told what came of it.

    `rest` gets the files that others have to send, with the fault of the first try where there was one.
    """

    def __init__(
        self,
        transfer: Transfer,
        files: Iterable[LocalFile],
        begin: Callable[[LocalFile], Sending],
        sent: Callable[[LocalFile, Remote], None],
        rest: Callable[[LocalFile, Again | None], None],
    ) -> None:
        self._store = transfer.store
        self._crew = transfer.crew
        self._clock = transfer.store.clock
        self._files = collections.deque(files)
        self._begin = begin
        self._sent = sent
        self._rest = rest
        self._pace = Pace(self._clock, _START, 2 * self._store.connections)
        self._connecting = Connecting(self._store, self._crew)
        self._selector = selectors.DefaultSelector()
        self._lines: set[Line] = set()
        self._idle: list[Line] = []
        self._busy: dict[Line, _Request] = {}
        self._in_flight = 0
        self._moved = 0  # bytes that left the machine
        self._slow = 0  # files in a row that took long to read
        self._faults = 0  # without a success in between
        self._last_fault = self._quiet_until = self._looked = float("-inf")

    def run(self) -> None:
        """Until every file is sent or left to others."""
        try:
            while self._files or self._busy:
                self._crew.check()
                self._welcome()
                self._fill()
                self._pace.review(self._moved, len(self._busy), len(self._files))
                self._wait()
                self._break_off()
        finally:
            self._end()

    def _welcome(self) -> None:
        """Have as many connections as are wanted."""
        wanted = min(self._pace.limit, len(self._files) + len(self._busy)) - len(self._lines)
        for connection in self._connecting.more(wanted, 0.0 if self._lines else TICK):
            line = Line(connection)
            self._lines.add(line)
            self._idle.append(line)
            self._selector.register(line.socket, selectors.EVENT_READ, line)
        if not self._lines and self._connecting.hopeless:
            self._leave()

    def _fill(self) -> None:
        """Give idle connections a file each."""
        while self._files and self._idle and len(self._busy) < self._pace.limit and self._in_flight < _IN_FLIGHT:
            begun = self._clock()
            if begun < self._quiet_until:
                return
            sending = self._begin(self._files.popleft())
            wanted = sending.multipart()
            content = b"".join((wanted.head, wanted.content or b"", wanted.tail))
            content = self._store.request_head("POST", wanted.target, wanted.headers, len(content)) + content
            now = self._clock()
            line = self._idle.pop()
            self._busy[line] = _Request(sending, wanted.digest, now, now)
            self._in_flight += sending.file.size
            try:
                self._left(line, line.send(content))
                if line.sending:
                    self._selector.modify(line.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, line)
            except Again as fault:
                self._broke(line, fault)
            self._slow = self._slow + 1 if now - begun > _SLOW_READING else 0
            if self._slow >= _SLOW_READS:
                self._leave()

    def _wait(self) -> None:
        """Until something comes, but not longer than a tick; then deal with it."""
        for key, events in self._selector.select(TICK) if self._lines else ():
            line: Line = key.data
            try:
                if events & selectors.EVENT_WRITE:
                    self._left(line, line.go_on())
                    if not line.sending:
                        self._selector.modify(line.socket, selectors.EVENT_READ, line)
                if line not in self._busy:
                    raise Again("the connection was closed")  # one that was asked nothing has nothing to say
                if events & selectors.EVENT_READ and (answer := line.receive()) is not None:
                    self._answered(line, answer)
            except Again as fault:
                self._broke(line, fault)

    def _left(self, line: Line, count: int) -> None:
        """Bytes left the machine."""
        request = self._busy[line]
        request.moved = self._clock()
        self._moved += count
        if not line.sending:
            request.sending.moved(request.file.size)

    def _answered(self, line: Line, answer: Answer) -> None:
        request = self._over(line)
        if line.fit:
            self._idle.append(line)
        else:
            self._drop(line)
        if answer.status >= 300:
            return self._failed(line, request, failure(answer, request.sending.where))
        self._faults = 0
        return self._sent(request.file, request.sending.made(answer, request.digest))

    def _over(self, line: Line) -> _Request:
        request = self._busy.pop(line)
        self._in_flight -= request.file.size
        self._pace.done()
        return request

    def _broke(self, line: Line, fault: Again) -> None:
        """The connection failed."""
        self._drop(line)
        if line in self._busy:
            self._failed(line, self._over(line), fault)
        else:
            self._idle.remove(line)

    def _failed(self, line: Line, request: _Request, error: Exception) -> None:
        """Others try again, or deal with the refusal. What was under way at the same time counts as one fault."""
        fault = error if isinstance(error, Again) else None
        slow = fault is not None and fault.slow
        if not line.sending:  # it counted as sent
            request.sending.moved(-request.file.size)
        if slow:
            self._pace.slow_down()
        if request.begun > self._last_fault:
            self._last_fault = self._clock()
            self._faults += 1
            if slow:
                wait = self._store.policy.first * 2**self._faults
                self._quiet_until = self._last_fault + max(wait, fault.retry_after if fault else 0.0)
        self._rest(request.file, fault)
        if self._faults >= _MOST_FAULTS:
            self._leave()

    def _leave(self) -> None:
        """What has not begun is left to others."""
        while self._files:
            self._rest(self._files.popleft(), None)

    def _break_off(self) -> None:
        """Requests in which nothing moves any more."""
        now = self._clock()
        if now - self._looked > _LOOK:
            self._looked = now
            patience = min(self._store.policy.timeout, self._store.policy.stall)
            hung = [line for line, request in self._busy.items() if now - request.moved > patience]
            for line in hung:
                self._broke(line, Again("timed out"))

    def _drop(self, line: Line) -> None:
        self._selector.unregister(line.socket)
        self._lines.remove(line)
        line.connection.close()

    def _end(self) -> None:
        for line in self._lines:
            if line in self._busy:
                line.connection.close()
            else:
                self._store.give_back(line.connection)
        self._selector.close()
        self._connecting.end()
