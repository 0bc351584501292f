"""Read UBJSON, as XGBoost writes it: from some place in bytes, within bounds."""

from __future__ import annotations

import struct
from typing import Any

_INTEGERS = {b"i": ">b", b"U": ">B", b"I": ">h", b"l": ">i", b"L": ">q"}
_SCALARS = {**_INTEGERS, b"d": ">f", b"D": ">d", b"C": ">c"}
_CONSTANTS: dict[bytes, Any] = {b"Z": None, b"T": True, b"F": False}
_MAX_DEPTH = 20


class CorruptedFile(ValueError):
    """The bytes are no whole value."""


class Reader:
    """Reads values one after the other; `at` is the place of the next one."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self.at = at

    def value(self, depth: int = 0) -> Any:
        """The value that begins here. Damaged where it is none, is cut off, or nests too deep."""
        return self._of_kind(self._take(1), depth)

    def key(self) -> str:
        """The key of an object that stands here: a text without its mark."""
        return self._text()

    def ends(self, mark: bytes) -> bool:
        """Whether `mark` stands here; it is passed over."""
        if self._data[self.at : self.at + 1] != mark:
            return False
        self.at += 1
        return True

    def _of_kind(self, kind: bytes, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise CorruptedFile("it nests too deep")
        if kind in _CONSTANTS:
            return _CONSTANTS[kind]
        if kind in _SCALARS:
            return self._scalar(_SCALARS[kind])
        if kind == b"S":
            return self._text()
        if kind == b"[":
            return self._array(depth)
        if kind == b"{":
            return self._object(depth)
        raise CorruptedFile(f"{kind!r} begins no value")

    def _array(self, depth: int) -> list[Any]:
        kind, count = self._head()
        if kind is not None:
            if kind not in _SCALARS:
                raise CorruptedFile("an array of one kind that is no number")
            size = struct.calcsize(_SCALARS[kind])
            packed = self._take(size * count)
            return [number for (number,) in struct.iter_unpack(_SCALARS[kind], packed)]
        found: list[Any] = []
        while (count < 0 and not self.ends(b"]")) or len(found) < count:
            found.append(self.value(depth + 1))
        return found

    def _object(self, depth: int) -> dict[str, Any]:
        kind, count = self._head()
        if kind is not None:
            raise CorruptedFile("an object of one kind")
        found: dict[str, Any] = {}
        read = 0
        while (count < 0 and not self.ends(b"}")) or read < count:
            name = self.key()
            found[name] = self.value(depth + 1)
            read += 1
        return found

    def _head(self) -> tuple[bytes | None, int]:
        """The kind of all items, where it is said, and their number; -1 where an end mark tells it."""
        kind = self._take(1) if self.ends(b"$") else None
        if not self.ends(b"#"):
            if kind is not None:
                raise CorruptedFile("a kind without a number")
            return None, -1
        return kind, self._size()

    def _text(self) -> str:
        return self._take(self._size()).decode("utf-8", "replace")

    def _size(self) -> int:
        kind = self._take(1)
        if kind not in _INTEGERS:
            raise CorruptedFile(f"{kind!r} begins no size")
        size = int(self._scalar(_INTEGERS[kind]))
        if size < 0:
            raise CorruptedFile("a size below nothing")
        return size

    def _scalar(self, written: str) -> Any:
        return struct.unpack(written, self._take(struct.calcsize(written)))[0]

    def _take(self, size: int) -> bytes:
        found = self._data[self.at : self.at + size]
        if len(found) < size:
            raise CorruptedFile("it is cut off")
        self.at += size
        return found
