"""Getting a body of any size into a file: while a disk thread hashes and writes one block, the next arrives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable

from starlette.requests import ClientDisconnect

from aip_magics.server.gcs.api.routing import ObjectRequest
from aip_magics.server.gcs.blobs import BLOCK

Write = Callable[[Iterable[bytes]], None]


async def stream_to_disk(call: ObjectRequest, stream: AsyncIterator[bytes], write: Write) -> list[bytes]:
    """Feed `stream` to `write` on a disk thread, about 1 MiB at a time; memory stays at two such blocks.

    Returns what is left at the end (less than 1 MiB, not written), so that a small body needs one turn of a thread in
    all. When the caller goes away, everything that arrived is written before ClientDisconnect leaves.
    """
    writing: asyncio.Future[None] | None = None
    blocks: list[bytes] = []
    held = 0
    try:
        async for data in stream:
            blocks.append(data)
            held += len(data)
            if held >= BLOCK:
                if writing:
                    await writing
                writing, blocks, held = call.submit(write, blocks), [], 0
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
            await asyncio.wait([writing])  # the file must not be closed under the thread
        raise
    return blocks
