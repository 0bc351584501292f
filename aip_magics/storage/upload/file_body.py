"""Request body that reads a file lazily and reports progress."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from aip_magics.errors import StorageError
from aip_magics.storage.checksums import Hasher, read_slices
from aip_magics.storage.upload.upload_plan import unreadable_file_error

CONTENT_TYPE = "application/octet-stream"


class FileBody:
    """The bytes `start` to `start + size` of a file as the body of one request.

    Args:
        on_sent: Called with the number of bytes after every slice that was sent.
        changed: Creates the error for a file that became shorter.
        head: Bytes before those of the file.
        tail: Bytes after those of the file.
        content: The bytes of the file, if they were read already.
        hasher: Updated with every slice.
    """

    def __init__(
        self,
        path: Path,
        start: int,
        size: int,
        on_sent: Callable[[int], None],
        changed: Callable[[], StorageError],
        *,
        head: bytes = b"",
        tail: bytes = b"",
        content: bytes | None = None,
        hasher: Hasher | None = None,
    ) -> None:
        self._path = path
        self._start = start
        self._size = size
        self._on_sent = on_sent
        self._changed = changed
        self._head = head
        self._tail = tail
        self._content = content
        self._hasher = hasher
        self._sent = 0

    def __len__(self) -> int:
        return len(self._head) + self._size + len(self._tail)

    def rollback_progress(self) -> None:
        """Take back the progress of this body: its request failed."""
        if self._sent:
            sent, self._sent = self._sent, 0
            self._on_sent(-sent)

    def __iter__(self) -> Iterator[bytes]:
        if self._content is not None:
            yield self._head + self._content + self._tail
            self._count(self._size)
            return
        if self._head:
            yield self._head
        # An OSError of the file must not look like one of the connection.
        try:
            for data in read_slices(self._path, self._start, self._size):
                if self._hasher is not None:
                    self._hasher.update(data)
                yield data
                self._count(len(data))  # the generator was resumed: the slice was sent
        except OSError as error:
            raise unreadable_file_error(self._path, error) from error
        if self._sent != self._size:
            raise self._changed()  # the request cannot be completed
        if self._tail:
            yield self._tail

    def _count(self, count: int) -> None:
        self._sent += count
        self._on_sent(count)


def multipart_related_envelope(boundary: str, metadata: dict[str, Any]) -> tuple[bytes, bytes]:
    """The bytes before and after the content in a `multipart/related` body of metadata and content."""
    head = (
        f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{json.dumps(metadata)}\r\n"
        f"--{boundary}\r\nContent-Type: {CONTENT_TYPE}\r\n\r\n"
    )
    return head.encode(), f"\r\n--{boundary}--\r\n".encode()
