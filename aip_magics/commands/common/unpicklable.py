"""Find the object inside a model that pickle cannot save, and how the model refers to it.

Runs only after a save has failed. An object is pickled to nowhere, then its parts one by one, down to the part that
fails although all of its own parts can be saved.
"""

from __future__ import annotations

import dataclasses
import functools
import pickle
import types
from collections.abc import Iterator
from typing import Any

_MAX_DEPTH = 50


@dataclasses.dataclass(frozen=True)
class Unpicklable:
    """An object that pickle cannot save.

    Attributes:
        value: The object.
        path: The expression that refers to it: `model.steps[0][1].func`.
        assignable: Whether a value can be assigned to the expression.
    """

    value: Any
    path: str
    assignable: bool

    @property
    def is_code(self) -> bool:
        """Whether the object is a function or a class, which pickle saves by its name only."""
        return isinstance(self.value, (types.FunctionType, type))

    @property
    def qualified_name(self) -> str:
        """The name of a function or class, with the function that it was defined in: `outer.<locals>.inner`."""
        return str(getattr(self.value, "__qualname__", type(self.value).__qualname__))

    @property
    def is_lambda(self) -> bool:
        """Whether the object is a lambda, which has no name at all."""
        return self.qualified_name.endswith("<lambda>")


def find_unpicklable(obj: object, name: str) -> Unpicklable | None:
    """Find what pickle cannot save in an object; None if pickle can save it.

    Args:
        obj: The object, for example a model.
        name: The name of the variable that refers to the object.
    """
    if _can_pickle(obj):
        return None
    found, seen = Unpicklable(obj, name, assignable=False), {id(obj)}
    for _level in range(_MAX_DEPTH):
        failing = (part for part in _parts(found) if id(part.value) not in seen and not _can_pickle(part.value))
        inner = next(failing, None)
        if inner is None:
            break
        seen.add(id(inner.value))
        found = inner
    return found


class _Nowhere:
    """A file that forgets what is written to it, so that a large model needs no memory."""

    def write(self, data: Any) -> int:
        return len(data)


def _can_pickle(obj: object) -> bool:
    try:
        pickle.Pickler(_Nowhere(), protocol=4).dump(obj)
    except Exception:  # noqa: BLE001 - any class may raise anything
        return False
    return True


def _parts(whole: Unpicklable) -> Iterator[Unpicklable]:
    """Yield what pickle saves of an object: its items, or its attributes and what recreates it."""
    value, path = whole.value, whole.path
    if type(value) in (list, tuple):
        for number, item in enumerate(value):
            yield Unpicklable(item, f"{path}[{number}]", assignable=type(value) is list)
    elif type(value) is dict:
        for key, item in value.items():
            yield Unpicklable(key, f"list({path})", assignable=False)
            yield Unpicklable(item, f"{path}[{key!r}]", assignable=True)
    elif type(value) in (set, frozenset):
        for item in value:
            yield Unpicklable(item, path, assignable=False)
    elif isinstance(value, functools.partial):
        for attribute in ("func", "args", "keywords"):
            yield Unpicklable(getattr(value, attribute), f"{path}.{attribute}", assignable=False)
    elif isinstance(value, types.MethodType):
        yield Unpicklable(value.__self__, f"{path}.__self__", assignable=False)
    elif not whole.is_code:
        yield from _reduced_parts(value, path)


def _reduced_parts(value: Any, path: str) -> Iterator[Unpicklable]:
    try:
        reduced = value.__reduce_ex__(4)
    except Exception:  # noqa: BLE001 - the object itself refuses: a lock, a file, a connection
        return
    if not isinstance(reduced, tuple) or len(reduced) < 2:
        return
    states = reduced[2:3]
    if states and isinstance(states[0], tuple) and len(states[0]) == 2:
        states = states[0]  # attributes in `__dict__`, and those in slots
    for state in states:
        for attribute, item in state.items() if isinstance(state, dict) else ():
            yield Unpicklable(item, f"{path}.{attribute}", assignable=hasattr(value, str(attribute)))
    for argument in reduced[1] if isinstance(reduced[1], tuple) else ():
        yield Unpicklable(argument, f"type({path})" if argument is type(value) else path, assignable=False)
    for number, item in enumerate(reduced[3] or () if len(reduced) > 3 else ()):
        yield Unpicklable(item, f"{path}[{number}]", assignable=False)
    for key, item in reduced[4] or () if len(reduced) > 4 else ():
        yield Unpicklable(item, f"{path}[{key!r}]", assignable=True)
