"""CRC32C and MD5 as Cloud Storage writes them: base64, CRC32C of its four big-endian bytes."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hashlib
from collections.abc import Mapping

import google_crc32c

from aip_magics.crc32c import encode_crc32c
from aip_magics.server.gcs.gcs_errors import bad_digest, invalid


class ChecksumHasher:
    """The checksums of bytes that come one block after the other; MD5, 50 times slower than CRC32C, where wanted."""

    def __init__(self, *, md5: bool = True) -> None:
        self._crc = 0
        self._md5 = hashlib.md5(usedforsecurity=False) if md5 else None

    def update(self, block: bytes) -> None:
        self._crc = google_crc32c.extend(self._crc, block)
        if self._md5:
            self._md5.update(block)

    @property
    def crc32c(self) -> str:
        return encode_crc32c(self._crc)

    @property
    def md5(self) -> str | None:
        return base64.b64encode(self._md5.digest()).decode() if self._md5 else None


@dataclasses.dataclass(frozen=True)
class ExpectedChecksums:
    """The checksums a caller says its bytes have (base64); None = not said."""

    crc32c: str | None = None
    md5: str | None = None

    @classmethod
    def read(cls, metadata: Mapping[str, object], headers: Mapping[str, str]) -> ExpectedChecksums:
        """From `crc32c`/`md5Hash` of the metadata, `X-Goog-Hash: crc32c=…,md5=…` and `Content-MD5`."""
        found: dict[str, set[str]] = {"crc32c": set(), "md5": set()}
        for key, value in (("crc32c", metadata.get("crc32c")), ("md5", metadata.get("md5Hash"))):
            if value:
                found[key].add(_canonical(key, value))
        for item in headers.get("x-goog-hash", "").split(","):
            key, _, value = item.strip().partition("=")
            if key in found:
                found[key].add(_canonical(key, value))
        if sent := headers.get("content-md5"):
            found["md5"].add(_canonical("md5", sent))
        for key, values in found.items():
            if len(values) > 1:
                raise invalid(f"The request gives two different {key} values.")
        return cls(**{key: next(iter(values), None) for key, values in found.items()})

    def check(self, crc32c: str, md5: str | None) -> None:
        """InvalidArgument (400) when the bytes that arrived have other checksums."""
        for name, said, is_ in (("CRC32C", self.crc32c, crc32c), ("MD5", self.md5, md5)):
            if said is not None and said != is_:
                raise bad_digest(f'Provided {name} "{said}" doesn\'t match calculated {name} "{is_}".')


def _canonical(key: str, value: object) -> str:
    try:
        raw = base64.b64decode(str(value).strip(), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != {"crc32c": 4, "md5": 16}[key]:
        raise invalid(f"Invalid {key}: base64 of {'4' if key == 'crc32c' else '16'} bytes is wanted.")
    return base64.b64encode(raw).decode()
