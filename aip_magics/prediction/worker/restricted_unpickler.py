"""Load an untrusted pickle with Python's own unpickler, restricted to listed globals.

The rules apply where objects are created, so that no separate parsing of the bytes can disagree with them:

* a global has to be listed (`allowed_globals`) for its use: instantiated, called, or stored
* only objects get a state, never a class, function or module, and no key of a state is a dunder name, except for a text
  `__doc__` or `__name__`
* only lists, sets and dictionaries get items
* NumPy dtypes and arrays get a state once, and only a state that NumPy itself would write, because NumPy's
  `__setstate__` does not validate memory sizes
* no extension registry, no persistent ids, no nested pickle that another reader would load
* an attribute that selects a method by name has one of its known values (`guards` of the list)

`reader_patches` replaces the unpicklers of pickle and joblib with this one for the rest of the process.
"""

# ruff: noqa: UP032, B905

import collections
import importlib
import pickle
import sys
import types
from typing import Any

from .allowed_globals import Token, to_python3
from .errors import NotTrusted, class_name

BASE = pickle._Unpickler  # type: Any  # kept here, because `reader_patches` replaces the name
# Setting the state of any of these would affect the whole process.
NOT_STATEFUL = (
    type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType, Token
)  # fmt: skip
TEMPLATE = "_parse_arg_template"  # attribute of a SciPy distribution: code that SciPy executes
NAMED_TOO = ("__doc__", "__name__")  # texts that SciPy's distributions and numpy.vectorize set on their instances
ARGUMENTS = frozenset(  # of the `__init__` of a distribution
    ("momtype", "a", "b", "xtol", "badvalue", "name", "longname", "shapes", "extradoc", "moment_tol", "inc", "seed")
)
MAX_IN_A_KEY = 10000  # items in a tuple used as a key: hashing nested tuples could take forever


class RestrictedUnpickler(BASE):  # type: ignore[misc]
    """Python's own unpickler with the rules of this module. `reader_patches.install` sets `rules`."""

    rules = None  # type: Any
    dispatch = dict(BASE.dispatch)  # noqa: RUF012

    def __init__(self, file: "Any", *args: "Any", **kwargs: "Any") -> None:
        super().__init__(file, *args, **kwargs)
        self.tokens = {}  # type: dict[tuple[str, str], Token]
        self.raw = {}  # type: dict[int, Token]
        self.incomplete_dtypes = {}  # type: dict[int, Any]
        self.guarded = []  # type: list[Any]
        self.known = {}  # type: dict[type, bool]
        self.distributions = set()  # type: set[type]

    def load(self) -> "Any":
        value = super().load()
        self.memo = {}  # type: dict[int, Any]
        if self.incomplete_dtypes:
            raise NotTrusted("a NumPy dtype without its state")
        self.check_tokens(value)
        for instance in self.guarded:
            self.check_guards(instance)
        return value

    # --- globals

    def find_class(self, module: str, name: str) -> "Any":
        token = self.tokens.get((module, name))
        if token is not None:
            return token
        found, modes = self.rules.find(module, name, self.proto, self.fix_imports)
        token = Token(module, name, found, modes)
        if "value" in modes:
            self.raw[id(found)] = token
            return found
        self.tokens[(module, name)] = token
        return token

    def get_extension(self, code: int) -> None:
        raise NotTrusted("extension {}".format(code))

    def persistent_load(self, pid: "Any") -> None:  # noqa: ARG002
        raise NotTrusted("a persistent id")

    def get_token(self, value: "Any") -> "Token | None":
        """The token of a global: the token itself, or the one recorded for a value."""
        if isinstance(value, Token):
            return value
        token = self.raw.get(id(value))
        return token if token is not None and token.what is value else None

    def may(self, value: "Any", *modes: str) -> bool:
        """Whether the list allows one of these modes for a token or a value."""
        token = self.get_token(value)
        return token is not None and not token.modes.isdisjoint(modes)

    def unwrap(self, value: "Any", *modes: str) -> "Any":
        """The class or function behind a token or a value, if the list allows one of these modes."""
        token = self.get_token(value)
        if token is not None and not token.modes.isdisjoint(modes):
            return token.what
        if token is not None:
            raise NotTrusted(token.dotted)
        name = getattr(value, "__qualname__", None)
        raise NotTrusted("{}.{}".format(value.__module__, name) if name else class_name(value))

    def check_tokens(self, value: "Any") -> None:
        """Raise NotTrusted if the loaded value still contains a global that may only be instantiated or called."""
        if isinstance(value, Token):
            raise NotTrusted(value.dotted)
        tokens, self.tokens = list(self.tokens.values()), {}
        tokens.append(Token("", "", None, frozenset()))  # gives the count of a token without other references
        counts = [sys.getrefcount(tokens[index]) for index in range(len(tokens))]
        kept = [token.dotted for token, count in zip(tokens, counts) if count > counts[-1]]
        if kept:
            raise NotTrusted(", ".join(kept))

    # --- instantiating and calling

    def register_dtype(self, value: "Any") -> "Any":
        """Record a NumPy dtype, which has to get its state before anything uses it; return the value."""
        numpy = sys.modules.get("numpy")  # type: Any
        if numpy is not None and isinstance(value, numpy.dtype):
            self.incomplete_dtypes[id(value)] = value
        return value

    def call(self, function: "Any", arguments: "tuple[Any, ...]") -> "Any":
        if self.may(function, "attribute"):
            return self.attribute(*arguments)
        if self.may(function, "global") and len(arguments) == 2:
            return self.find_class(str(arguments[0]), str(arguments[1]))
        token = self.get_token(function)
        function = self.unwrap(function, "call")
        numpy = sys.modules.get("numpy")  # type: Any
        if self.incomplete_dtypes and not (numpy and function is numpy.dtype) and function is not encode():
            raise NotTrusted("a NumPy dtype without its state")
        modes_by_index = self.rules.rebuilders.get(token.key, {}) if token else {}
        # NumPy's function does not call `__new__` of the class.
        arrays = getattr(function, "__name__", "") == "_reconstruct"
        plain = self.unwrap_arguments(arguments, modes_by_index, arrays)
        if getattr(function, "__name__", "") == "scalar" and getattr(plain[0] if plain else None, "hasobject", False):
            raise NotTrusted("a NumPy scalar of objects")
        return self.register_dtype(function(*plain))

    def unwrap_arguments(
        self, arguments: "tuple[Any, ...]", modes_by_index: "dict[str, str]", arrays: bool
    ) -> "tuple[Any, ...]":
        """Replace tokens among the arguments of a function; `modes_by_index` are the modes of a rebuilder."""
        found = list(arguments)
        for index, one in enumerate(found):
            if isinstance(one, Token):
                mode = modes_by_index.get(str(index), "value")
                found[index] = self.unwrap(one, mode, "array" if arrays and mode == "new" else mode)
        return tuple(found)

    def attribute(self, owner: "Any" = None, name: "Any" = None, *_: "Any") -> "Any":
        """Resolve getattr(owner, name), which pickles have for methods and, before protocol 4, for nested classes."""
        token = self.get_token(owner)
        if token is None and type(name) is str:
            return self.method(owner, name)
        if token is None or "owner" not in token.modes or not isinstance(name, str):
            raise NotTrusted("builtins.getattr")
        module, outer = token.module, token.name
        if self.proto < 3 and self.fix_imports:  # the class has its name of Python 2, the attribute has none
            module, outer = to_python3(module, outer)
        return self.find_class(module, "{}.{}".format(outer, name))

    def method(self, instance: "Any", name: str) -> "Any":
        """Bind a listed function of the instance's class to it. No descriptor or `__getattr__` of the class is run."""
        kind = type(instance)
        listed = "{}.{}".format(kind.__qualname__, name)
        free = self.rules.is_free(kind.__module__)
        if free or "method" in self.rules.modes(kind.__module__, listed):
            function = next((vars(one)[name] for one in kind.__mro__ if name in vars(one)), None)
            if isinstance(function, types.FunctionType) and (not free or self.rules.is_free(function.__module__)):
                return types.MethodType(function, instance)
        raise NotTrusted("{}.{}".format(kind.__module__, listed))

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = self.call(self.stack[-1], arguments)

    def new(self, kind: "Any", arguments: "tuple[Any, ...]", keywords: "dict[str, Any]") -> "Any":
        if self.may(kind, "distribution"):
            self.distributions.add(self.unwrap(kind, "distribution"))
        kind = self.unwrap(kind, "new", "distribution")
        if not isinstance(kind, type):
            raise NotTrusted(class_name(kind))
        return self.register_dtype(kind.__new__(kind, *arguments, **keywords))

    def load_newobj(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = self.new(self.stack[-1], arguments, {})

    def load_newobj_ex(self) -> None:
        keywords = self.stack.pop()
        arguments = self.stack.pop()
        self.stack[-1] = self.new(self.stack[-1], arguments, keywords)

    def instance(self, kind: "Any", arguments: "list[Any]") -> None:
        # As in pickle: a class without arguments is not called.
        if not arguments and self.may(kind, "new"):
            self.append(self.new(kind, (), {}))
        else:
            self.append(self.call(kind, tuple(arguments)))

    def load_inst(self) -> None:
        module = self.readline()[:-1].decode("ascii")
        name = self.readline()[:-1].decode("ascii")
        arguments = self.pop_mark()
        self.instance(self.find_class(module, name), arguments)

    def load_obj(self) -> None:
        arguments = self.pop_mark()
        self.instance(arguments.pop(0), arguments)

    # --- state

    def load_build(self) -> None:
        state, instance = self.stack[-1], self.stack[-2]
        if isinstance(instance, NOT_STATEFUL) or id(instance) in self.raw:
            raise NotTrusted("a state of {}".format(class_name(instance)))
        numpy = sys.modules.get("numpy")  # type: Any
        if numpy is not None and isinstance(instance, numpy.dtype):
            if self.incomplete_dtypes.pop(id(instance), None) is None:
                raise NotTrusted("a second state of a NumPy dtype")
        elif self.incomplete_dtypes:
            raise NotTrusted("a NumPy dtype without its state")
        elif numpy is not None and isinstance(instance, numpy.ndarray) and instance.size:
            raise NotTrusted("a second state of a NumPy array")
        else:
            self.check_state(instance, state)
            if type(instance) in self.distributions:
                check_distribution(instance, state)
        if self.is_guarded(type(instance)):
            self.guarded.append(instance)
        BASE.dispatch[pickle.BUILD[0]](self)
        if numpy is not None and isinstance(instance, numpy.dtype):
            check_dtype(numpy, instance)

    def check_state(self, instance: "Any", state: "Any") -> None:
        states = state if isinstance(state, tuple) and len(state) == 2 else (state,)
        if self.rules.is_free(type(instance).__module__):
            return
        for attributes in states:
            for key in attributes if isinstance(attributes, dict) else ():
                if key in NAMED_TOO and isinstance(attributes[key], (str, type(None))):
                    continue
                if isinstance(key, str) and key[:2] == "__" == key[-2:]:
                    raise NotTrusted("{} of {}".format(key, class_name(instance)))

    def load_setitem(self) -> None:
        self.check_item(dict, self.stack[-3])
        self.check_keys([self.stack[-2]])
        BASE.dispatch[pickle.SETITEM[0]](self)

    def load_setitems(self) -> None:
        self.check_item(dict, self.metastack[-1][-1])
        self.check_keys(self.stack[::2])
        BASE.dispatch[pickle.SETITEMS[0]](self)

    def load_dict(self) -> None:
        self.check_keys(self.stack[::2])
        BASE.dispatch[pickle.DICT[0]](self)

    def load_append(self) -> None:
        self.check_item((list, collections.deque), self.stack[-2])
        BASE.dispatch[pickle.APPEND[0]](self)

    def load_appends(self) -> None:
        self.check_item((list, collections.deque), self.metastack[-1][-1])
        BASE.dispatch[pickle.APPENDS[0]](self)

    def load_additems(self) -> None:
        self.check_item(set, self.metastack[-1][-1])
        self.check_keys(self.stack)
        BASE.dispatch[pickle.ADDITEMS[0]](self)

    def load_frozenset(self) -> None:
        self.check_keys(self.stack)
        BASE.dispatch[pickle.FROZENSET[0]](self)

    def check_item(self, kinds: "Any", container: "Any") -> None:
        if not isinstance(container, kinds) and not self.rules.is_free(type(container).__module__):
            raise NotTrusted("items of {}".format(class_name(container)))

    def check_keys(self, keys: "list[Any]") -> None:
        for key in keys:
            if isinstance(key, (tuple, frozenset)):
                check_key(key)

    # --- attributes that select a method by name

    def is_guarded(self, kind: type) -> bool:
        if kind not in self.known:
            self.known[kind] = any(guard_name(one) in self.rules.guards for one in kind.__mro__)
        return self.known[kind]

    def check_guards(self, instance: "Any") -> None:
        for kind in type(instance).__mro__:
            for attribute, allowed in self.rules.guards.get(guard_name(kind), {}).items():
                value = getattr(instance, "__dict__", {}).get(attribute)
                if not is_one_of(value, allowed, 0):
                    shown = repr(value)[:100] if isinstance(value, str) else class_name(value)
                    raise NotTrusted("{}.{} = {}".format(class_name(instance), attribute, shown))

    dispatch.update(
        {
            pickle.REDUCE[0]: load_reduce,
            pickle.NEWOBJ[0]: load_newobj,
            pickle.NEWOBJ_EX[0]: load_newobj_ex,
            pickle.INST[0]: load_inst,
            pickle.OBJ[0]: load_obj,
            pickle.BUILD[0]: load_build,
            pickle.SETITEM[0]: load_setitem,
            pickle.SETITEMS[0]: load_setitems,
            pickle.DICT[0]: load_dict,
            pickle.APPEND[0]: load_append,
            pickle.APPENDS[0]: load_appends,
            pickle.ADDITEMS[0]: load_additems,
            pickle.FROZENSET[0]: load_frozenset,
        }
    )


def encode() -> "Any":
    """The function with which pickles of protocol 0 to 2 write bytes, also in the state of a NumPy dtype."""
    return importlib.import_module("_codecs").encode


def check_distribution(instance: "Any", state: "Any") -> None:
    """Take the code from the installed distribution. SciPy before 1.6 keeps the arguments of `__init__` instead."""
    if type(state) is dict:
        if TEMPLATE in state:
            state[TEMPLATE] = template_of(type(instance))
        return
    fine = type(state) is tuple and len(state) == 2 and type(state[0]) is dict
    # A newer SciPy would take such a state for pairs of a name and a value, and the name of the code could be one.
    if fine and template_of(type(instance)) is None:
        arguments, generator = state
        # SciPy refuses `shapes` that are no names, before it makes code of them.
        fine = set(arguments) - {"values"} <= ARGUMENTS and all(
            one is None or type(one) in (str, bool, int, float) for one in arguments.values()
        )
        if fine and (generator is None or type(generator).__module__ in ("mtrand", "numpy.random.mtrand")):
            return
    raise NotTrusted("an unexpected state of {}".format(class_name(instance)))


def template_of(kind: type) -> "str | None":
    """The code that SciPy executes to restore a distribution, taken from the installed distribution of this class."""
    for one in vars(sys.modules[kind.__module__]).values():
        if type(one) is kind:
            return vars(one).get(TEMPLATE)
    raise NotTrusted("a distribution of class {}".format(guard_name(kind)))


def guard_name(kind: type) -> str:
    return "{}:{}".format(kind.__module__, kind.__qualname__)


def is_one_of(value: "Any", allowed: "list[str]", depth: int) -> bool:
    if value is None or (type(value) is str and value in allowed):
        return True
    return type(value) in (list, tuple) and depth < 3 and all(is_one_of(one, allowed, depth + 1) for one in value)


def check_key(key: "Any") -> None:
    remaining, todo = MAX_IN_A_KEY, [key]
    while todo:
        for one in todo.pop():
            remaining -= 1
            if remaining < 0:
                raise NotTrusted("a key of more than {} items".format(MAX_IN_A_KEY))
            if isinstance(one, (tuple, frozenset)):
                todo.append(one)


def check_dtype(numpy: "Any", dtype: "Any") -> None:
    """Compare a dtype with one that NumPy builds from its description, because a state may contain anything."""
    if dtype.subdtype is not None:
        fresh = numpy.dtype(dtype.subdtype)
    elif dtype.fields is not None and dtype.names is not None:
        fields = [dtype.fields[name] for name in dtype.names]
        described = {
            "names": list(dtype.names),
            "formats": [field[0] for field in fields],
            "offsets": [field[1] for field in fields],
            "itemsize": dtype.itemsize,
        }
        if len(dtype.fields) > len(fields):
            described["titles"] = [field[2] if len(field) > 2 else None for field in fields]
        fresh = numpy.dtype(described, align=dtype.isalignedstruct)
    elif dtype.kind in "SUV" or dtype.kind in "mM":
        fresh = numpy.dtype(dtype.str)
    else:
        fresh = numpy.dtype(dtype.char).newbyteorder(dtype.byteorder)
    same = ("itemsize", "flags", "hasobject", "alignment", "isalignedstruct", "kind", "char")
    if fresh != dtype or any(getattr(fresh, name) != getattr(dtype, name) for name in same):
        raise NotTrusted("a NumPy dtype with an unexpected state")
