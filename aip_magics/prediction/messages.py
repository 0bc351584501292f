"""Messages between a worker and its client: a JSON object and bytes, each with its length before it."""

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


class WorkerMessage(NamedTuple):
    header: dict[str, Any]
    payload: bytes


def encode_message(header: Mapping[str, Any], payload: bytes = b"") -> bytes:
    """The bytes of one message. InstancesError if the payload is 4 GiB or more."""
    return encode_raw_message(json.dumps(header).encode("utf-8"), payload)


def encode_raw_message(head: bytes, payload: bytes) -> bytes:
    """As `encode_message`, for a header that is JSON already."""
    if len(payload) > PAYLOAD_LIMIT:
        raise InstancesError(
            _("a request of {count} bytes is too large", count=len(payload)),
            fix=_("send fewer instances in one request"),
        )
    return b"".join((HEAD.pack(len(head), len(payload)), head, payload))


class MessageDecoder:
    """Take bytes as they arrive, give messages as they are complete."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[WorkerMessage]:
        """The messages that `data` completes. WorkerError if the bytes are not messages."""
        self._buffer += data
        while self._buffer and (message := self._take()) is not None:
            yield message

    def _take(self) -> WorkerMessage | None:
        if len(self._buffer) < HEAD.size:
            return None
        head, payload = HEAD.unpack_from(self._buffer)
        if head > HEADER_LIMIT:
            raise WorkerError(_("the worker process sent an invalid message"))
        middle, end = HEAD.size + head, HEAD.size + head + payload
        if len(self._buffer) < end:
            return None
        with memoryview(self._buffer) as view:
            header, body = bytes(view[HEAD.size : middle]), bytes(view[middle:end])
        del self._buffer[:end]
        try:
            return WorkerMessage(json.loads(header.decode()), body)  # it would look for the encoding of bytes
        except ValueError:
            raise WorkerError(_("the worker process sent an invalid message")) from None
