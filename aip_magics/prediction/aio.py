"""A worker for an asyncio program (the server): no thread per request, death noticed at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from aip_magics.errors import RequestNotStarted, WorkerError
from aip_magics.i18n import gettext as _
from aip_magics.prediction import process, replies
from aip_magics.prediction.frames import Frame, Unpacker, joined, pack
from aip_magics.prediction.launch import LAST_WORDS, LOADING, PREDICTING, START_SECONDS, STARTING, WorkerSpec, begin
from aip_magics.prediction.parents import ParentPool
from aip_magics.prediction.process import WorkerProcess
from aip_magics.prediction.replies import Loaded

PREDICT: Mapping[str, Any] = {"op": "predict"}
PREDICT_HEAD = b'{"op": "predict", "id": %d}'


class _Channel(asyncio.Protocol):
    """Hands each answer to whoever waits for its id; an answer nobody waits for any more is dropped."""

    def __init__(self) -> None:
        self._frames = Unpacker()
        self._loop = asyncio.get_running_loop()  # which makes a system call every time
        self._waiting: dict[int, tuple[asyncio.Future[Frame], Callable[[Frame], None] | None]] = {}
        self.open = True

    def expect(self, number: int, then: Callable[[Frame], None] | None = None) -> asyncio.Future[Frame]:
        """The answer to come. A good one goes to `then` instead, if given: at once, past the event loop's queue."""
        future: asyncio.Future[Frame] = self._loop.create_future()
        if self.open:
            self._waiting[number] = future, then
        else:
            future.set_exception(ConnectionResetError())
        return future

    def forget(self, number: int) -> None:
        self._waiting.pop(number, None)

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._frames.feed(data):
                future, then = self._waiting.pop(frame.header.get("id", -1), (None, None))
                if future is None or future.done():
                    continue
                if then is not None and frame.header.get("ok"):
                    then(frame)
                else:
                    future.set_result(frame)
        except WorkerError:
            self.connection_lost(None)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.open = False
        for place, (future, _unused) in enumerate(self._waiting.values()):
            if not future.done():
                # Requests are answered in their order: only the first one can have to do with it.
                future.set_exception(BrokenPipeError() if place else ConnectionResetError())
        self._waiting.clear()


class AsyncWorker:
    """A worker process that answers, for one event loop. Requests that come together are answered one by one."""

    def __init__(self, spec: WorkerSpec, running: WorkerProcess) -> None:
        self.spec = spec
        self.stats: Mapping[str, Any] = {}  # of the last predict: the service's names, microseconds
        self._process = running
        self._channel = _Channel()
        self._transport: asyncio.Transport | None = None
        self._lock = asyncio.Lock()
        self._number = 0
        self._ended = False
        self._deadline = _Deadline()

    @classmethod
    async def start(
        cls,
        spec: WorkerSpec,
        *,
        log_dir: Path,
        parents: ParentPool | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> AsyncWorker:
        """A worker for `spec` that serves, with no model loaded yet; see `launch.start`."""
        worker = cls(spec, await _begun(spec, log_dir, parents, environ))
        try:
            await worker._hello()
        except WorkerError:
            if not worker._process.forked:
                raise
            worker = cls(spec, await _begun(spec, log_dir, None, environ))
            await worker._hello()
        return worker

    @property
    def pid(self) -> int:
        return self._process.handle.pid

    @property
    def log(self) -> Path:
        """The file with what the model's code writes to standard output and error."""
        return self._process.log

    @property
    def forked(self) -> bool:
        """Whether it was forked from a preloaded parent."""
        return self._process.forked

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._channel.open and not self._ended

    async def load(self, deadline: float = 60.0) -> Loaded:
        """Load the model, within `deadline` seconds. PredictionError if it does not load, WorkerError if it died."""
        frame = await self._ask(self.spec.load_header(self._process.temp_dir), b"", deadline, LOADING)
        return Loaded.from_header(frame.header)

    async def predict(self, body: bytes, deadline: float = 60.0) -> bytes:
        """The response's body for a request's body; errors as `Worker.predict`.

        `deadline` counts from when the worker is free. A cancelled call leaves the worker usable: it finishes that
        request first.
        """
        frame = await self._ask(PREDICT, body, deadline, PREDICTING)
        self.stats = frame.header.get("stats") or {}
        return frame.payload

    def predict_soon(
        self,
        body: bytes,
        deadline: float,
        then: Callable[[bytes], None],
        otherwise: Callable[[Coroutine[Any, Any, bytes]], None],
    ) -> None:
        """As `predict`, without a task that waits; for who knows what else is asked of this worker.

        Requests are answered in their order. NotBegunError comes of those behind one in which the worker ended.
        `then` gets the response's body as soon as it is there. When it is something else that comes, `otherwise` gets
        the rest of `predict`, to be awaited.
        """

        def good(frame: Frame) -> None:
            self._deadline.clear(answer)
            answer.remove_done_callback(done)  # a cycle, which would be left to the garbage collector
            self.stats = frame.header.get("stats") or {}
            then(frame.payload)

        async def rest() -> bytes:
            return (await self._good(number, answer, deadline, PREDICTING)).payload

        def done(_answer: asyncio.Future[Frame]) -> None:
            otherwise(rest())

        number, answer = self._send(PREDICT, body, good)
        self._deadline.set(answer, deadline)
        answer.add_done_callback(done)

    def log_tail(self, lines: int = 30) -> str:
        """The last lines that the model's code wrote to standard output and error."""
        return self._process.log_tail(lines)

    async def close(self) -> None:
        """End the process and remove its temporary files."""
        self._ended = True
        self._deadline.stop()
        if self._transport is not None:
            self._transport.abort()
        await asyncio.to_thread(self._process.close)

    async def _hello(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            answer = self._channel.expect(0)
            self._process.sock.setblocking(False)
            self._transport, _unused = await loop.create_connection(lambda: self._channel, sock=self._process.sock)
            frame = await self._answered(0, answer, START_SECONDS, STARTING)
        except BaseException:
            await self._kill()
            raise
        self._process.handle.pid = int(frame.header["pid"])

    async def _ask(self, header: Mapping[str, Any], payload: bytes, deadline: float, doing: str) -> Frame:
        async with self._lock:
            return await self._good(*self._send(header, payload), deadline, doing)

    def _send(
        self, header: Mapping[str, Any], payload: bytes, then: Callable[[Frame], None] | None = None
    ) -> tuple[int, asyncio.Future[Frame]]:
        """Send a request; its number, and the answer to come."""
        if self._ended or self._transport is None:
            raise WorkerError(_("the worker was ended before this request"), where=str(self.spec.model_dir))
        self._number += 1
        answer = self._channel.expect(self._number, then)
        if header is PREDICT:
            self._transport.write(joined(PREDICT_HEAD % self._number, payload))
        else:
            self._transport.write(pack({**header, "id": self._number}, payload))
        return self._number, answer

    async def _good(self, number: int, answer: asyncio.Future[Frame], deadline: float, doing: str) -> Frame:
        frame = await self._answered(number, answer, deadline, doing)
        if frame.header.get("ok"):
            return frame
        error = replies.refused(frame, self.spec.model_dir, self.log_tail())
        assert error is not None
        raise error

    async def _answered(self, number: int, answer: asyncio.Future[Frame], deadline: float, doing: str) -> Frame:
        self._deadline.set(answer, deadline)
        try:
            return await answer
        except asyncio.TimeoutError:
            self._process.ask_where()
            await asyncio.sleep(LAST_WORDS)
            await self._kill()
            raise replies.overdue(deadline, doing, self.spec.model_dir, self.log_tail()) from None
        except BrokenPipeError:
            raise RequestNotStarted(
                _("the worker was ended before this request"), where=str(self.spec.model_dir)
            ) from None
        except ConnectionResetError:
            code = await asyncio.to_thread(self._process.handle.wait, process.GRACE)
            await self._kill()
            raise replies.died(code, doing, self.spec.model_dir, self.log_tail()) from None
        finally:
            self._deadline.clear(answer)
            self._channel.forget(number)

    async def _kill(self) -> None:
        self._ended = True
        await asyncio.to_thread(self._process.kill)
        with contextlib.suppress(OSError):
            await self.close()


class _Deadline:
    """Ends the answers that are waited for when they are due.

    Its timer stays for the next answer and looks then how long that one still has: to set and cancel one for each
    request cost as much as asking the worker.
    """

    def __init__(self) -> None:
        self._due: dict[asyncio.Future[Frame], float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def set(self, answer: asyncio.Future[Frame], seconds: float) -> None:
        loop = answer.get_loop()
        self._due[answer] = due = loop.time() + seconds
        if self._timer is not None and self._timer.when() > due:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = loop.call_at(due, self._look, loop)

    def clear(self, answer: asyncio.Future[Frame]) -> None:
        self._due.pop(answer, None)

    def stop(self) -> None:
        """Leave nothing in the event loop."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        for answer in [answer for answer, due in self._due.items() if due <= now]:
            self.clear(answer)
            if not answer.done():
                answer.set_exception(asyncio.TimeoutError())
        if self._due:
            self._timer = loop.call_at(min(self._due.values()), self._look, loop)


async def _begun(
    spec: WorkerSpec, log_dir: Path, parents: ParentPool | None, environ: Mapping[str, str] | None
) -> WorkerProcess:
    # In a thread: starting an interpreter takes milliseconds in which no request could be answered.
    return await asyncio.to_thread(begin, spec, log_dir=log_dir, parents=parents, environ=environ)
