"""What a file is that is named as a model and is none: told by its first bytes, or by the first name in an archive."""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from typing import Literal

OtherFormat = Literal[
    "booster-dump", "booster-config", "lightgbm", "catboost", "numpy", "npz", "pytorch", "keras", "hdf5", "parquet",
    "zip", "tar", "json", "xml", "csv", "text", "base64", "joblib-0.9",
]  # fmt: skip
_MAGIC: tuple[tuple[bytes, OtherFormat], ...] = (
    (b"\x89HDF\r\n\x1a\n", "hdf5"),
    (b"\x93NUMPY", "numpy"),
    (b"CBM1", "catboost"),
    (b"PAR1", "parquet"),
    (b"tree\nversion=v", "lightgbm"),
    (b"tree\r\nversion=v", "lightgbm"),
    (b"ZF0x", "joblib-0.9"),  # compressed, before joblib 0.10
)
_DUMP = re.compile(rb'\s*(?:booster\[\d+\]:|\[\s*\{\s*"nodeid"\s*:|digraph\s*\{)')
# A model has its attributes or names first, and its trees.
_CONFIG = re.compile(rb'\s*\{\s*"learner"\s*:\s*\{\s*"(?:generic_param|learner_train_param)"')
_LIGHTGBM_JSON = re.compile(rb'\s*\{\s*"name"\s*:\s*"tree"\s*,\s*"version"\s*:\s*"v')
_XML = re.compile(rb"\s*<\?xml")
_JSON = re.compile(rb'\s*(?:\{\s*["}]|\[\s*["\[\]{\d]|\[\s*(?:-\d|true|false|null|NaN))')
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{16,}[A-Za-z0-9+/\r\n]*=*\s*")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f]")
_TAR_MARK = 257  # offset of "ustar" in the first block
_ZIP_NAME = 30  # offset of the name of the first file; its length stands at 26


def by_magic(head: bytes) -> OtherFormat | None:
    """The format of a file that says what it is; None if it is none of these."""
    for magic, format in _MAGIC:
        if head.startswith(magic):
            return format
    if head.startswith(b"PK\x03\x04"):
        return _zipped(head)
    if is_tar(head):
        return "tar"
    if _DUMP.match(head):
        return "booster-dump"
    if _CONFIG.match(head):
        return "booster-config"
    if _LIGHTGBM_JSON.match(head):
        return "lightgbm"
    return "xml" if _XML.match(head) else None


def is_tar(head: bytes) -> bool:
    """Whether these are the first bytes of a tar archive."""
    return head[_TAR_MARK : _TAR_MARK + 5] == b"ustar"


def by_text(head: bytes) -> OtherFormat | None:
    """The kind of a text; None for what is no text. Only for a file that is neither a pickle nor a booster."""
    if _JSON.match(head):
        return "json"
    if _BASE64.fullmatch(head):
        return "base64"
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)  # the last character may be cut off
    except UnicodeDecodeError:
        return None
    if _CONTROLS.search(text):
        return None
    lines = text.splitlines()[:3]
    counts = {line.count(",") or line.count(";") or line.count("\t") for line in lines[:2]}
    return "csv" if len(lines) > 1 and len(counts) == 1 and counts != {0} else "text"


def decoded_base64(head: bytes) -> bytes:
    """The first bytes that a base64 text stands for; empty if it is none."""
    digits = re.sub(rb"\s", b"", head[:4096])
    try:
        return base64.b64decode(digits[: len(digits) // 4 * 4], validate=True)
    except binascii.Error:
        return b""


def _zipped(head: bytes) -> OtherFormat:
    size = int.from_bytes(head[26:28], "little")
    name = head[_ZIP_NAME : _ZIP_NAME + size].decode("utf-8", "replace")
    if name.endswith(".npy"):
        return "npz"
    if name.endswith("/data.pkl"):
        return "pytorch"
    return "keras" if name == "metadata.json" and b"config.json" in head else "zip"
