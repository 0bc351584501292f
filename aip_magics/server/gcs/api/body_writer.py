"""Streams a request body of any size to disk: a thread hashes and writes one block while the next is received."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable

from starlette.requests import ClientDisconnect

from aip_magics.server.gcs.api.routing import ObjectRequest
from aip_magics.server.gcs.blobs import BLOCK

Write = Callable[[Iterable[bytes]], None]


async def stream_to_disk(call: ObjectRequest, stream: AsyncIterator[bytes], write: Write) -> list[bytes]:
    """Pass `stream` to `write` on a disk thread, about 1 MiB at a time; at most two such blocks are in memory.

    Returns the remainder (less than 1 MiB, not written), so that a small body needs only one call in a thread. When the
    client disconnects, everything received is written before ClientDisconnect is raised.
    """
    writing: asyncio.Future[None] | None = None
    blocks: list[bytes] = []
    buffered = 0
    try:
        async for data in stream:
            blocks.append(data)
            buffered += len(data)
            if buffered >= BLOCK:
                if writing:
                    await writing
                writing, blocks, buffered = call.submit(write, blocks), [], 0
        if writing:
            await writing
    except ClientDisconnect:
        if writing:
            await writing
        if blocks:
            await call.submit(write, blocks)
        raise
    except BaseException:
        if writing:
            await asyncio.wait([writing])  # the file must stay open until the thread is done
        raise
    return blocks
