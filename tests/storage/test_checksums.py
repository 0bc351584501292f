"""CRC32C of a whole from its parts, and a strong hash that does not depend on how the bytes came."""

from __future__ import annotations

import base64
import random
from pathlib import Path

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aip_magics.crc32c import combine_crc32c, encode_crc32c
from aip_magics.storage.checksums import BLOCK_BYTES, Hasher, content_hash_of, file_crc32c, file_digest, read_slices


def crc(data: bytes) -> str:
    return base64.b64encode(google_crc32c.Checksum(data).digest()).decode()


@given(st.lists(st.binary(max_size=300)))
def test_checksums_of_a_whole_from_its_parts(parts: list[bytes]) -> None:
    assert combine_crc32c((crc(part), len(part)) for part in parts) == crc(b"".join(parts))


def test_checksums_count_a_part_of_nothing_but_zeros() -> None:
    zeros = bytes(100_000)
    assert combine_crc32c([(crc(b"x"), 1), (crc(zeros), len(zeros))]) == crc(b"x" + zeros)
    assert combine_crc32c([]) == encode_crc32c(0)


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 2 * BLOCK_BYTES])
def test_checksums_do_not_depend_on_the_slices(tmp_path: Path, size: int) -> None:
    content = random.Random(size).randbytes(size)
    path = tmp_path / "file"
    path.write_bytes(content)
    in_one, in_pieces = Hasher(), Hasher()
    in_one.update(content)
    for start in range(0, size, 3_333_333):
        in_pieces.update(content[start : start + 3_333_333])
    whole = file_digest(path)
    assert whole == in_one.digest() == in_pieces.digest()
    assert (whole.crc32c, whole.size) == (crc(content), size)
    assert file_crc32c(path) == crc(content)


def test_checksums_of_whole_blocks_make_up_the_hash_of_the_file() -> None:
    content = random.Random(1).randbytes(2 * BLOCK_BYTES + 5)
    whole, first, rest = Hasher(), Hasher(), Hasher()
    whole.update(content)
    first.update(content[:BLOCK_BYTES])
    rest.update(content[BLOCK_BYTES:])
    assert content_hash_of([*first.blocks(), *rest.blocks()]) == whole.digest().content_hash


def test_checksums_slices_end_where_the_file_does(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    assert b"".join(read_slices(path, 3, 4)) == b"3456"
    assert b"".join(read_slices(path, 8, 100)) == b"89"
    assert b"".join(read_slices(path)) == b"0123456789"
