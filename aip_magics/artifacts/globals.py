"""Which classes and functions a pickle names, without importing or calling any of them.

The pickle is read to its end by Python's own reader, in which every global is an inert stand-in. joblib writes the raw
bytes of arrays between the opcodes: they are passed over by the size that their description gives.
"""

from __future__ import annotations

import dataclasses
import io
import math
import pickle
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, ClassVar

from aip_magics.artifacts.streams import OVERLAP, chunks, compression_of

OPCODE_BYTES = 8 * 1024 * 1024  # read as opcodes: a vocabulary of 300,000 words; one byte may make an object of 64
_LINE_BYTES = 64 * 1024
# Size of one item, by the letter of the dtype, in the units that its number counts.
_UNIT = {"U": 4}


@dataclasses.dataclass(frozen=True)
class Globals:
    """Dotted names of all globals (`__main__.Doubler`), in the order of their first mention.

    `complete` is False where the pickle was not read to its end: then there may be more.
    """

    names: tuple[str, ...]
    complete: bool

    @property
    def of_main(self) -> tuple[str, ...]:
        """What was defined in a notebook or script: no other process can find it."""
        return tuple(name.partition(".")[2] for name in self.names if name.startswith("__main__."))


def read(path: Path) -> Globals:
    """The globals of a pickle or joblib file, compressed or not. A damaged one is not `complete`."""
    found: dict[str, None] = {}
    try:
        with path.open("rb") as file:
            compression = compression_of(file.read(64))
            file.seek(0)
            feed = _Feed(file if compression is None else io.BytesIO(_unpacked(path, compression)))
            _Reader(feed, found).load()
    except Exception:  # noqa: BLE001 - the bytes are anyone's: whatever the reader stumbles over ends the look
        return Globals(tuple(found), complete=False)
    return Globals(tuple(found), complete=True)


def _unpacked(path: Path, compression: Any) -> bytes:
    data = bytearray()
    tail = 0
    for piece in chunks(path, compression):
        data += piece[tail:]  # each piece repeats the end of the one before
        tail = min(len(piece), OVERLAP)
    return bytes(data)


class _Feed:
    """A file of which only so much is read as opcodes; arrays are passed over without reading them."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._left = OPCODE_BYTES

    def read(self, size: int) -> bytes:
        self._spend(size)
        return self._file.read(size)

    def readline(self) -> bytes:
        line = self._file.readline(_LINE_BYTES)
        self._spend(len(line))
        return line

    def skip(self, size: int) -> None:
        self._file.seek(size, io.SEEK_CUR)

    def _spend(self, size: int) -> None:
        self._left -= size
        if size < 0 or self._left < 0:
            raise pickle.UnpicklingError("too much")


class _Inert:
    """An instance of whatever the pickle names: it keeps what it was made from, and does nothing."""

    dotted: ClassVar[str] = ""
    made_from: tuple[Any, ...] = ()
    state: Any = None

    def __new__(cls, *made_from: Any, **_: Any) -> _Inert:
        made = super().__new__(cls)
        made.made_from = made_from
        return made

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def append(self, _: Any) -> None: ...

    def extend(self, _: Any) -> None: ...


class _Reader(pickle._Unpickler):
    """Python's reader in which nothing is imported, called, hashed or allocated by the pickle's word."""

    dispatch: ClassVar[dict[int, Callable[..., None]]] = dict(pickle._Unpickler.dispatch)
    stack: list[Any]

    def __init__(self, feed: _Feed, found: dict[str, None]) -> None:
        super().__init__(feed, encoding="latin-1")
        self._feed = feed
        self._found = found

    def find_class(self, module: str, name: str) -> type[_Inert]:
        dotted = f"{module}.{name}"
        self._found[dotted] = None
        return type("_Inert", (_Inert,), {"dotted": dotted})

    def get_extension(self, code: int) -> None:
        raise pickle.UnpicklingError(f"extension {code}")

    def _build(self) -> None:
        state = self.stack.pop()
        made = self.stack[-1]
        if not isinstance(made, _Inert):
            return
        made.state = state
        if made.dotted.endswith(".NumpyArrayWrapper") and made.dotted.startswith(("joblib.", "sklearn.externals.")):
            self._pass_array(state)

    def _pass_array(self, state: dict[str, Any]) -> None:
        described = re.fullmatch(r"[<>|=]?([a-zA-Z])(\d+)", state["dtype"].made_from[0])
        if described is None:
            raise pickle.UnpicklingError("an array of no known type")
        kind, size = described.groups()
        if kind == "O":
            _Reader(self._feed, self._found).load()  # an array of objects is a pickle in the pickle
            return
        if state.get("numpy_array_alignment_bytes") is not None:
            self._feed.skip(self._feed.read(1)[0])
        self._feed.skip(int(size) * _UNIT.get(kind, 1) * math.prod(state["shape"]))

    def _set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set(key, value)

    def _set_items(self) -> None:
        items = self.pop_mark()
        for key, value in zip(items[::2], items[1::2], strict=True):
            self._set(key, value)

    def _set(self, key: Any, value: Any) -> None:
        # Only what describes an array is needed. A nested tuple as key could take for ever to be hashed.
        if isinstance(key, str) and isinstance(self.stack[-1], dict):
            self.stack[-1][key] = value

    def _dict(self) -> None:
        items = self.pop_mark()
        self.append({})
        for key, value in zip(items[::2], items[1::2], strict=True):
            self._set(key, value)

    def _forget_items(self) -> None:
        self.pop_mark()

    def _frozenset(self) -> None:
        self.pop_mark()
        self.append(frozenset())

    def _bytearray(self) -> None:
        (size,) = struct.unpack("<Q", self.read(8))
        self.append(bytearray(self.read(size)))

    pop_mark: Callable[[], list[Any]]
    append: Callable[[Any], None]
    read: Callable[[int], bytes]

    dispatch.update(
        {
            pickle.BUILD[0]: _build,
            pickle.SETITEM[0]: _set_item,
            pickle.SETITEMS[0]: _set_items,
            pickle.DICT[0]: _dict,
            pickle.ADDITEMS[0]: _forget_items,
            pickle.FROZENSET[0]: _frozenset,
            pickle.BYTEARRAY8[0]: _bytearray,
        }
    )
