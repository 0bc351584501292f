"""Read a protocol buffer in its binary form, by a schema, without any library: only what the schema names is read.

A message up to `IN_MEMORY` bytes is read whole; of a larger one only the heads of its fields are, so that the constants
of a graph of gigabytes are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from aip_magics.artifacts.bounded_reader import inspection_limit_message
from aip_magics.artifacts.saved_models.bounds import MAX_TEXT_BYTES, CorruptedFile, Kept
from aip_magics.artifacts.saved_models.schema import Field, Message, Tree
from aip_magics.i18n import gettext as _

IN_MEMORY = 1024 * 1024
MAX_FIELDS = 1_500_000  # read in about a second; a graph of 100,000 nodes has half of that
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def read(file: BinaryIO, size: int, schema: Message, most_fields: int = MAX_FIELDS) -> Tree:
    """The fields of the message that is the file's first `size` bytes. Damaged where they are none."""
    return _Decoder(file, most_fields).message(_InFile(file, 0, size), schema)


class _InMemory:
    """A part of bytes that are in memory. `end` is where it ends."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self.data = data
        self.start = start
        self.end = end

    def bytes_at(self, at: int, _size: int) -> tuple[bytes, int]:
        """Some bytes that hold those at `at`, and where in them they are."""
        return self.data, at

    def part(self, start: int, end: int) -> _InMemory:
        return _InMemory(self.data, start, end)


class _InFile:
    """A part of a file that is too large to be read."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self._file = file
        self.start = start
        self.end = end

    def bytes_at(self, at: int, size: int) -> tuple[bytes, int]:
        self._file.seek(at)
        return self._file.read(size), 0

    def part(self, start: int, end: int) -> _InMemory | _InFile:
        if end - start > IN_MEMORY:
            return _InFile(self._file, start, end)
        data, _unused = self.bytes_at(start, end - start)
        return _InMemory(data, 0, len(data))


class _Decoder:
    """Decodes one message and those in it; counts what it reads."""

    def __init__(self, file: BinaryIO, most_fields: int) -> None:
        self._file = file
        self._left = most_fields
        self._kept = Kept()
        self._making = 0  # what is read only for something to be made of it is not kept

    def message(self, part: _InMemory | _InFile, schema: Message) -> Tree:
        wanted = schema.by_number
        tree: Tree = {} if schema.only or self._making else self._kept.message()
        for number, kind, start, end in self._fields(part):
            field = wanted.get(number)
            if field is None:
                continue
            value = self._value(part, field, kind, start, end)
            if value is not None:
                tree.setdefault(field.name, []).append(value)
                if schema.only:
                    break  # a node names its op in front of its attributes
        return tree

    def _value(self, part: _InMemory | _InFile, field: Field, kind: int, start: int, end: int) -> Any:
        """The value of a field, None where it is of another kind than the schema says."""
        if kind != _BYTES:
            return start if kind == _VARINT and not field.is_text else None
        if field.message is not None:
            if (
                field.message.plain
                and end - start < IN_MEMORY
                and field.message.plain(*part.bytes_at(start, end - start), end - start)
            ):
                return None
            make = field.message.make
            self._making += make is not None
            tree = self.message(part.part(start, end), field.message)
            self._making -= make is not None
            if make:
                return make(tree)
            return tree.get(field.message.only, [None])[0] if field.message.only else tree
        if not field.is_text or end - start > MAX_TEXT_BYTES:
            return None
        data, at = part.bytes_at(start, end - start)
        return self._kept.text(data[at : at + end - start].decode("utf-8", "replace"))

    def _fields(self, part: _InMemory | _InFile) -> Iterator[tuple[int, int, int, int]]:
        """Number and kind of each field; its value if it is a number, else where it starts, and where it ends."""
        if isinstance(part, _InMemory):
            yield from self._fields_in_memory(part)
            return
        at = part.start
        while at < part.end:
            self._count()
            data, offset = part.bytes_at(at, 20)
            key, began = _varint(data, offset)
            at += began - offset
            kind, start = key & 7, at
            if kind in (_VARINT, _BYTES):
                value, ended = _varint(data, began)
                at += ended - began
                if kind == _VARINT:
                    start = value
                else:
                    start, at = at, at + value
            elif kind in (_FIXED64, _FIXED32):
                at += 8 if kind == _FIXED64 else 4
            else:
                raise CorruptedFile(_("file is corrupted"))
            if at > part.end:
                raise CorruptedFile(_("file is truncated"))
            yield key >> 3, kind, start, at

    def _fields_in_memory(self, part: _InMemory) -> Iterator[tuple[int, int, int, int]]:
        """The same, four times as fast: nearly all numbers are of one byte, and none of it has to be read first."""
        data, at, end = part.data, part.start, part.end
        while at < end:
            self._count()
            key = data[at]
            at += 1
            if key > 127:
                key, at = _varint(data, at - 1)
            kind = start = key & 7
            if kind in (_VARINT, _BYTES):
                if at >= end:
                    raise CorruptedFile(_("file is truncated"))
                value = data[at]
                at += 1
                if value > 127:
                    value, at = _varint(data, at - 1)
                if kind == _VARINT:
                    start = value
                else:
                    start, at = at, at + value
            elif kind in (_FIXED64, _FIXED32):
                start, at = at, at + (8 if kind == _FIXED64 else 4)
            else:
                raise CorruptedFile(_("file is corrupted"))
            if at > end:
                raise CorruptedFile(_("file is truncated"))
            yield key >> 3, kind, start, at

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise CorruptedFile(inspection_limit_message())


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that begins at `at`, and where it ends."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise CorruptedFile(_("file is corrupted"))
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
