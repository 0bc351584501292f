"""Frames between owner and worker: a header (JSON object) and a payload (bytes), each with its length before it."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from aip_magics.errors import InstancesError, WorkerError
from aip_magics.i18n import gettext as _

HEAD = struct.Struct(">II")
HEADER_LIMIT = 1 << 24  # bytes; more is no header of ours
PAYLOAD_LIMIT = (1 << 32) - 1  # bytes


class Frame(NamedTuple):
    header: dict[str, Any]
    payload: bytes


def pack(header: Mapping[str, Any], payload: bytes = b"") -> bytes:
    """The bytes of one frame. InstancesError if the payload is 4 GiB or more."""
    return joined(json.dumps(header).encode("utf-8"), payload)


def joined(head: bytes, payload: bytes) -> bytes:
    """As `pack`, of a header that is JSON already."""
    if len(payload) > PAYLOAD_LIMIT:
        raise InstancesError(
            _("a request of {count} bytes is too large", count=len(payload)), fix=_("send fewer instances at once")
        )
    return b"".join((HEAD.pack(len(head), len(payload)), head, payload))


class Unpacker:
    """Takes bytes as they arrive, gives frames as they are complete."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that `data` completes. WorkerError if the bytes are no frames."""
        self._buffer += data
        while (frame := self._take()) is not None:
            yield frame

    def _take(self) -> Frame | None:
        if len(self._buffer) < HEAD.size:
            return None
        head, payload = HEAD.unpack_from(self._buffer)
        if head > HEADER_LIMIT:
            raise WorkerError(_("the worker process sent something else than frames"))
        middle, end = HEAD.size + head, HEAD.size + head + payload
        if len(self._buffer) < end:
            return None
        with memoryview(self._buffer) as view:
            header, body = bytes(view[HEAD.size : middle]), bytes(view[middle:end])
        del self._buffer[:end]
        try:
            return Frame(json.loads(header.decode()), body)  # it would look for the encoding of bytes
        except ValueError:
            raise WorkerError(_("the worker process sent something else than frames")) from None
