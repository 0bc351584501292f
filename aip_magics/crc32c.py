"""CRC32C checksums in the notation of Cloud Storage: base64 of four big-endian bytes."""

from __future__ import annotations

import base64
import functools
from collections.abc import Iterable

_POLYNOMIAL = 0x82F63B78  # CRC32C (Castagnoli), reflected


def encode_crc32c(value: int) -> str:
    """Encode a checksum in base64."""
    return base64.b64encode(value.to_bytes(4, "big")).decode()


def decode_crc32c(text: str) -> int:
    """Decode a checksum in base64."""
    return int.from_bytes(base64.b64decode(text), "big")


def combine_crc32c(pieces: Iterable[tuple[str, int]]) -> str:
    """Combine the checksums of consecutive pieces, each (CRC32C, size in bytes), without reading the pieces."""
    whole = 0
    for crc, size in pieces:
        whole = _multiply(_power(size), whole) ^ decode_crc32c(crc)
    return encode_crc32c(whole)


# Appending n bytes multiplies a CRC, seen as a polynomial over GF(2), by x^(8n) modulo the CRC's polynomial; the
# highest bit stands for x^0. The same method as crc32_combine of zlib.


def _multiply(a: int, b: int) -> int:
    product = 0
    for bit in range(31, -1, -1):
        if a >> bit & 1:
            product ^= b
        b = b >> 1 ^ (_POLYNOMIAL if b & 1 else 0)
    return product


@functools.lru_cache(64)  # all parts of a file but the last have the same size
def _power(size: int) -> int:
    result, square = 1 << 31, 1 << 23  # x^0 and x^8
    while size:
        if size & 1:
            result = _multiply(result, square)
        square = _multiply(square, square)
        size >>= 1
    return result
