"""Load a pickle that nobody trusts: the real unpicklers, which make and call nothing but what is listed.

The rules are kept where the objects are made, so that no second reading of the bytes can disagree with them:

* a global has to be listed (`globals`), for the use that is made of it: made, called, or kept
* state goes to objects only, never to a class, function or module; its keys are no names of Python's own
* items go to lists, sets and dictionaries only
* NumPy's types and arrays get their state once, and it has to be what NumPy itself would write: its own `__setstate__`
  believes what it is told about memory
* no registry of extensions, no persistent ids, no nested pickle that is loaded by another reader
* an attribute whose text says which method is called holds one of the texts it is known with (`guards` of the list)

`reader_patches` puts this one where pickle's and joblib's are for the rest of the process.
"""

# ruff: noqa: UP032, B905

import collections
import importlib
import pickle
import sys
import types
from typing import Any

from .allowed_globals import Token
from .errors import NotTrusted, class_name

BASE = pickle._Unpickler  # type: Any  # later the name leads here
# A state for any of these would change what the whole process uses.
NOT_STATEFUL = (
    type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType, Token
)  # fmt: skip
TEMPLATE = "_parse_arg_template"  # of a distribution of SciPy: a text that it executes
MAX_IN_A_KEY = 10000  # items in a tuple that is a key: nested ones could take for ever to be hashed


class RestrictedUnpickler(BASE):  # type: ignore[misc]
    """Python's own unpickler with the rules of this module. `rules` is set by `reader_patches.install`."""

    rules = None  # type: Any
    dispatch = dict(BASE.dispatch)  # noqa: RUF012

    def __init__(self, file: "Any", *args: "Any", **kwargs: "Any") -> None:
        super().__init__(file, *args, **kwargs)
        self.tokens = {}  # type: dict[tuple[str, str], Token]
        self.raw = {}  # type: dict[int, Token]
        self.half_made = {}  # type: dict[int, Any]
        self.guarded = []  # type: list[Any]
        self.known = {}  # type: dict[type, bool]
        self.distributions = set()  # type: set[type]

    def load(self) -> "Any":
        value = super().load()
        self.memo = {}  # type: dict[int, Any]
        if self.half_made:
            raise NotTrusted("a type of NumPy without its state")
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

    def listed(self, value: "Any") -> "Token | None":
        """The token of what may not be a value, or that which came with a value."""
        if isinstance(value, Token):
            return value
        token = self.raw.get(id(value))
        return token if token is not None and token.what is value else None

    def may(self, value: "Any", *modes: str) -> bool:
        """Whether the list allows one of these uses of a token or a value."""
        token = self.listed(value)
        return token is not None and not token.modes.isdisjoint(modes)

    def opened(self, value: "Any", *modes: str) -> "Any":
        """What is behind a token or a value, if the list allows one of these uses of it."""
        token = self.listed(value)
        if token is not None and not token.modes.isdisjoint(modes):
            return token.what
        if token is not None:
            raise NotTrusted(token.dotted)
        name = getattr(value, "__qualname__", None)
        raise NotTrusted("{}.{}".format(value.__module__, name) if name else class_name(value))

    def check_tokens(self, value: "Any") -> None:
        """No class or function that may only be made or called is left in what was loaded."""
        if isinstance(value, Token):
            raise NotTrusted(value.dotted)
        tokens, self.tokens = list(self.tokens.values()), {}
        tokens.append(Token("", "", None, frozenset()))  # how often one is referred to that is nowhere else
        counts = [sys.getrefcount(tokens[place]) for place in range(len(tokens))]
        kept = [token.dotted for token, count in zip(tokens, counts) if count > counts[-1]]
        if kept:
            raise NotTrusted(", ".join(kept))

    # --- making and calling

    def made(self, value: "Any") -> "Any":
        numpy = sys.modules.get("numpy")  # type: Any
        if numpy is not None and isinstance(value, numpy.dtype):
            self.half_made[id(value)] = value
        return value

    def call(self, function: "Any", arguments: "tuple[Any, ...]") -> "Any":
        if self.may(function, "attribute"):
            return self.attribute(*arguments)
        if self.may(function, "global") and len(arguments) == 2:
            return self.find_class(str(arguments[0]), str(arguments[1]))
        token = self.listed(function)
        function = self.opened(function, "call")
        numpy = sys.modules.get("numpy")  # type: Any
        if self.half_made and not (numpy and function is numpy.dtype) and function is not encode():
            raise NotTrusted("a type of NumPy without its state")
        places = self.rules.rebuilders.get(token.key, {}) if token else {}
        arrays = getattr(function, "__name__", "") == "_reconstruct"  # NumPy's: it calls no `__new__` of theirs
        plain = self.plain(arguments, places, arrays)
        if getattr(function, "__name__", "") == "scalar" and getattr(plain[0] if plain else None, "hasobject", False):
            raise NotTrusted("a scalar of objects")
        return self.made(function(*plain))

    def plain(self, arguments: "tuple[Any, ...]", places: "dict[str, str]", arrays: bool) -> "tuple[Any, ...]":
        """Arguments as a function gets them: at the `places` of those that rebuild, classes it makes an instance of."""
        found = list(arguments)
        for place, one in enumerate(found):
            if isinstance(one, Token):
                use = places.get(str(place), "value")
                found[place] = self.opened(one, use, "array" if arrays and use == "new" else use)
        return tuple(found)

    def attribute(self, owner: "Any" = None, name: "Any" = None, *_: "Any") -> "Any":
        """How pickle writes a method, and protocols before 4 a class in a class: getattr(Class, name)."""
        token = self.listed(owner)
        if token is None or "owner" not in token.modes or not isinstance(name, str):
            raise NotTrusted("builtins.getattr")
        return self.find_class(token.module, "{}.{}".format(token.name, name))

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = self.call(self.stack[-1], arguments)

    def new(self, kind: "Any", arguments: "tuple[Any, ...]", keywords: "dict[str, Any]") -> "Any":
        if self.may(kind, "distribution"):
            self.distributions.add(self.opened(kind, "distribution"))
        kind = self.opened(kind, "new", "distribution")
        if not isinstance(kind, type):
            raise NotTrusted(class_name(kind))
        return self.made(kind.__new__(kind, *arguments, **keywords))

    def load_newobj(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = self.new(self.stack[-1], arguments, {})

    def load_newobj_ex(self) -> None:
        keywords = self.stack.pop()
        arguments = self.stack.pop()
        self.stack[-1] = self.new(self.stack[-1], arguments, keywords)

    def instance(self, kind: "Any", arguments: "list[Any]") -> None:
        # As pickle: a class without arguments is not called.
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
            raise NotTrusted("a state for {}".format(class_name(instance)))
        numpy = sys.modules.get("numpy")  # type: Any
        if numpy is not None and isinstance(instance, numpy.dtype):
            if self.half_made.pop(id(instance), None) is None:
                raise NotTrusted("a second state for a type of NumPy")
        elif self.half_made:
            raise NotTrusted("a type of NumPy without its state")
        elif numpy is not None and isinstance(instance, numpy.ndarray) and instance.size:
            raise NotTrusted("a second state for an array")
        else:
            self.check_state(instance, state)
            if type(instance) in self.distributions:
                if type(state) is not dict:
                    raise NotTrusted("another state of {} than SciPy gives it".format(class_name(instance)))
                if TEMPLATE in state:
                    state[TEMPLATE] = template_of(type(instance))
        if self.is_guarded(type(instance)):
            self.guarded.append(instance)
        BASE.dispatch[pickle.BUILD[0]](self)
        if numpy is not None and isinstance(instance, numpy.dtype):
            check_dtype(numpy, instance)

    def check_state(self, instance: "Any", state: "Any") -> None:
        parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
        if self.rules.is_free(type(instance).__module__):
            return
        for part in parts:
            for key in part if isinstance(part, dict) else ():
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
            raise NotTrusted("items for {}".format(class_name(container)))

    def check_keys(self, keys: "list[Any]") -> None:
        for key in keys:
            if isinstance(key, (tuple, frozenset)):
                check_key(key)

    # --- attributes that say which method is called

    def is_guarded(self, kind: type) -> bool:
        if kind not in self.known:
            self.known[kind] = any(guard_name(one) in self.rules.guards for one in kind.__mro__)
        return self.known[kind]

    def check_guards(self, instance: "Any") -> None:
        for kind in type(instance).__mro__:
            for attribute, allowed in self.rules.guards.get(guard_name(kind), {}).items():
                value = getattr(instance, "__dict__", {}).get(attribute)
                if not is_one_of(value, allowed, 0):
                    told = repr(value)[:100] if isinstance(value, str) else class_name(value)
                    raise NotTrusted("{}.{} = {}".format(class_name(instance), attribute, told))

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
    """How pickles of protocol 0 to 2 write bytes: in the state of a type of NumPy, too."""
    return importlib.import_module("_codecs").encode


def template_of(kind: type) -> str:
    """What SciPy executes when it restores a distribution: the text that the installed one of this class has."""
    for one in vars(sys.modules[kind.__module__]).values():
        if type(one) is kind:
            return str(vars(one)[TEMPLATE])
    raise NotTrusted("a distribution of {}".format(guard_name(kind)))


def guard_name(kind: type) -> str:
    return "{}:{}".format(kind.__module__, kind.__qualname__)


def is_one_of(value: "Any", allowed: "list[str]", depth: int) -> bool:
    if value is None or (type(value) is str and value in allowed):
        return True
    return type(value) in (list, tuple) and depth < 3 and all(is_one_of(one, allowed, depth + 1) for one in value)


def check_key(key: "Any") -> None:
    left, todo = MAX_IN_A_KEY, [key]
    while todo:
        for one in todo.pop():
            left -= 1
            if left < 0:
                raise NotTrusted("a key of more than {} items".format(MAX_IN_A_KEY))
            if isinstance(one, (tuple, frozenset)):
                todo.append(one)


def check_dtype(numpy: "Any", dtype: "Any") -> None:
    """A type of NumPy is what NumPy makes of its own description: the state may have said anything."""
    if dtype.subdtype is not None:
        fresh = numpy.dtype(dtype.subdtype)
    elif dtype.fields is not None and dtype.names is not None:
        parts = [dtype.fields[name] for name in dtype.names]
        described = {
            "names": list(dtype.names),
            "formats": [part[0] for part in parts],
            "offsets": [part[1] for part in parts],
            "itemsize": dtype.itemsize,
        }
        if len(dtype.fields) > len(parts):
            described["titles"] = [part[2] if len(part) > 2 else None for part in parts]
        fresh = numpy.dtype(described, align=dtype.isalignedstruct)
    elif dtype.kind in "SUV" or dtype.kind in "mM":
        fresh = numpy.dtype(dtype.str)
    else:
        fresh = numpy.dtype(dtype.char).newbyteorder(dtype.byteorder)
    same = ("itemsize", "flags", "hasobject", "alignment", "isalignedstruct", "kind", "char")
    if fresh != dtype or any(getattr(fresh, name) != getattr(dtype, name) for name in same):
        raise NotTrusted("a type of NumPy with another state than NumPy gives it")
