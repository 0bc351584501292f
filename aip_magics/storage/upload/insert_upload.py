"""Insert upload: one request with metadata, checksum and content, for files up to 8 MiB."""

from __future__ import annotations

import os

from aip_magics.retry import RetryableError
from aip_magics.storage.checksums import Digest, Hasher
from aip_magics.storage.http.client import StorageRequestError
from aip_magics.storage.object_api import RemoteObject
from aip_magics.storage.upload.file_body import FileBody, multipart_related_envelope
from aip_magics.storage.upload.object_upload import ObjectUpload

INSERT_MAX_BYTES = 8 << 20
IN_MEMORY_MAX_BYTES = 256 << 10  # files up to this size are read at once


def upload_insert(upload: ObjectUpload) -> RemoteObject:
    """Upload the file as a single insert request; the server refuses corrupted content by its checksum."""
    return upload.run_with_restarts(lambda: _insert(upload))


def _insert(upload: ObjectUpload) -> RemoteObject:
    digest, content = _digest_and_content(upload)
    boundary = os.urandom(24).hex()  # so long a random boundary is in no content
    head, tail = multipart_related_envelope(boundary, upload.metadata(digest))
    headers = {"Content-Type": f"multipart/related; boundary={boundary}"}
    body = upload.body(0, upload.file.size, head=head, tail=tail, content=content)
    try:
        return upload.client.retry(lambda: _attempt(upload, body, headers, digest), where=upload.where)
    except StorageRequestError as refused:
        body.rollback_progress()
        existing = upload.resolve_refusal(refused, digest)
        upload.add_progress(upload.file.size)
        return existing


def _attempt(upload: ObjectUpload, body: FileBody, headers: dict[str, str], digest: Digest) -> RemoteObject:
    target = upload.upload_path("multipart")
    try:
        response = upload.client.request_once(
            "POST", target, where=upload.where, body=body, length=len(body), headers=headers
        )
    except RetryableError:
        body.rollback_progress()
        raise
    return upload.verified(RemoteObject.from_resource(response.json()), digest.crc32c)


def _digest_and_content(upload: ObjectUpload) -> tuple[Digest, bytes | None]:
    """The digest, and for a very small file its bytes, so that it is read once."""
    if upload.file.size > IN_MEMORY_MAX_BYTES:
        return upload.digest(), None
    digests = upload.context.digests
    started = digests.now()
    content = upload.read_content()
    hasher = Hasher()
    hasher.update(content)
    digest = hasher.digest()
    digests.store(upload.file.path, upload.status, digest, started)
    return digest, content
