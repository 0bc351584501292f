"""Reading an object's bytes: `alt=media`, one range, HEAD."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import datetime
from email.utils import format_datetime
from typing import BinaryIO

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from aip_magics.server.gcs.api.routing import ObjectRequest
from aip_magics.server.gcs.blobs import BLOCK
from aip_magics.server.gcs.gcs_errors import refusal
from aip_magics.server.gcs.preconditions import Preconditions
from aip_magics.server.gcs.resources import StoredObject


async def media(call: ObjectRequest) -> Response:
    """GET …/o/{object}?alt=media"""
    return await send(call, call.conditions())


async def send(call: ObjectRequest, conditions: Preconditions) -> Response:
    """The object's bytes, or the one range that `Range` asks for (206; 416 when it is beyond the end)."""
    generation = call.number("generation")
    stored, handle = await call.run(call.store.open, call.bucket, call.object, generation, conditions)
    try:
        first, last = byte_range(call.headers.get("range", ""), stored.size)
        headers = content_headers(stored)
        headers["content-length"] = str(last - first + 1)
        partial = last - first + 1 != stored.size
        if partial:
            headers["content-range"] = f"bytes {first}-{last}/{stored.size}"
        status = 206 if partial else 200
        if call.request.method == "HEAD":
            handle.close()
            return Response(status_code=status, headers=headers)
    except BaseException:
        handle.close()
        raise
    return _Download(call, handle, first, last - first + 1, status, headers)


class _Download(StreamingResponse):
    """Closes the file also where the client is gone before the first byte, and `_read` never began."""

    def __init__(
        self, call: ObjectRequest, handle: BinaryIO, first: int, size: int, status: int, headers: dict[str, str]
    ) -> None:
        super().__init__(_read(call, handle, first, size), status, headers)
        self._handle = handle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._handle:
            await super().__call__(scope, receive, send)


async def _read(call: ObjectRequest, handle: BinaryIO, first: int, size: int) -> AsyncIterator[bytes]:
    with handle:
        await call.run(handle.seek, first)
        while size > 0:
            data = await call.run(handle.read, min(BLOCK, size))
            if not data:
                raise EOFError("a blob file is shorter than its row says")
            size -= len(data)
            yield data


def byte_range(text: str, size: int) -> tuple[int, int]:
    """First and last byte of `bytes=A-B`, `bytes=A-` or `bytes=-N`; anything else means all. 416 beyond the end."""
    found = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", text.strip(), re.ASCII)
    if not found or not any(found.groups()):
        return 0, size - 1
    start, end = found.groups()
    if not start:
        first, last = max(0, size - int(end)), size - 1
    else:
        first, last = int(start), min(int(end) if end else size, size - 1)
        if end and int(end) < first:
            return 0, size - 1
    if first > last:
        text = f"The requested range cannot be satisfied: the object has {size} bytes."
        raise refusal(416, "requestedRangeNotSatisfiable", text, "InvalidRange")
    return first, last


def hashes(crc32c: str, md5: str | None) -> str:
    """The value of `x-goog-hash`."""
    return f"crc32c={crc32c},md5={md5}" if md5 else f"crc32c={crc32c}"


def content_headers(stored: StoredObject) -> dict[str, str]:
    """What the headers of a download say of the object."""
    given = stored.metadata
    headers = {
        "content-type": given.get("contentType", "application/octet-stream"),
        "content-encoding": given.get("contentEncoding", ""),
        "content-disposition": given.get("contentDisposition", ""),
        "content-language": given.get("contentLanguage", ""),
        "cache-control": given.get("cacheControl", ""),
        "accept-ranges": "bytes",
        "etag": f'"{stored.etag}"',
        "last-modified": format_datetime(datetime.fromisoformat(stored.updated.replace("Z", "+00:00")), usegmt=True),
        "x-goog-hash": hashes(stored.crc32c, stored.md5),
        "x-goog-generation": str(stored.generation),
        "x-goog-metageneration": str(stored.metageneration),
        "x-goog-storage-class": given.get("storageClass", "STANDARD"),
        "x-goog-stored-content-length": str(stored.size),
        "x-goog-stored-content-encoding": given.get("contentEncoding", "identity"),
    }
    # A header is latin-1 to Starlette: UTF-8 bytes go through it unchanged this way.
    return {name: value.encode().decode("latin-1") for name, value in headers.items() if value}
