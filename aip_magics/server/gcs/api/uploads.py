"""Handlers of uploads: `uploadType` media (content), multipart (metadata and content), resumable (several requests)."""

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
        raise invalid(f"Invalid uploadType: expected one of {', '.join(kinds)}, got '{kind[:40]}'.")
    if kind != "resumable" and call.headers.get("content-encoding", "identity") != "identity":
        raise invalid("The embedded object store does not support Content-Encoding in uploads.")
    return await kinds[kind](call)


async def _media(call: ObjectRequest) -> Response:
    metadata = _object_fields(call, {}, call.headers.get("content-type", ""))
    stored = await receive(call, call.query.get("name", ""), metadata, call.request.stream())
    return call.answer(stored.to_json(call.base))


async def _multipart(call: ObjectRequest) -> Response:
    parser = Related(call.headers.get("content-type", ""))
    stream = _read_related(call, parser)
    first = await anext(stream)  # when the first content arrives, the metadata is complete

    async def content() -> AsyncIterator[bytes]:
        yield first
        async for data in stream:
            yield data

    metadata = _object_fields(call, parser.metadata, parser.content_type)
    name = _name(call, parser.metadata)
    stored = await receive(call, name, metadata, content(), resource=parser.metadata)
    return call.answer(stored.to_json(call.base))


async def _read_related(call: ObjectRequest, parser: Related) -> AsyncIterator[bytes]:
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
    resource: Mapping[str, Any] | None = None,
) -> StoredObject:
    """Create an object from a stream. Errors of a large upload are raised before its body is read."""
    conditions = call.conditions()
    expected = ExpectedChecksums.read(resource or {}, call.headers)
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
        expected=expected,
    )


async def _start_resumable(call: ObjectRequest) -> Response:
    resource = await call.json()
    content_type = call.headers.get("x-upload-content-type", "")
    total = call.headers.get("x-upload-content-length")
    id_ = await call.run(
        call.store.resumable_uploads.start,
        call.bucket,
        _name(call, resource),
        _object_fields(call, resource, content_type),
        call.conditions(),
        ExpectedChecksums.read(resource, call.headers),
        integer("X-Upload-Content-Length", total) if total else None,
    )
    location = f"{call.base}{raw_path(call.request.scope)}?uploadType=resumable&upload_id={id_}"
    return Response(headers={"location": location, "x-guploader-uploadid": id_})


async def resume(call: ObjectRequest) -> Response:
    """PUT /upload/storage/v1/b/{bucket}/o?upload_id=…: append bytes, or query the status with `bytes */N`.

    Answers 308 with `Range: bytes=0-N` while bytes are missing, then the object.
    """
    id_ = call.query["upload_id"]
    content_range = ContentRange.read(call.headers.get("content-range", ""))
    upload = await call.run(call.store.resumable_uploads.status, id_, call.bucket)
    if isinstance(upload, StoredObject):
        return call.answer(upload.to_json(call.base))  # the previous response was lost
    total = content_range.total if content_range.total is not None else upload.total
    if upload.total is not None and total != upload.total:
        raise invalid(f"The upload was started with a total of {upload.total} bytes, got {total}.")
    if content_range.start is None and (content_range.total is None or content_range.total != upload.writer.size):
        return _incomplete(upload.writer.size)
    return await _receive_range(call, upload, content_range, total)


async def _receive_range(
    call: ObjectRequest, upload: ResumableUpload, content_range: ContentRange, total: int | None
) -> Response:
    lease = await call.run(call.store.resumable_uploads.take, upload)
    if content_range.start is not None and content_range.start > lease.received:
        raise invalid(
            "Invalid request. According to the Content-Range header, the upload offset is "
            f"{content_range.start} byte(s), which exceeds already uploaded size of {lease.received} byte(s)."
        )
    received_again = lease.received - (content_range.start or 0)
    end = content_range.end + 1 if content_range.end is not None else total
    finished = False
    try:
        if content_range.start is not None:
            tail = await stream_to_disk(call, _new_bytes(call, received_again, end, lease.received), lease.append)
            await call.run(lease.append, tail)
            if content_range.whole and total is None:
                total = lease.received
        if total is None or lease.received < total:
            return _incomplete(lease.received)
        if lease.received > total:
            raise invalid(f"The upload has {lease.received} bytes, more than its declared total of {total} bytes.")
        finished = True
        stored = await call.run(lease.finish, ExpectedChecksums.read({}, call.headers))
        return call.answer(stored.to_json(call.base))
    finally:
        if not finished:
            await call.run(lease.pause)


async def _new_bytes(call: ObjectRequest, received_again: int, end: int | None, received: int) -> AsyncIterator[bytes]:
    """Yield the bytes of the body that were not received before; 400 as soon as they exceed the declared size."""
    async for data in call.request.stream():
        new = data[received_again:]
        received_again = max(0, received_again - len(data))
        received += len(new)
        if end is not None and received > end:
            raise invalid(f"The body is longer than declared: the upload must end after {end} bytes.")
        if new:
            yield new


def _incomplete(received: int) -> Response:
    headers = {"range": f"bytes=0-{received - 1}"} if received else {}
    return Response(status_code=308, headers={**headers, "x-http-status-code-override": "308"})


async def cancel(call: ObjectRequest) -> Response:
    """DELETE /upload/storage/v1/b/{bucket}/o?upload_id=…"""
    await call.run(call.store.resumable_uploads.cancel, call.query["upload_id"], call.bucket)
    return Response(status_code=499)


@dataclasses.dataclass(frozen=True)
class ContentRange:
    """A Content-Range: `bytes 0-9/100`, `bytes 0-9/*`, `bytes */100`, `bytes */*`.

    Without the header, the body is the whole content from 0 (`whole`).
    """

    start: int | None
    end: int | None
    total: int | None
    whole: bool = False

    @classmethod
    def read(cls, text: str) -> ContentRange:
        """Parse the header; InvalidArgument (400) when it is malformed."""
        if not text:
            return cls(0, None, None, whole=True)
        match = re.fullmatch(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(?:(\d{1,18})|\*)", text.strip(), re.ASCII)
        if not match:
            raise invalid(f"Invalid Content-Range: expected 'bytes FIRST-LAST/TOTAL', got '{text[:100]}'.")
        start, end, total = (int(group) if group else None for group in match.groups())
        if start is not None and end is not None and (end < start or (total is not None and end >= total)):
            raise invalid(f"Invalid Content-Range: '{text[:100]}'.")
        return cls(start, end, total)


def _object_fields(call: ObjectRequest, resource: Mapping[str, Any], content_type: str) -> dict[str, Any]:
    fields = {"contentType": content_type or _DEFAULT_TYPE, **resource}
    if call.query.get("contentEncoding"):
        fields["contentEncoding"] = call.query["contentEncoding"]
    return fields


def _name(call: ObjectRequest, resource: Mapping[str, Any]) -> str:
    name = call.query.get("name") or resource.get("name") or ""
    if not isinstance(name, str):
        raise invalid("The object name must be a string.")
    return name
