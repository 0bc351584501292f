"""Handlers of the XML API at `/BUCKET/OBJECT`: put, get, head and delete an object, and multipart uploads."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from starlette.responses import Response

from aip_magics.server.gcs.api.body_writer import stream_to_disk
from aip_magics.server.gcs.api.downloads import content_headers, hashes, send
from aip_magics.server.gcs.api.routing import ObjectRequest, xml_response, xml_text
from aip_magics.server.gcs.gcs_errors import invalid
from aip_magics.server.gcs.multipart_uploads import MAX_PARTS, StoredPart
from aip_magics.server.gcs.object_checksums import ExpectedChecksums
from aip_magics.server.gcs.preconditions import Preconditions, integer
from aip_magics.server.gcs.resources import StoredObject

_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


async def put(call: ObjectRequest) -> Response:
    """PUT /BUCKET/OBJECT"""
    conditions, expected = Preconditions.from_headers(call.headers), ExpectedChecksums.read({}, call.headers)
    metadata = _metadata(call)
    await call.run(call.store.check, call.bucket, call.object, conditions)
    writer = call.store.writer()
    try:
        tail = await stream_to_disk(call, call.request.stream(), writer.write)
    except BaseException:
        writer.discard()
        raise
    stored = await call.run(
        call.store.commit,
        call.bucket,
        call.object,
        writer,
        tail,
        metadata=metadata,
        conditions=conditions,
        expected=expected,
    )
    return Response(headers=_result_headers(stored))


async def get(call: ObjectRequest) -> Response:
    """GET and HEAD /BUCKET/OBJECT"""
    return await send(call, Preconditions.from_headers(call.headers))


async def delete(call: ObjectRequest) -> Response:
    """DELETE /BUCKET/OBJECT"""
    conditions, generation = Preconditions.from_headers(call.headers), call.query_int("generation")
    await call.run(call.store.delete, call.bucket, call.object, conditions, generation=generation)
    return Response(status_code=204)


async def start(call: ObjectRequest) -> Response:
    """POST /BUCKET/OBJECT?uploads"""
    id_ = await call.run(call.store.multipart_uploads.start, call.bucket, call.object, _metadata(call))
    return _result("InitiateMultipartUploadResult", Bucket=call.bucket, Key=call.object, UploadId=id_)


async def put_part(call: ObjectRequest) -> Response:
    """PUT /BUCKET/OBJECT?partNumber=N&uploadId=…"""
    number = integer("partNumber", call.query["partNumber"])
    if not 1 <= number <= MAX_PARTS:
        raise invalid(f"Part number must be an integer between 1 and {MAX_PARTS}, inclusive.")
    expected = ExpectedChecksums.read({}, call.headers)
    target = (call.bucket, call.object, call.query["uploadId"])
    await call.run(call.store.multipart_uploads.check, *target)
    writer = call.store.writer(md5=expected.md5 is not None)

    def store_part(tail: list[bytes]) -> StoredPart:
        writer.write(tail)
        blob = writer.finish()
        expected.check(blob.crc32c, blob.md5)
        return call.store.multipart_uploads.put_part(*target, number, blob)

    try:
        part = await call.run(store_part, await stream_to_disk(call, call.request.stream(), writer.write))
    except BaseException:
        writer.discard()
        raise
    return Response(headers={"etag": f'"{part.etag}"', "x-goog-hash": hashes(part.crc32c, part.md5)})


async def list_parts(call: ObjectRequest) -> Response:
    """GET /BUCKET/OBJECT?uploadId=…, always a single page."""
    parts = await call.run(call.store.multipart_uploads.list_parts, call.bucket, call.object, call.query["uploadId"])
    rows = "".join(
        f"<Part><PartNumber>{part.number}</PartNumber><LastModified>{part.created}</LastModified>"
        f'<ETag>"{part.etag}"</ETag><Size>{part.size}</Size></Part>'
        for part in parts
    )
    head = {"Bucket": call.bucket, "Key": call.object, "UploadId": call.query["uploadId"], "IsTruncated": "false"}
    return _result("ListPartsResult", rows, **head)


async def list_uploads(call: ObjectRequest) -> Response:
    """GET /BUCKET?uploads: uploads that were neither completed nor aborted."""
    uploads = await call.run(call.store.multipart_uploads.list_unfinished, call.bucket, call.query.get("prefix", ""))
    rows = "".join(
        f"<Upload><Key>{xml_text(name)}</Key><UploadId>{id_}</UploadId><Initiated>{created}</Initiated></Upload>"
        for name, id_, created in uploads
    )
    return _result("ListMultipartUploadsResult", rows, Bucket=call.bucket, IsTruncated="false")


async def complete(call: ObjectRequest) -> Response:
    """POST /BUCKET/OBJECT?uploadId=…"""
    parts = _parse_parts(await call.body())
    completion = await call.run(
        call.store.multipart_uploads.complete,
        call.bucket,
        call.object,
        call.query["uploadId"],
        parts,
        Preconditions.from_headers(call.headers),
    )
    while (stored := await call.run(completion.advance)) is None:
        pass  # other requests get the disk threads in between
    response = _result(
        "CompleteMultipartUploadResult",
        Location=f"{call.base}{call.request.scope['path']}",
        Bucket=call.bucket,
        Key=call.object,
        ETag=f'"{stored.etag}"',
    )
    response.headers.update(_result_headers(stored))
    return response


async def abort(call: ObjectRequest) -> Response:
    """DELETE /BUCKET/OBJECT?uploadId=…"""
    await call.run(call.store.multipart_uploads.abort, call.bucket, call.object, call.query["uploadId"])
    return Response(status_code=204)


def _parse_parts(body: bytes) -> list[tuple[int, str]]:
    try:
        text = body.decode()  # in another encoding than the API's, a DTD would not be found
        if "<!" in text:
            raise _malformed()  # document types and entities are used in attacks only
        root = ElementTree.fromstring(text)
    except (UnicodeDecodeError, ElementTree.ParseError):
        raise _malformed() from None
    parts = [
        {child.tag.rpartition("}")[2]: child.text or "" for child in part}
        for part in root
        if part.tag.rpartition("}")[2] == "Part"
    ]
    return [(integer("PartNumber", part.get("PartNumber", "").strip()), part.get("ETag", "")) for part in parts]


def _malformed() -> Exception:
    return invalid("The XML you provided was not well-formed.", xml_code="MalformedXML")


def _metadata(call: ObjectRequest) -> dict[str, Any]:
    headers = call.headers
    names = {
        "contentType": "content-type",
        "contentEncoding": "content-encoding",
        "contentDisposition": "content-disposition",
        "contentLanguage": "content-language",
        "cacheControl": "cache-control",
        "storageClass": "x-goog-storage-class",
    }
    metadata: dict[str, Any] = {field: headers[name] for field, name in names.items() if headers.get(name)}
    prefix = "x-goog-meta-"
    custom = {name[len(prefix) :]: value for name, value in headers.items() if name.startswith(prefix)}
    return {**metadata, **({"metadata": custom} if custom else {})}


def _result(tag: str, more: str = "", /, **values: str) -> Response:
    inner = "".join(f"<{name}>{xml_text(value)}</{name}>" for name, value in values.items())
    return xml_response(f'<{tag} xmlns="{_NAMESPACE}">{inner}{more}</{tag}>')


def _result_headers(stored: StoredObject) -> dict[str, str]:
    names = ("etag", "x-goog-hash", "x-goog-generation", "x-goog-metageneration", "x-goog-stored-content-length")
    return {name: value for name, value in content_headers(stored).items() if name in names}
