"""The client of a worker process for an asyncio program (the server): no thread per request, death noticed at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aip_magics.errors import WorkerError
from aip_magics.prediction import worker_process
from aip_magics.prediction.base_worker_client import (
    HELLO_NUMBER,
    LAST_WORDS_SECONDS,
    LOADING,
    PREDICT,
    PREDICTING,
    START_SECONDS,
    STARTING,
    BaseWorkerClient,
)
from aip_magics.prediction.deadlines import Deadlines
from aip_magics.prediction.fork_server_pool import ForkServerPool
from aip_magics.prediction.messages import MessageDecoder, WorkerMessage
from aip_magics.prediction.worker_process import WorkerProcess
from aip_magics.prediction.worker_responses import LoadedModel
from aip_magics.prediction.worker_spec import WorkerSpec, start_process


class _Channel(asyncio.Protocol):
    """Hand each answer to the request with its id; drop an answer whose request was given up."""

    def __init__(self) -> None:
        self._decoder = MessageDecoder()
        self._loop = asyncio.get_running_loop()  # which makes a system call every time
        self._pending: dict[int, asyncio.Future[WorkerMessage]] = {}
        self.open = True

    def expect(self, number: int) -> asyncio.Future[WorkerMessage]:
        """The answer to come."""
        answer: asyncio.Future[WorkerMessage] = self._loop.create_future()
        if self.open:
            self._pending[number] = answer
        else:
            answer.set_exception(ConnectionResetError())
        return answer

    def forget(self, number: int) -> None:
        self._pending.pop(number, None)

    def data_received(self, data: bytes) -> None:
        try:
            for message in self._decoder.feed(data):
                answer = self._pending.pop(message.header.get("id", -1), None)
                if answer is not None and not answer.done():
                    answer.set_result(message)
        except WorkerError:
            self.connection_lost(None)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.open = False
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(ConnectionResetError())
        self._pending.clear()


class AsyncWorkerClient(BaseWorkerClient):
    """A client for one event loop. Requests that come together are answered one by one."""

    def __init__(self, spec: WorkerSpec, process: WorkerProcess) -> None:
        super().__init__(spec, process)
        self._channel = _Channel()
        self._transport: asyncio.Transport | None = None
        self._lock = asyncio.Lock()
        self._deadlines = Deadlines()

    @classmethod
    async def start(
        cls,
        spec: WorkerSpec,
        *,
        log_dir: Path,
        fork_servers: ForkServerPool | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> AsyncWorkerClient:
        """A client of a new worker that has no model loaded yet; see `worker_client.start`."""
        client = cls(spec, await _start_process(spec, log_dir, fork_servers, environ))
        try:
            await client._hello()
        except WorkerError:
            if not client.forked:
                raise
            client = cls(spec, await _start_process(spec, log_dir, None, environ))
            await client._hello()
        return client

    @property
    def alive(self) -> bool:
        """Whether the worker can be asked."""
        return self._channel.open and not self._ended

    async def load(self, deadline: float = 60.0) -> LoadedModel:
        """Load the model, within `deadline` seconds. PredictionError if it does not load, WorkerError if it died."""
        response = await self._ask(self.spec.load_header(self._process.temp_dir), b"", deadline, LOADING)
        return LoadedModel.from_header(response.header)

    async def predict(self, body: bytes, deadline: float = 60.0) -> bytes:
        """The response's body for a request's body; errors as `WorkerClient.predict`.

        `deadline` counts from when the worker is free. A cancelled call leaves the worker usable: it finishes that
        request first.
        """
        return self._predicted(await self._ask(PREDICT, body, deadline, PREDICTING))

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
            answer = self._channel.expect(HELLO_NUMBER)
            self._process.sock.setblocking(False)
            self._transport, _unused = await loop.create_connection(lambda: self._channel, sock=self._process.sock)
            self._greet(await self._response(HELLO_NUMBER, answer, START_SECONDS, STARTING))
        except BaseException:
            await self._kill()
            raise

    async def _ask(self, header: Mapping[str, Any], payload: bytes, deadline: float, doing: str) -> WorkerMessage:
        async with self._lock:
            number, request = self._encode_request(header, payload)
            answer = self._channel.expect(number)
            assert self._transport is not None, "a client is handed out after its hello"
            self._transport.write(request)
            response = await self._response(number, answer, deadline, doing)
        self._raise_for_error(response)
        return response

    async def _response(
        self, number: int, answer: asyncio.Future[WorkerMessage], deadline: float, doing: str
    ) -> WorkerMessage:
        self._deadlines.add(answer, deadline)
        try:
            return await answer
        except asyncio.TimeoutError:
            self._process.dump_traceback()
            await asyncio.sleep(LAST_WORDS_SECONDS)
            await self._kill()
            raise self._timeout_error(deadline, doing) from None
        except ConnectionResetError:
            code = await asyncio.to_thread(self._process.handle.wait, worker_process.GRACE)
            await self._kill()
            raise self._crash_error(code, doing) from None
        finally:
            self._deadlines.remove(answer)
            self._channel.forget(number)

    async def _kill(self) -> None:
        self._ended = True
        await asyncio.to_thread(self._process.kill)
        with contextlib.suppress(OSError):
            await self.close()


async def _start_process(
    spec: WorkerSpec, log_dir: Path, fork_servers: ForkServerPool | None, environ: Mapping[str, str] | None
) -> WorkerProcess:
    # In a thread: starting an interpreter takes milliseconds in which no request could be answered.
    return await asyncio.to_thread(start_process, spec, log_dir=log_dir, fork_servers=fork_servers, environ=environ)
