"""Which classes and functions a pickle names, and what it does with them, without importing or calling any.

The pickle is read to its end by Python's own reader, in which every global is an inert stand-in. joblib writes the raw
bytes of arrays between the opcodes: they are passed over by the size that their description gives, and so is every
long string of bytes: a file of gigabytes is read in milliseconds. An array has to be described as joblib does it, to
the letter: anything else might be read in another way by joblib, and ends the look.

This is for early findings. What a model may really do is held by the worker that loads it.
"""

from __future__ import annotations

import dataclasses
import math
import pickle
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from aip_magics.artifacts.boosters import version_in
from aip_magics.artifacts.bounded_reader import (
    BoundedReader,
    InspectionLimitExceeded,
    open_bounded_reader,
)
from aip_magics.artifacts.facts import Global, PickledObject
from aip_magics.artifacts.pickle_features import feature_names
from aip_magics.artifacts.pickle_outline import outline
from aip_magics.artifacts.pickle_values import (
    ARRAYS,
    KEPT_BYTES,
    SET,
    Dictionary,
    ListBudget,
    Made,
    Named,
    class_of,
    is_uncalled,
    maker_of,
    named_by_call,
    state_of_array,
)

_MAX_MARKS = 10_000  # open at a time: each holds a stack
_MAX_KEPT = 400_000  # dictionaries and remembered objects, each: what one byte asks for takes a hundred
_MAX_GLOBALS = 20_000  # different ones; a pipeline names some dozens, a file made to hurt a million
MAX_DIMENSIONS = 64  # as NumPy has it
# Size of one item, by the letter of the dtype, in the units that its number counts.
_UNIT = {"U": 4}
_HAS_OBJECTS = 1  # flag of a dtype


@dataclasses.dataclass(frozen=True)
class PickleGlobals:
    """All globals of a pickle in the order of their first mention, and what was told on the way to its end.

    `complete` is False where the pickle was not read to its end: then there may be more; `bounded`, where that is only
    because there is more of it than is looked at. `top` is the dotted name of the class of the pickled object, None
    where it cannot be told; `root` is what is known of that object. `called` were called; of `made` instances were made
    without calling them; `passed` has what was handed to something that was called, each with that (None: something
    that no name stands for). `feature_names` are those that the pickled estimator was fitted with, if it was read to
    the end.
    """

    found: tuple[Global, ...]
    complete: bool
    top: str | None = None
    libraries: dict[str, str] = dataclasses.field(default_factory=dict)
    bounded: bool = False
    called: frozenset[Global] = frozenset()
    made: frozenset[Global] = frozenset()
    passed: frozenset[tuple[Global, Global | None]] = frozenset()
    feature_names: tuple[str, ...] = ()
    root: PickledObject | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The dotted names: `__main__.Doubler`."""
        return tuple(map(str, self.found))

    @property
    def of_main(self) -> tuple[str, ...]:
        """What was defined in a notebook or script: no other process can find it."""
        return tuple(one.name for one in self.found if one.module == "__main__")


def read(path: Path) -> PickleGlobals:
    """The globals of a pickle or joblib file, compressed or not. A damaged one is not `complete`."""
    try:
        with open_bounded_reader(path) as feed:
            found = read_from(feed)
            return dataclasses.replace(found, bounded=not found.complete and (found.bounded or feed.bounded))
    except OSError:
        return PickleGlobals((), complete=False)


def read_from(feed: BoundedReader) -> PickleGlobals:
    """The globals of the pickle that begins here. Whatever it holds, no exception leaves this."""
    notes = _Notes()
    top, root, complete, bounded = None, None, True, False
    features: tuple[str, ...] = ()
    try:
        value = _Reader(feed, notes).load()
        top, root, features = class_of(value), outline(value), feature_names(value)
    except InspectionLimitExceeded:
        complete, bounded = False, True
    except Exception:  # noqa: BLE001 - the bytes are anyone's: whatever the reader stumbles over ends the look
        complete = False
    uses = frozenset(notes.called), frozenset(notes.made), frozenset(notes.passed)
    return PickleGlobals(tuple(notes.found), complete, top, notes.libraries, bounded, *uses, features, root)


class _Notes:
    """What is remembered while reading."""

    def __init__(self) -> None:
        self.found: dict[Global, None] = {}
        self.called: set[Global] = set()
        self.made: set[Global] = set()
        self.passed: set[tuple[Global, Global | None]] = set()
        self.libraries: dict[str, str] = {}
        self.lists = ListBudget()


class _Stop(Exception):
    """The end of a pickle."""


class _Reader(pickle._Unpickler):
    """Python's reader in which nothing is imported, called, hashed or allocated by the pickle's word."""

    dispatch: ClassVar[dict[int, Callable[..., None]]] = dict(pickle._Unpickler.dispatch)
    stack: list[Any]
    metastack: list[Any]
    memo: dict[int, Any]

    def __init__(self, feed: BoundedReader, notes: _Notes, *, nested: bool = False) -> None:
        super().__init__(feed, encoding="latin-1")
        self._feed = feed
        self._notes = notes
        self._nested = nested  # in an array of objects: pickle's own reader loads it, which knows no raw bytes
        self._dictionaries = 0
        self._frame_end = 0

    def load(self) -> Any:
        # As Python's own, without the layer that reads frames: that took half of the time.
        self.read, self.readline = self._feed.read, self._feed.readline
        self.metastack, self.stack, self.proto = [], [], 0
        self.append = self.stack.append
        read, dispatch = self.read, self.dispatch
        try:
            while True:
                dispatch[read(1)[0]](self)  # IndexError at the end of a file that is cut off
        except _Stop:
            return self.stack.pop()

    def _stop(self) -> None:
        raise _Stop

    def find_class(self, module: str, name: str) -> Named:
        if len(self._notes.found) >= _MAX_GLOBALS:
            raise InspectionLimitExceeded
        found = Global(module, name)
        self._notes.found[found] = None
        return Named(found, f"{module}.{name}")

    def get_extension(self, code: int) -> None:
        raise pickle.UnpicklingError(f"extension {code}")

    def _reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = self._call(self.stack[-1], arguments)

    def _call(self, maker: object, arguments: object) -> Named | Made:
        """What a call results in: the global that it stands for, or a stand-in for what it makes."""
        if named := named_by_call(maker, arguments):
            return self.find_class(*named)  # so this global is judged, and not getattr, as the worker does it
        called = maker.of if isinstance(maker, Named) else None
        if called:
            self._notes.called.add(called)
        for one in arguments if isinstance(arguments, tuple) else ():
            if isinstance(one, Named) and one.of:
                self._notes.passed.add((one.of, called))
        return Made(maker, arguments)

    def _new(self) -> None:
        arguments = self.stack.pop()
        maker = self.stack[-1]
        if isinstance(maker, Named) and maker.of:
            self._notes.made.add(maker.of)
        self.stack[-1] = Made(maker, arguments, new=True)

    def _new_with_keywords(self) -> None:
        self.stack.pop()
        self._new()

    def _instance(self) -> None:
        module, name = self.readline()[:-1].decode("ascii"), self.readline()[:-1].decode("ascii")
        self.append(self._call(self.find_class(module, name), tuple(self.pop_mark())))

    def _object(self) -> None:
        maker, *arguments = self.pop_mark()
        self.append(self._call(maker, tuple(arguments)))

    def _build(self) -> None:
        state = self.stack.pop()
        made = self.stack[-1]
        if not isinstance(made, Made):
            return
        again, made.state = made.state is not None, state
        if not self._nested and ARRAYS.fullmatch(maker_of(made) or ""):
            if again or not is_uncalled(made) or self._feed.position < self._frame_end:
                raise pickle.UnpicklingError("an array in another form than joblib gives it")
            made.content = self._pass_array(state_of_array(state))

    def _pass_array(self, state: dict[str, Any]) -> object:
        """Pass over the bytes of an array; return what is in one of objects."""
        dtype = state["dtype"]
        described = re.fullmatch(r"[<>|=]?([a-zA-Z])(\d+)", dtype.arguments[0])
        if described is None:
            raise pickle.UnpicklingError("an array of no known type")
        kind, size = described.groups()
        fields = dtype.state if isinstance(dtype.state, tuple) else ()
        if kind == "O" or (len(fields) > 7 and isinstance(fields[7], int) and fields[7] & _HAS_OBJECTS):
            # An array of objects is a pickle in the pickle.
            return _Reader(self._feed, self._notes, nested=True).load()
        if state.get("numpy_array_alignment_bytes") is not None:
            self._feed.skip(self._feed.read(1)[0])
        shape = state["shape"]
        if len(shape) > MAX_DIMENSIONS or not all(0 <= length < 1 << 63 for length in shape):
            raise pickle.UnpicklingError("an array of no possible shape")
        self._feed.skip(int(size) * _UNIT.get(kind, 1) * math.prod(shape))
        return None

    def _set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._set(key, value)

    def _set_items(self) -> None:
        items = self.pop_mark()
        for key, value in zip(items[::2], items[1::2], strict=True):
            self._set(key, value)

    def _set(self, key: Any, value: Any) -> None:
        # Only what describes an array or a class is needed. A nested tuple as key could take for ever to be hashed.
        target = self.stack[-1]
        if isinstance(target, Dictionary):
            target.odd = target.odd or not isinstance(key, str) or key in target
        if not isinstance(key, str):
            return
        if isinstance(target, dict):
            target[key] = value
        if key == "_sklearn_version" and isinstance(value, str):
            self._notes.libraries.setdefault("scikit-learn", value)

    def _empty_dict(self) -> None:
        self._dictionaries += 1
        if self._dictionaries > _MAX_KEPT:
            raise InspectionLimitExceeded
        self.append(Dictionary())

    def _dict(self) -> None:
        items = self.pop_mark()
        self._empty_dict()
        for key, value in zip(items[::2], items[1::2], strict=True):
            self._set(key, value)

    def _mark(self) -> None:
        if len(self.metastack) >= _MAX_MARKS:
            raise InspectionLimitExceeded
        self.metastack.append(self.stack)
        self.stack = []
        self.append = self.stack.append

    def _memoize(self) -> None:
        self._remember(len(self.memo))

    def _remember(self, place: int) -> None:
        if len(self.memo) >= _MAX_KEPT:
            raise InspectionLimitExceeded
        self.memo[place] = self.stack[-1]

    def _put(self) -> None:
        self._remember(int(self.readline()))

    def _put1(self) -> None:
        self._remember(self.read(1)[0])

    def _put4(self) -> None:
        self._remember(struct.unpack("<I", self.read(4))[0])

    def _empty_list(self) -> None:
        self.append(self._notes.lists.new_list())

    def _list(self) -> None:
        items = self.pop_mark()
        self._empty_list()
        self.stack[-1].extend(items)

    def _empty_set(self) -> None:
        self.append(SET)

    def _add_items(self) -> None:
        self.pop_mark()

    def _frozenset(self) -> None:
        self.pop_mark()
        self.append(frozenset())

    def _frame(self) -> None:
        # Frames only help to read ahead; but the bytes of an array lie behind the one that is open.
        size = struct.unpack("<Q", self.read(8))[0]
        if self._feed.position < self._frame_end:
            raise pickle.UnpicklingError("a frame in a frame")
        self._frame_end = self._feed.position + size

    def _bytes(self, size: int) -> None:
        data = self._feed.ends(size, KEPT_BYTES)
        self.append(data)
        self._look_for_booster(data)

    def _string4(self) -> None:
        self._bytes(struct.unpack("<i", self.read(4))[0])

    def _short_bytes(self) -> None:
        self._bytes(self.read(1)[0])

    def _bytes4(self) -> None:
        self._bytes(struct.unpack("<I", self.read(4))[0])

    def _bytes8(self) -> None:
        self._bytes(struct.unpack("<Q", self.read(8))[0])

    def _text4(self) -> None:
        self._text(struct.unpack("<I", self.read(4))[0])

    def _text(self, size: int) -> None:
        text = self._feed.ends(size, KEPT_BYTES).decode("utf-8", "replace")
        self.append(text)
        if len(text) > 100:  # protocols 0 to 2 write bytes as the text that latin-1 makes of them
            self._look_for_booster(text.encode("latin-1", "replace"))

    def _look_for_booster(self, data: bytes) -> None:
        if version := version_in(data):
            self._notes.libraries.setdefault("xgboost", version)

    pop_mark: Callable[[], list[Any]]
    append: Callable[[Any], None]
    read: Callable[[int], bytes]
    readline: Callable[[], bytes]

    dispatch.update(
        {
            pickle.STOP[0]: _stop,
            pickle.REDUCE[0]: _reduce,
            pickle.NEWOBJ[0]: _new,
            pickle.NEWOBJ_EX[0]: _new_with_keywords,
            pickle.INST[0]: _instance,
            pickle.OBJ[0]: _object,
            pickle.BUILD[0]: _build,
            pickle.SETITEM[0]: _set_item,
            pickle.SETITEMS[0]: _set_items,
            pickle.DICT[0]: _dict,
            pickle.MARK[0]: _mark,
            pickle.EMPTY_DICT[0]: _empty_dict,
            pickle.MEMOIZE[0]: _memoize,
            pickle.PUT[0]: _put,
            pickle.BINPUT[0]: _put1,
            pickle.LONG_BINPUT[0]: _put4,
            pickle.EMPTY_LIST[0]: _empty_list,
            pickle.LIST[0]: _list,
            pickle.EMPTY_SET[0]: _empty_set,
            pickle.ADDITEMS[0]: _add_items,
            pickle.FROZENSET[0]: _frozenset,
            pickle.FRAME[0]: _frame,
            pickle.BINSTRING[0]: _string4,
            pickle.SHORT_BINBYTES[0]: _short_bytes,
            pickle.BINBYTES[0]: _bytes4,
            pickle.BINBYTES8[0]: _bytes8,
            pickle.BYTEARRAY8[0]: _bytes8,
            pickle.BINUNICODE[0]: _text4,
        }
    )
