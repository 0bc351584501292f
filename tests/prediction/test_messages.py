from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aip_magics.errors import WorkerError
from aip_magics.prediction.messages import MessageDecoder, WorkerMessage, encode_message

headers = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.booleans(), max_size=4)


@given(st.lists(st.tuples(headers, st.binary(max_size=40)), max_size=4), st.integers(1, 50))
def test_messages_survive_any_segmentation(frames: list[tuple[dict[str, object], bytes]], size: int) -> None:
    wire = b"".join(encode_message(header, payload) for header, payload in frames)
    unpacker = MessageDecoder()
    got = [frame for at in range(0, len(wire), size) for frame in unpacker.feed(wire[at : at + size])]
    assert got == [WorkerMessage(header, payload) for header, payload in frames]


@pytest.mark.parametrize("wire", [b"HTTP/1.1 200 OK\r\n", b"\0\0\0\2\0\0\0\0no"])
def test_messages_refuse_anything_else(wire: bytes) -> None:
    with pytest.raises(WorkerError, match="sent an invalid message"):
        list(MessageDecoder().feed(wire))
