"""The small languages: checksums, multipart bodies, field masks, ranges."""

from __future__ import annotations

import google_crc32c
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aip_magics import errors
from aip_magics.crc32c import combine_crc32c, encode_crc32c
from aip_magics.server.gcs.api.downloads import byte_range
from aip_magics.server.gcs.api.multipart import Related, boundary
from aip_magics.server.gcs.api.partial_response import select
from aip_magics.server.gcs.api.uploads import ContentRange
from aip_magics.server.gcs.object_checksums import ExpectedChecksums


@settings(deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=6))
def test_object_checksums_combined_are_those_of_the_whole(pieces: list[bytes]) -> None:
    parts = [(encode_crc32c(google_crc32c.value(piece)), len(piece)) for piece in pieces]
    assert combine_crc32c(parts) == encode_crc32c(google_crc32c.value(b"".join(pieces)))


def test_object_checksums_combined_of_big_pieces() -> None:
    one, two = b"\xa7" * 70_001, bytes(range(256)) * 5000
    parts = [(encode_crc32c(google_crc32c.value(piece)), len(piece)) for piece in (one, two)]
    assert combine_crc32c(parts) == encode_crc32c(google_crc32c.value(one + two))


def test_expected_checksums_from_everywhere() -> None:
    headers = {
        "x-goog-hash": "crc32c=mnG7TA==, md5=XUFAKrxLKna5cZ2REBfFkg==",
        "content-md5": "XUFAKrxLKna5cZ2REBfFkg==",
    }
    expected = ExpectedChecksums.read({"crc32c": "mnG7TA=="}, headers)
    assert expected == ExpectedChecksums("mnG7TA==", "XUFAKrxLKna5cZ2REBfFkg==")
    expected.check("mnG7TA==", "XUFAKrxLKna5cZ2REBfFkg==")
    with pytest.raises(errors.InvalidArgument, match="Provided CRC32C"):
        expected.check("AAAAAA==", "XUFAKrxLKna5cZ2REBfFkg==")
    with pytest.raises(errors.InvalidArgument, match="two different crc32c"):
        ExpectedChecksums.read({"crc32c": "AAAAAA=="}, headers)
    with pytest.raises(errors.InvalidArgument, match="Invalid md5"):
        ExpectedChecksums.read({"md5Hash": "short"}, {})


def related(content: bytes, newline: bytes, cut: int, quotes: str, tail: bytes = b"") -> tuple[Related, bytes]:
    lines = [b"--==b==", b"Content-Type: application/json", b"", b'{"name": "x"}', b"--==b==", b"content-type: a/b"]
    body = newline.join([*lines, b"", content]) + newline + b"--==b==--" + tail
    parser = Related(f"multipart/related; boundary={quotes}==b=={quotes}")
    found = b"".join(parser.feed(body[i : i + cut]) for i in range(0, len(body), cut))
    return parser, found + parser.close()


@settings(deadline=None)
@given(
    content=st.lists(st.sampled_from([b"\r", b"\n", b"--==b==", b"--", b"\x85", b"x", b" ", b"\0"]), max_size=12),
    newline=st.sampled_from([b"\n", b"\r\n"]),
    cut=st.integers(1, 200),
    quotes=st.sampled_from(['"', "'", ""]),
    tail=st.sampled_from([b"", b"\n", b"\r\n"]),
)
def test_multipart_bodies_keep_contents_byte_for_byte(
    content: list[bytes], newline: bytes, cut: int, quotes: str, tail: bytes
) -> None:
    parser, found = related(b"".join(content), newline, cut, quotes, tail)
    assert found == b"".join(content)
    assert (parser.metadata, parser.content_type) == ({"name": "x"}, "a/b")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--b",
        b"--other\r\n\r\n{}",
        b"--b\r\n\r\n{}\r\n--b--",
        b"--b\r\n\r\nnot json\r\n--b\r\n\r\ndata\r\n--b--",
        b"--b\r\n\r\n{}\r\n--b\r\n\r\ndata",
        b"--b\r\n\r\n{}\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\ndata\r\n--b--",
        b"--b\r\n" + b"x" * 300_000,
    ],
)
def test_multipart_bodies_that_are_malformed(body: bytes) -> None:
    parser = Related("multipart/related; boundary=b")
    with pytest.raises(errors.InvalidArgument):
        parser.feed(body) + parser.close()


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(1, 60))
def test_multipart_bodies_of_any_bytes_are_a_content_or_a_clear_error(body: bytes, cut: int) -> None:
    parser = Related("multipart/related; boundary=b")
    try:
        for i in range(0, len(body), cut):
            parser.feed(body[i : i + cut])
        parser.close()
    except errors.InvalidArgument:
        return
    assert parser.has_head


@pytest.mark.parametrize(
    "text", ["text/plain", "multipart/related", "multipart/related; boundary=", "multipart/x; boundary=é"]
)
def test_multipart_bodies_need_a_boundary(text: str) -> None:
    with pytest.raises(errors.InvalidArgument):
        boundary(text)


VALUE = {"kind": "k", "items": [{"name": "a", "size": "1", "owner": {"x": 1, "y": 2}}], "nextPageToken": "t"}


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ("items(name,size),nextPageToken", {"items": [{"name": "a", "size": "1"}], "nextPageToken": "t"}),
        ("items/name", {"items": [{"name": "a"}]}),
        ("items(owner/x,name)", {"items": [{"name": "a", "owner": {"x": 1}}]}),
        ("items/owner(y)", {"items": [{"owner": {"y": 2}}]}),
        ("*", VALUE),
        ("kind, missing", {"kind": "k"}),
    ],
)
def test_partial_response_fields(fields: str, wanted: object) -> None:
    assert select(VALUE, fields) == wanted


@pytest.mark.parametrize("fields", [",", "a(", "a(b", "a)b", "a//b", "(a)", "a(b))", "a(" * 50])
def test_partial_response_refuses_malformed_fields(fields: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="Invalid field selection"):
        select(VALUE, fields)


@pytest.mark.parametrize(
    ("text", "size", "wanted"),
    [
        ("", 10, (0, 9)),
        ("bytes=2-4", 10, (2, 4)),
        ("bytes=2-", 10, (2, 9)),
        ("bytes=-3", 10, (7, 9)),
        ("bytes=-30", 10, (0, 9)),
        ("bytes=2-400", 10, (2, 9)),
        ("bytes=4-2", 10, (0, 9)),
        ("bytes=1-2,4-5", 10, (0, 9)),
        ("bytes=-", 10, (0, 9)),
        ("", 0, (0, -1)),
    ],
)
def test_ranges_within_the_end(text: str, size: int, wanted: tuple[int, int]) -> None:
    assert byte_range(text, size) == wanted


@pytest.mark.parametrize(("text", "size"), [("bytes=10-", 10), ("bytes=0-0", 0), ("bytes=-0", 10)])
def test_ranges_beyond_the_end(text: str, size: int) -> None:
    with pytest.raises(errors.ApiError) as caught:
        byte_range(text, size)
    assert caught.value.code == 416


@pytest.mark.parametrize("text", ["bytes", "bytes 5-4/10", "bytes 0-10/10", "bytes -5/10", "0-1/2", "bytes 0-1"])
def test_content_ranges_that_are_malformed(text: str) -> None:
    with pytest.raises(errors.InvalidArgument, match="Content-Range"):
        ContentRange.read(text)


def test_content_ranges_of_requests() -> None:
    assert ContentRange.read("bytes 0-4/10") == ContentRange(0, 4, 10)
    assert ContentRange.read("bytes 5-9/*") == ContentRange(5, 9, None)
    assert ContentRange.read("bytes */10") == ContentRange(None, None, 10)
    assert ContentRange.read("bytes */*") == ContentRange(None, None, None)
