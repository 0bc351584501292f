"""How many members a zip archive has, before `zipfile` makes an object of each: a million of them take 450 MB."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

_END = struct.Struct("<4s4H2LH")  # of the central directory
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s24x3H12x")  # of a member: the mark, the lengths of its name, extra field and comment
_MOST_BYTES = 64 << 20  # of the directory


def count_members(path: Path, most: int) -> int:
    """The number of members in the central directory, at most one more than `most`.

    BadZipFile where there is no such directory; what else may be wrong with it, `zipfile` finds.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(size - (1 << 16) - _END.size, 0))
        tail = file.read()
        at = tail.rfind(b"PK\5\6")
        if at < 0 or len(tail) - at < _END.size:
            raise zipfile.BadZipFile("File is not a zip file")
        length = _END.unpack_from(tail, at)[5]
        end = size - len(tail) + at
        if at >= _LOCATOR64.size + _END64.size and tail.startswith(b"PK\6\7", at - _LOCATOR64.size):
            end -= _LOCATOR64.size + _END64.size
            length = _END64.unpack_from(tail, at - _LOCATOR64.size - _END64.size)[8]
        if not length <= min(end, _MOST_BYTES):
            return most + 1 if length > _MOST_BYTES else 0
        file.seek(end - length)
        return _count(file.read(length), most)


def _count(directory: bytes, most: int) -> int:
    count = at = 0
    while count <= most and at + _ENTRY.size <= len(directory):
        mark, *lengths = _ENTRY.unpack_from(directory, at)
        if mark != b"PK\1\2":
            break
        at += _ENTRY.size + sum(lengths)
        count += 1
    return count
