"""CRC32C and MD5 as Cloud Storage writes them: base64, CRC32C as four big-endian bytes."""

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
    """Computes checksums block by block; MD5, 50 times slower than CRC32C, is optional."""

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
    """The checksums that the client expects its content to have (base64); None = not specified."""

    crc32c: str | None = None
    md5: str | None = None

    @classmethod
    def read(cls, metadata: Mapping[str, object], headers: Mapping[str, str]) -> ExpectedChecksums:
        """Read `crc32c` and `md5Hash` of the metadata, `X-Goog-Hash: crc32c=…,md5=…` and `Content-MD5`."""
        checksums: dict[str, set[str]] = {"crc32c": set(), "md5": set()}
        for key, value in (("crc32c", metadata.get("crc32c")), ("md5", metadata.get("md5Hash"))):
            if value:
                checksums[key].add(_canonical(key, value))
        for item in headers.get("x-goog-hash", "").split(","):
            key, _, value = item.strip().partition("=")
            if key in checksums:
                checksums[key].add(_canonical(key, value))
        if sent := headers.get("content-md5"):
            checksums["md5"].add(_canonical("md5", sent))
        for key, values in checksums.items():
            if len(values) > 1:
                raise invalid(f"The request has two different {key} values.")
        return cls(**{key: next(iter(values), None) for key, values in checksums.items()})

    def check(self, crc32c: str, md5: str | None) -> None:
        """Raise InvalidArgument (400) when the received content has other checksums."""
        for name, expected, computed in (("CRC32C", self.crc32c, crc32c), ("MD5", self.md5, md5)):
            if expected is not None and expected != computed:
                raise bad_digest(f'Provided {name} "{expected}" doesn\'t match calculated {name} "{computed}".')


def _canonical(key: str, value: object) -> str:
    try:
        raw = base64.b64decode(str(value).strip(), validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != {"crc32c": 4, "md5": 16}[key]:
        raise invalid(f"Invalid {key}: expected base64 of {'4' if key == 'crc32c' else '16'} bytes.")
    return base64.b64encode(raw).decode()
