"""What goes over the line: the bytes of a file, read as they are sent and counted as they leave."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from aip_magics.errors import StorageError
from aip_magics.storage.checksums import Hasher, slices
from aip_magics.storage.plan import unreadable

TYPE = "application/octet-stream"


class Body:
    """The bytes `start` to `start + size` of a file for one request, between `head` and `tail`.

    With `content` the file is not read again. `moved` is told of every slice that left, `hasher` sees the bytes.
    `changed` makes the error for a file that became shorter.
    """

    def __init__(
        self,
        path: Path,
        start: int,
        size: int,
        moved: Callable[[int], None],
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
        self._moved = moved
        self._changed = changed
        self._head = head
        self._tail = tail
        self._content = content
        self._hasher = hasher
        self._counted = 0

    def __len__(self) -> int:
        return len(self._head) + self._size + len(self._tail)

    def undo(self) -> None:
        """The request failed: its bytes count as not sent."""
        if self._counted:
            counted, self._counted = self._counted, 0
            self._moved(-counted)

    def __iter__(self) -> Iterator[bytes]:
        if self._content is not None:
            yield self._head + self._content + self._tail
            self._count(self._size)
            return
        if self._head:
            yield self._head
        # An OSError of the file must not look like one of the connection.
        try:
            for data in slices(self._path, self._start, self._size):
                if self._hasher is not None:
                    self._hasher.update(data)
                yield data
                self._count(len(data))  # here again: the slice has left
        except OSError as error:
            raise unreadable(self._path, error) from error
        if self._counted != self._size:
            raise self._changed()  # the request cannot be completed
        if self._tail:
            yield self._tail

    def _count(self, count: int) -> None:
        self._counted += count
        self._moved(count)


def related(boundary: str, metadata: dict[str, Any]) -> tuple[bytes, bytes]:
    """What comes before and after the content in a body of metadata and content (`multipart/related`)."""
    head = (
        f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{json.dumps(metadata)}\r\n"
        f"--{boundary}\r\nContent-Type: {TYPE}\r\n\r\n"
    )
    return head.encode(), f"\r\n--{boundary}--\r\n".encode()
