"""A worker for an asyncio program (the server): no thread per request, death noticed at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aip_magics.errors import WorkerError
from aip_magics.i18n import gettext as _
from aip_magics.prediction import process, replies
from aip_magics.prediction.deadlines import Deadlines
from aip_magics.prediction.frames import Frame, Unpacker, joined, pack
from aip_magics.prediction.launch import LAST_WORDS, LOADING, PREDICTING, START_SECONDS, STARTING, WorkerSpec, begin
from aip_magics.prediction.parents import ParentPool
from aip_magics.prediction.process import WorkerProcess
from aip_magics.prediction.replies import Loaded

PREDICT: Mapping[str, Any] = {"op": "predict"}
PREDICT_HEAD = b'{"op": "predict", "id": %d}'


class _Channel(asyncio.Protocol):
    """Hand each answer to the request with its id; drop an answer whose request was given up."""

    def __init__(self) -> None:
        self._frames = Unpacker()
        self._loop = asyncio.get_running_loop()  # which makes a system call every time
        self._pending: dict[int, asyncio.Future[Frame]] = {}
        self.open = True

    def expect(self, number: int) -> asyncio.Future[Frame]:
        """The answer to come."""
        answer: asyncio.Future[Frame] = self._loop.create_future()
        if self.open:
            self._pending[number] = answer
        else:
            answer.set_exception(ConnectionResetError())
        return answer

    def forget(self, number: int) -> None:
        self._pending.pop(number, None)

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._frames.feed(data):
                answer = self._pending.pop(frame.header.get("id", -1), None)
                if answer is not None and not answer.done():
                    answer.set_result(frame)
        except WorkerError:
            self.connection_lost(None)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.open = False
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(ConnectionResetError())
        self._pending.clear()


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
        self._deadlines = Deadlines()

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

    def log_tail(self, lines: int = 30) -> str:
        """The last lines that the model's code wrote to standard output and error."""
        return self._process.log_tail(lines)

    async def close(self) -> None:
        """End the process and remove its temporary files."""
        self._ended = True
        self._deadlines.stop()
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
            if self._ended or self._transport is None:
                raise WorkerError(_("the worker was ended before this request"), where=str(self.spec.model_dir))
            self._number += 1
            answer = self._channel.expect(self._number)
            if header is PREDICT:
                self._transport.write(joined(PREDICT_HEAD % self._number, payload))
            else:
                self._transport.write(pack({**header, "id": self._number}, payload))
            frame = await self._answered(self._number, answer, deadline, doing)
        error = replies.refused(frame, self.spec.model_dir, "" if frame.header.get("ok") else self.log_tail())
        if error is not None:
            raise error
        return frame

    async def _answered(self, number: int, answer: asyncio.Future[Frame], deadline: float, doing: str) -> Frame:
        self._deadlines.add(answer, deadline)
        try:
            return await answer
        except asyncio.TimeoutError:
            self._process.ask_where()
            await asyncio.sleep(LAST_WORDS)
            await self._kill()
            raise replies.overdue(deadline, doing, self.spec.model_dir, self.log_tail()) from None
        except ConnectionResetError:
            code = await asyncio.to_thread(self._process.handle.wait, process.GRACE)
            await self._kill()
            raise replies.died(code, doing, self.spec.model_dir, self.log_tail()) from None
        finally:
            self._deadlines.remove(answer)
            self._channel.forget(number)

    async def _kill(self) -> None:
        self._ended = True
        await asyncio.to_thread(self._process.kill)
        with contextlib.suppress(OSError):
            await self.close()


async def _begun(
    spec: WorkerSpec, log_dir: Path, parents: ParentPool | None, environ: Mapping[str, str] | None
) -> WorkerProcess:
    # In a thread: starting an interpreter takes milliseconds in which no request could be answered.
    return await asyncio.to_thread(begin, spec, log_dir=log_dir, parents=parents, environ=environ)
