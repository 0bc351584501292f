"""What a model file says about itself, read as bytes: nothing is unpickled, nothing of the model is imported.

`read` looks at the first bytes for the format, then scans for what the libraries write into their files: scikit-learn
puts `_sklearn_version` into the state of every estimator, XGBoost a `version` of three numbers into its JSON and UBJSON
(also where a pickle holds a booster).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from aip_magics.artifacts import pickles
from aip_magics.artifacts.streams import Compression, chunks, compression_of

Format = Literal[
    "pickle", "xgboost-ubjson", "xgboost-json", "xgboost-binary", "git-lfs-pointer", "html", "empty", "unknown"
]
_UBJSON_VERSION = re.compile(rb"L\0\0\0\0\0\0\0\x07version\[#L\0\0\0\0\0\0\0\x03((?:[iU].|I..|l....){3})", re.DOTALL)
_JSON_VERSION = re.compile(rb'"version"\s*:\s*\[\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*\]')
_HTML = re.compile(rb"\s*<(?:!doctype html|html|head|\?xml)", re.IGNORECASE)
_INTEGER_BYTES = {b"i": 1, b"U": 1, b"I": 2, b"l": 4}


@dataclasses.dataclass(frozen=True)
class Contents:
    """What is known of a model file without loading it.

    `libraries` maps distribution to the version that wrote the file. `protocol` and `top` (dotted name of the class of
    the pickled object, `builtins.dict` for a literal, None where it cannot be told) are of pickles. `complete` is False
    where only a part was read: `unread` then says why.
    """

    format: Format
    compression: Compression | None = None
    libraries: Mapping[str, str] = dataclasses.field(default_factory=dict)
    protocol: int | None = None
    top: str | None = None
    complete: bool = True
    unread: str = ""


def read(path: Path) -> Contents:
    """Look into a model file. Reads at most `streams.WINDOW` bytes from each end, of compressed data from the start.

    A file that cannot be opened, or is damaged, is no error here: `complete` is False and `unread` says why.
    """
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as error:
        return Contents("unknown", complete=False, unread=f"cannot be read: {error.strerror}")
    if not head:
        return Contents("empty")
    compression = compression_of(head)
    if compression is None and (known := _plain_format(head)) not in ("pickle", "unknown"):
        return Contents(known, libraries=_scan(path, None)[0] if known.startswith("xgboost") else {})
    return _read_pickle(path, compression)


def _plain_format(head: bytes) -> Format:
    if head.startswith(b"version https://git-lfs.github.com/spec/"):
        return "git-lfs-pointer"
    if _HTML.match(head):
        return "html"
    if head.startswith(b"{L"):
        return "xgboost-ubjson"
    if re.match(rb'\{\s*"learner"', head):
        return "xgboost-json"
    if head.startswith(b"binf"):
        return "xgboost-binary"
    return "pickle" if pickles.looks_like_pickle(head) else "unknown"


def _read_pickle(path: Path, compression: Compression | None) -> Contents:
    libraries, head, unread = _scan(path, compression)
    if not pickles.looks_like_pickle(head):
        return Contents("unknown", compression, complete=not unread, unread=unread)
    top = pickles.top_of(head)
    return Contents("pickle", compression, libraries, pickles.protocol_of(head), top, not unread, unread)


def _scan(path: Path, compression: Compression | None) -> tuple[dict[str, str], bytes, str]:
    """Versions found, the first 64 KiB of the (decompressed) data, and why it was not all read, if it was not."""
    found: dict[str, str] = {}
    head = b""
    stream = chunks(path, compression)
    for chunk in stream:
        head = head or chunk[: 64 * 1024]
        if "scikit-learn" not in found and (version := pickles.sklearn_version(chunk)):
            found["scikit-learn"] = version
        if "xgboost" not in found and (version := _xgboost_version(chunk)):
            found["xgboost"] = version
    return found, head, stream.unread


def _xgboost_version(data: bytes) -> str | None:
    # find() is many times faster than a regular expression over megabytes that do not have it.
    if b"version" not in data:
        return None
    if match := _UBJSON_VERSION.search(data):
        return ".".join(str(number) for number in _ubjson_integers(match.group(1)))
    if match := _JSON_VERSION.search(data):
        return b".".join(match.groups()).decode()
    return None


def _ubjson_integers(data: bytes) -> list[int]:
    numbers = []
    while data:
        size = _INTEGER_BYTES[data[:1]]
        numbers.append(int.from_bytes(data[1 : 1 + size], "big"))
        data = data[1 + size :]
    return numbers
