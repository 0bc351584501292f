"""Inert stand-ins for what a pickle makes while it is read, and what can be told of them."""

from __future__ import annotations

import itertools
import pickle
import re
from typing import Any

from aip_magics.artifacts.facts import Global, PickledObject

# What rebuilds an object of the class that is its first argument.
_REBUILDERS = re.compile(
    r"copy_?reg\.(_reconstructor|__newobj__|__newobj_ex__)|numpy\.(_?core)\.multiarray\._reconstruct"
)
_MAKES_CLASSES = re.compile(r"(joblib\.externals\.)?cloudpickle(\.cloudpickle)?\._make_(skeleton_)?class")
_MAKES_FUNCTIONS = re.compile(r"(joblib\.externals\.)?cloudpickle(\.cloudpickle)?\._make_(skeleton_func|function)")
_ARRAY_STATE = frozenset({"subclass", "shape", "order", "dtype", "allow_mmap"})
_ARRAY_MORE = frozenset({"numpy_array_alignment_bytes"})  # since joblib 1.1
ARRAYS = re.compile(r"(joblib|sklearn\.externals\.joblib)\.numpy_pickle\.NumpyArrayWrapper")


class Named:
    """A stand-in for a global."""

    __slots__ = ("dotted", "of")

    def __init__(self, of: Global | None, dotted: str) -> None:
        self.of = of
        self.dotted = dotted


class Made:
    """A stand-in for what a global was called with: it keeps that, and does nothing."""

    __slots__ = ("arguments", "maker", "new", "state")

    def __init__(self, maker: object, arguments: object, *, new: bool = False) -> None:
        self.maker = maker
        self.arguments = arguments
        self.new = new
        self.state: Any = None

    def append(self, _: Any) -> None: ...

    def extend(self, _: Any) -> None: ...


_MAX_ITEMS = 64  # of a list: the steps of a pipeline are fewer


class Listed(Made):
    """A stand-in for a list. `items` are all of them, or None where they are too many to be kept."""

    __slots__ = ("items",)

    def __init__(self, items: list[Any] | None = None) -> None:
        super().__init__(_LIST, ())
        self.items = items

    def append(self, item: Any) -> None:
        self.extend([item])

    def extend(self, items: Any) -> None:
        if self.items is not None:
            self.items = [*self.items, *items] if len(self.items) + len(items) <= _MAX_ITEMS else None


_LIST = Named(None, "builtins.list")
# One for all whose items are not kept, and for all sets.
LIST = Listed()
SET = Made(Named(None, "builtins.set"), ())


class Dictionary(dict[str, Any]):
    """What is needed of a dictionary: the values of texts. `odd`: it had another key, or one of them twice."""

    odd = False


def class_of(value: object) -> str | None:
    """The dotted name of the class of a value that was read."""
    if isinstance(value, Named):
        # The class or function itself was pickled, not something made by it.
        is_class = value.dotted.rpartition(".")[2][:1].isupper()
        return "builtins.type" if is_class else "builtins.function"
    if not isinstance(value, Made):
        return "builtins.dict" if isinstance(value, Dictionary) else f"builtins.{type(value).__name__}"
    name = maker_of(value)
    if name and (ARRAYS.fullmatch(name) or name.endswith(".numeric._frombuffer")):
        return "numpy.ndarray"
    return name.replace("__builtin__.", "builtins.", 1) if name else None


def maker_of(made: Made) -> str | None:
    """The dotted name of the class that something is an instance of, as it was pickled."""
    maker = made.maker
    if isinstance(maker, Named) and _REBUILDERS.fullmatch(maker.dotted):
        maker = made.arguments[0] if isinstance(made.arguments, tuple) and made.arguments else None
    if isinstance(maker, Made):  # a class that came whole, not by name
        return _written_class(maker)
    if not isinstance(maker, Named):
        return None
    if _MAKES_CLASSES.fullmatch(maker.dotted):
        return "builtins.type"
    return "builtins.function" if _MAKES_FUNCTIONS.fullmatch(maker.dotted) else maker.dotted


def _written_class(made: Made) -> str | None:
    """The name of a class that cloudpickle wrote out: (kind, name, bases, its attributes …)."""
    given = made.arguments
    if not isinstance(given, tuple) or len(given) < 2 or not isinstance(given[1], str):
        return None
    attributes = given[3] if len(given) > 3 and isinstance(given[3], dict) else {}
    module = attributes.get("__module__", "__main__")
    return f"{module}.{given[1]}" if isinstance(module, str) else None


def is_uncalled(made: Made) -> bool:
    """Whether an instance was made without calling its class: in protocols 0 and 1 a helper does that."""
    by_helper = isinstance(made.maker, Named) and _REBUILDERS.fullmatch(made.maker.dotted) is not None
    return by_helper or (made.new and made.arguments == ())


# Attributes that hold the estimator that does the work; of the steps of a pipeline, the last one does.
_PARTS = ("estimator", "best_estimator_")
_MAX_DEPTH = 8  # of estimators in estimators; an object may also hold itself


def outline(value: object, depth: int = 0) -> PickledObject | None:
    """What rules need to know of an object: its class and its attributes. None where it is no object."""
    if isinstance(value, Dictionary) and depth == 0:
        held = {key: outline(one, 1) for key, one in itertools.islice(value.items(), _MAX_ITEMS)}
        return PickledObject("builtins.dict", parts={key: part for key, part in held.items() if part})
    name = class_of(value)
    if name is None or not isinstance(value, Made):
        return None
    state = value.state
    if not isinstance(state, Dictionary) or isinstance(value, Listed):
        return PickledObject(name)
    parts = {key: state[key] for key in _PARTS if key in state}
    if isinstance(steps := state.get("steps"), Listed) and steps.items:
        step = steps.items[-1]
        parts["steps"] = step[1] if isinstance(step, tuple) and len(step) == 2 else None
    outlines = {} if depth >= _MAX_DEPTH else {key: outline(part, depth + 1) for key, part in parts.items()}
    flags = {key: flag for key, flag in state.items() if flag is None or isinstance(flag, bool)}
    return PickledObject(name, frozenset(state), flags, {key: part for key, part in outlines.items() if part})


def state_of_array(state: object) -> dict[str, Any]:
    """The description of an array, if it is just what joblib writes."""
    if isinstance(state, Dictionary) and not state.odd and _ARRAY_STATE <= set(state) <= _ARRAY_STATE | _ARRAY_MORE:
        shape, dtype, alignment = state["shape"], state["dtype"], state.get("numpy_array_alignment_bytes")
        fine = (
            isinstance(shape, tuple)
            and all(type(size) is int and size >= 0 for size in shape)
            and (alignment is None or type(alignment) is int)
            and isinstance(dtype, Made)
            and not dtype.new
            and isinstance(dtype.maker, Named)
            and dtype.maker.dotted == "numpy.dtype"
            and isinstance(dtype.arguments, tuple)
            and len(dtype.arguments) in (1, 3)
            and isinstance(dtype.arguments[0], str)
        )
        if fine:
            return state
    raise pickle.UnpicklingError("an array in another form than joblib gives it")
