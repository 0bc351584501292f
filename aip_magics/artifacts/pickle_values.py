"""Inert stand-ins for what a pickle makes while it is read, and what can be told of them."""

from __future__ import annotations

import pickle
import re
from typing import Any

from aip_magics.artifacts.facts import Global

# What rebuilds an object of the class that is its first argument.
_REBUILDERS = re.compile(
    r"copy_?reg\.(_reconstructor|__newobj__|__newobj_ex__)|numpy\.(_?core)\.multiarray\._reconstruct"
)
# Calls that stand for a global: getattr(Class, "name"), getattr(instance, "method"), NumPy's functions before 1.17.
_GETATTR = re.compile(r"(builtins|__builtin__)\.getattr")
_BY_NAMES = re.compile(r"numpy\.(_?core)\._ufunc_reconstruct")
_MAKES_CLASSES = re.compile(r"(joblib\.externals\.)?cloudpickle(\.cloudpickle)?\._make_(skeleton_)?class")
_MAKES_FUNCTIONS = re.compile(r"(joblib\.externals\.)?cloudpickle(\.cloudpickle)?\._make_(skeleton_func|function)")
_ARRAY_STATE = frozenset({"subclass", "shape", "order", "dtype", "allow_mmap"})
_ARRAY_MORE = frozenset({"numpy_array_alignment_bytes"})  # since joblib 1.1
KEPT_BYTES = 64 * 1024  # of a string of bytes from either end: there a booster says which XGBoost wrote it
ARRAYS = re.compile(r"(joblib|sklearn\.externals\.joblib)\.numpy_pickle\.NumpyArrayWrapper")


class Named:
    """A stand-in for a global."""

    __slots__ = ("dotted", "of")

    def __init__(self, of: Global | None, dotted: str) -> None:
        self.of = of
        self.dotted = dotted


class Made:
    """A stand-in for what a global was called with: it keeps that, and does nothing."""

    __slots__ = ("arguments", "content", "maker", "new", "state")

    def __init__(self, maker: object, arguments: object, *, new: bool = False) -> None:
        self.maker = maker
        self.arguments = arguments
        self.new = new
        self.state: Any = None
        self.content: Any = None  # of an array of objects that joblib wrote: what its own pickle has

    def append(self, _: Any) -> None: ...

    def extend(self, _: Any) -> None: ...


_LIST = Named(None, "builtins.list")
# One for all lists that are not kept, and for all sets: nothing of what is in them is needed.
LIST = Made(_LIST, ())
SET = Made(Named(None, "builtins.set"), ())
MAX_LISTS = 50_000  # kept of one pickle, with so many items in all: what one byte asks for takes a hundred
MAX_ITEMS = 200_000


class ListBudget:
    """How many lists and items may still be kept."""

    def __init__(self) -> None:
        self.lists = MAX_LISTS
        self.items = MAX_ITEMS

    def new_list(self) -> Made:
        """A stand-in for an empty list: it keeps its items as long as the budget lasts."""
        self.lists -= 1
        return KeptList(self) if self.lists >= 0 else LIST


class KeptList(Made):
    """A stand-in for a list, with its items. `whole`: none of them is missing."""

    __slots__ = ("_budget", "items", "whole")

    def __init__(self, budget: ListBudget) -> None:
        super().__init__(_LIST, ())
        self.items: list[Any] = []
        self.whole = True
        self._budget = budget

    def append(self, item: Any) -> None:
        self.extend([item])

    def extend(self, items: list[Any]) -> None:
        self._budget.items -= len(items)
        if self._budget.items >= 0:
            self.items += items
        else:
            self.whole = False


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


def named_by_call(maker: object, arguments: object) -> tuple[str, str] | None:
    """The module and name of the global that a call stands for; None if the call stands for no global."""
    if not isinstance(maker, Named) or not isinstance(arguments, tuple) or len(arguments) != 2:
        return None
    owner, name = arguments
    if not isinstance(name, str):
        return None
    if _BY_NAMES.fullmatch(maker.dotted) and isinstance(owner, str):
        return owner, name
    if _GETATTR.fullmatch(maker.dotted):
        of = owner.of if isinstance(owner, Named) else _made_of(owner)
        # What was defined in a notebook has no attributes to name: the worker does not find it.
        if of is not None and of.module != "__main__":
            module, outer = of.python3_name
            return module, f"{outer}.{name}"
    return None


def _made_of(value: object) -> Global | None:
    """The class of an instance, as the pickle names it."""
    maker = value.maker if isinstance(value, Made) else None
    if isinstance(value, Made) and isinstance(maker, Named) and _REBUILDERS.fullmatch(maker.dotted):
        maker = value.arguments[0] if isinstance(value.arguments, tuple) and value.arguments else None
    return maker.of if isinstance(maker, Named) else None


def is_uncalled(made: Made) -> bool:
    """Whether an instance was made without calling its class: in protocols 0 and 1 a helper does that."""
    by_helper = isinstance(made.maker, Named) and _REBUILDERS.fullmatch(made.maker.dotted) is not None
    return by_helper or (made.new and made.arguments == ())


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
