"""Resumable upload: one session per file of 8 to 64 MiB, continued from the offset that the server reports."""

from __future__ import annotations

import contextlib
import json
import re

from aip_magics.i18n import gettext as _
from aip_magics.retry import RetryableError
from aip_magics.storage.checksums import Digest
from aip_magics.storage.http.client import StorageClient, StorageRequestError, StorageResponse
from aip_magics.storage.object_api import RemoteObject
from aip_magics.storage.upload.checkpoint import PendingObject
from aip_magics.storage.upload.file_body import CONTENT_TYPE, FileBody
from aip_magics.storage.upload.object_upload import ObjectUpload, RestartUpload


def upload_resumable(upload: ObjectUpload, pending: PendingObject | None = None) -> RemoteObject:
    """Upload the file in a session: the one of an earlier run for this content, or a new one."""
    sessions = [(pending.session, pending.digest)] if pending and pending.session and pending.digest else []

    def run_session() -> RemoteObject:
        if sessions:
            return _ResumableSession(upload, *sessions.pop(), offset_known=False).run()
        digest = upload.digest()
        return _ResumableSession(upload, _start_session(upload, digest), digest).run()

    created = upload.run_with_restarts(run_session)
    upload.context.checkpoint.forget(upload.file.name)
    return created


def cancel_session(client: StorageClient, url: str, where: str) -> None:
    """Cancel a resumable session, if it still exists."""
    with contextlib.suppress(RetryableError):  # it costs nothing and expires in a week
        client.request_once(
            "DELETE",
            url,
            where=where,
            headers={"Content-Length": "0"},
            expected_statuses=frozenset({404, 410, 499}),
        )


def _start_session(upload: ObjectUpload, digest: Digest) -> str:
    """The URL of a new session."""
    headers = {
        "Content-Type": "application/json; charset=UTF-8",
        "X-Upload-Content-Type": CONTENT_TYPE,
        "X-Upload-Content-Length": str(upload.file.size),
    }
    body = json.dumps(upload.metadata(digest)).encode()
    target = upload.upload_path("resumable")

    def attempt() -> str:
        response = upload.client.request_once("POST", target, where=upload.where, body=body, headers=headers)
        if "location" not in response.headers:
            raise RetryableError(_("response without {name}", name="Location"))
        return response.headers["location"]

    url = upload.client.retry(attempt, where=upload.where)
    upload.context.checkpoint.record_session(upload.file.name, upload.identity, url, digest)
    return url


class _ResumableSession:
    """A session of which the server has `offset` bytes. `offset_known` False: the server may have more."""

    def __init__(self, upload: ObjectUpload, url: str, digest: Digest, *, offset_known: bool = True) -> None:
        self._upload = upload
        self._url = url
        self._digest = digest
        self._offset_known = offset_known
        self._offset = 0

    def run(self) -> RemoteObject:
        """Send the rest of the file. RestartUpload if the session is gone or the bytes were corrupted."""
        upload = self._upload
        try:
            created = upload.client.retry(self._attempt, where=upload.where, bytes_transferred=lambda: self._offset)
        except StorageRequestError as refused:
            self._move_to(0)
            if refused.code in (404, 410):
                raise RestartUpload(refused.text) from None
            created = upload.resolve_refusal(refused, self._digest)
        self._move_to(upload.file.size)
        return upload.verified(created, self._digest.crc32c)

    def _attempt(self) -> RemoteObject:
        size = self._upload.file.size
        if not self._offset_known:
            response = self._put({"Content-Range": f"bytes */{size}"})
            if response.status != 308:
                return RemoteObject.from_resource(response.json())
            self._move_to(_received_bytes(response))
        self._offset_known = False
        body = self._upload.body(self._offset, size - self._offset)
        content_range = f"bytes {self._offset}-{size - 1}/{size}"
        try:
            response = self._put({"Content-Range": content_range, "Content-Type": CONTENT_TYPE}, body)
        finally:
            body.rollback_progress()  # the server's offset counts
        if response.status != 308:
            self._move_to(size)
            return RemoteObject.from_resource(response.json())
        self._move_to(_received_bytes(response))
        raise RetryableError(_("the server accepted only a part of the bytes"))

    def _put(self, headers: dict[str, str], body: FileBody | None = None) -> StorageResponse:
        return self._upload.client.request_once(
            "PUT",
            self._url,
            where=self._upload.where,
            body=body,
            length=None if body is None else len(body),
            headers=headers,
            expected_statuses=frozenset({308}),
        )

    def _move_to(self, offset: int) -> None:
        if offset > self._upload.file.size:
            raise RestartUpload(_("the upload session is larger than the file"))
        self._upload.add_progress(offset - self._offset)
        self._offset = offset


def _received_bytes(response: StorageResponse) -> int:
    """How many bytes a session has: `Range: bytes=0-N`, none without that header."""
    found = re.fullmatch(r"bytes=0-(\d+)", response.headers.get("range", "").strip())
    return int(found[1]) + 1 if found else 0
