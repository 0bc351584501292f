"""Objects: insert. `uploadType` media (the body), multipart (metadata and body), resumable (a session of requests)."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

from starlette.responses import Response

from aip_magics.server.gcs.api.body_writer import stream_to_disk
from aip_magics.server.gcs.api.multipart import Related
from aip_magics.server.gcs.api.routing import ObjectRequest, raw_path
from aip_magics.server.gcs.blobs import BLOCK
from aip_magics.server.gcs.gcs_errors import invalid
from aip_magics.server.gcs.object_checksums import ExpectedChecksums
from aip_magics.server.gcs.preconditions import integer
from aip_magics.server.gcs.resources import StoredObject
from aip_magics.server.gcs.resumable_uploads import ResumableUpload

_DEFAULT_TYPE = "application/octet-stream"


async def insert(call: ObjectRequest) -> Response:
    """POST /upload/storage/v1/b/{bucket}/o"""
    kinds = {"media": _media, "multipart": _multipart, "resumable": _start_resumable}
    kind = call.query.get("uploadType", "")
    if kind not in kinds:
        raise invalid(f"uploadType must be one of {', '.join(kinds)}, not '{kind[:40]}'.")
    if kind != "resumable" and call.headers.get("content-encoding", "identity") != "identity":
        raise invalid("The embedded object store takes a body as it is: send it without Content-Encoding.")
    return await kinds[kind](call)


async def _media(call: ObjectRequest) -> Response:
    metadata = _described(call, {}, call.headers.get("content-type", ""))
    stored = await receive(call, call.query.get("name", ""), metadata, call.request.stream())
    return call.answer(stored.to_json(call.base))


async def _multipart(call: ObjectRequest) -> Response:
    parser = Related(call.headers.get("content-type", ""))
    stream = _related(call, parser)
    first = await anext(stream)  # once there is content, the metadata is complete

    async def content() -> AsyncIterator[bytes]:
        yield first
        async for data in stream:
            yield data

    metadata = _described(call, parser.metadata, parser.content_type)
    name = _name(call, parser.metadata)
    stored = await receive(call, name, metadata, content(), said=parser.metadata)
    return call.answer(stored.to_json(call.base))


async def _related(call: ObjectRequest, parser: Related) -> AsyncIterator[bytes]:
    async for data in call.request.stream():
        content = parser.feed(data)
        if parser.has_head:
            yield content
    yield parser.close()


async def receive(
    call: ObjectRequest,
    name: str,
    metadata: Mapping[str, Any],
    stream: AsyncIterator[bytes],
    *,
    said: Mapping[str, Any] | None = None,
) -> StoredObject:
    """Make an object of a stream; what is wrong with a big one is said before its body is read."""
    conditions = call.conditions()
    claims = ExpectedChecksums.read(said or {}, call.headers)
    length = call.length()
    if length is None or length > BLOCK:
        await call.run(call.store.check, call.bucket, name, conditions)
    writer = call.store.writer()
    try:
        tail = await stream_to_disk(call, stream, writer.write)
    except BaseException:
        writer.discard()
        raise
    return await call.run(
        call.store.commit,
        call.bucket,
        name,
        writer,
        tail,
        metadata=metadata,
        conditions=conditions,
        claims=claims,
    )


async def _start_resumable(call: ObjectRequest) -> Response:
    given = await call.json()
    content_type = call.headers.get("x-upload-content-type", "")
    total = call.headers.get("x-upload-content-length")
    id_ = await call.run(
        call.store.resumable_uploads.start,
        call.bucket,
        _name(call, given),
        _described(call, given, content_type),
        call.conditions(),
        ExpectedChecksums.read(given, call.headers),
        integer("X-Upload-Content-Length", total) if total else None,
    )
    location = f"{call.base}{raw_path(call.request.scope)}?uploadType=resumable&upload_id={id_}"
    return Response(headers={"location": location, "x-guploader-uploadid": id_})


async def resume(call: ObjectRequest) -> Response:
    """PUT /upload/storage/v1/b/{bucket}/o?upload_id=…: bytes of a session, or (`bytes */N`) a question for its state.

    308 with `Range: bytes=0-N` as long as bytes are missing, then the object.
    """
    id_ = call.query["upload_id"]
    said = ContentRange.read(call.headers.get("content-range", ""))
    session = await call.run(call.store.resumable_uploads.status, id_, call.bucket)
    if isinstance(session, StoredObject):
        return call.answer(session.to_json(call.base))  # the answer before was lost
    total = said.total if said.total is not None else session.total
    if session.total is not None and total != session.total:
        raise invalid(f"The upload was announced with {session.total} bytes, not {total}.")
    if said.start is None and (said.total is None or said.total != session.writer.size):
        return _incomplete(session.writer.size)
    return await _receive_range(call, session, said, total)


async def _receive_range(
    call: ObjectRequest, session: ResumableUpload, said: ContentRange, total: int | None
) -> Response:
    turn = await call.run(call.store.resumable_uploads.take, session)
    if said.start is not None and said.start > turn.received:
        raise invalid(
            f"Invalid request. According to the Content-Range header, the upload offset is {said.start} byte(s), which "
            f"exceeds already uploaded size of {turn.received} byte(s)."
        )
    known = turn.received - (said.start or 0)
    end = said.end + 1 if said.end is not None else total
    finished = False
    try:
        if said.start is not None:
            tail = await stream_to_disk(call, _fresh(call, known, end, turn.received), turn.append)
            await call.run(turn.append, tail)
            if said.whole and total is None:
                total = turn.received
        if total is None or turn.received < total:
            return _incomplete(turn.received)
        if turn.received > total:
            raise invalid(f"The upload has {turn.received} bytes, more than the {total} that were announced.")
        finished = True
        stored = await call.run(turn.finish, ExpectedChecksums.read({}, call.headers))
        return call.answer(stored.to_json(call.base))
    finally:
        if not finished:
            await call.run(turn.pause)


async def _fresh(call: ObjectRequest, known: int, end: int | None, received: int) -> AsyncIterator[bytes]:
    """The bytes of the body that are not there yet; 400 as soon as there are more than announced."""
    async for data in call.request.stream():
        fresh = data[known:]
        known = max(0, known - len(data))
        received += len(fresh)
        if end is not None and received > end:
            raise invalid(f"The body is longer than announced: byte {end} should be the last.")
        if fresh:
            yield fresh


def _incomplete(received: int) -> Response:
    headers = {"range": f"bytes=0-{received - 1}"} if received else {}
    return Response(status_code=308, headers={**headers, "x-http-status-code-override": "308"})


async def cancel(call: ObjectRequest) -> Response:
    """DELETE /upload/storage/v1/b/{bucket}/o?upload_id=…"""
    await call.run(call.store.resumable_uploads.cancel, call.query["upload_id"], call.bucket)
    return Response(status_code=499)


@dataclasses.dataclass(frozen=True)
class ContentRange:
    """`bytes 0-9/100`, `bytes 0-9/*`, `bytes */100`, `bytes */*`; no header = the whole content from 0 (`whole`)."""

    start: int | None
    end: int | None
    total: int | None
    whole: bool = False

    @classmethod
    def read(cls, text: str) -> ContentRange:
        if not text:
            return cls(0, None, None, whole=True)
        found = re.fullmatch(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(?:(\d{1,18})|\*)", text.strip(), re.ASCII)
        if not found:
            raise invalid(f"Invalid Content-Range: '{text[:100]}'; 'bytes FIRST-LAST/TOTAL' is wanted.")
        start, end, total = (int(group) if group else None for group in found.groups())
        if start is not None and end is not None and (end < start or (total is not None and end >= total)):
            raise invalid(f"Invalid Content-Range: '{text[:100]}'.")
        return cls(start, end, total)


def _described(call: ObjectRequest, given: Mapping[str, Any], content_type: str) -> dict[str, Any]:
    described = {"contentType": content_type or _DEFAULT_TYPE, **given}
    if call.query.get("contentEncoding"):
        described["contentEncoding"] = call.query["contentEncoding"]
    return described


def _name(call: ObjectRequest, given: Mapping[str, Any]) -> str:
    name = call.query.get("name") or given.get("name") or ""
    if not isinstance(name, str):
        raise invalid("The name of an object must be text.")
    return name
