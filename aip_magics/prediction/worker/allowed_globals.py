"""The globals that an untrusted pickle may use, and how each may be used (`catalog/pickle_globals.json`).

Each global has *modes*:

* ``new``    an instance of the class may be created without calling the class, and its state may be set
* ``call``   the unpickler may call the global
* ``array``  an array class that may be passed only to functions that rebuild arrays
* ``value``  the global may be stored in the model, which may call it with any arguments when it predicts
* ``attribute``  getattr: with a class of mode ``owner`` and a name, the call stands for the global ``Class.name``; with
  an instance and a name, for its method, if ``Class.name`` has the mode ``method``
* ``method``  a function of a class that may be stored in the model, bound to an instance of that class
* ``global``  with a module and a name, the call stands for that global, as NumPy 1 wrote its functions
* ``pure``   a path class, replaced by the pure path class that cannot access files
* ``distribution``  like ``new``, but code that SciPy would execute from the state is taken from the installed SciPy

`rebuilders` are functions that take classes: at which argument positions, and how each class is used (``new`` or
``call``).

While the pickle is read, a global without ``value`` is represented by a `Token`, so that only the opcodes that may
instantiate or call the global reach the class or function. All globals are allowed from modules of the version's own
packages and from modules that the user trusts, because their code is meant to run.
"""

# ruff: noqa: UP032

import _compat_pickle
import importlib
import json
import os
import pathlib
import sys
from typing import Any

from .errors import NotTrusted

_cache = {}  # type: dict[str, Any]
ALL_MODES = frozenset(["new", "call", "value"])
PURE = {"PosixPath": pathlib.PurePosixPath, "WindowsPath": pathlib.PureWindowsPath}


class Token:
    """A placeholder for a listed global that must not become a value of the model."""

    __slots__ = ("modes", "module", "name", "what")

    def __init__(self, module: str, name: str, what: "Any", modes: "frozenset[str]") -> None:
        self.module = module
        self.name = name
        self.what = what
        self.modes = modes

    @property
    def key(self) -> str:
        return "{}:{}".format(self.module, self.name)

    @property
    def dotted(self) -> str:
        return "{}.{}".format(self.module, self.name)


class AllowedGlobals:
    """The list of allowed globals, and the modules whose globals are all allowed."""

    def __init__(self, path: str, packages: "list[str]", modules: "list[str]") -> None:
        data = read(path)
        self.listed = data["globals"]
        self.guards = data["guards"]
        self.rebuilders = data["rebuilders"]
        self.free_modules = set(modules) | own_modules(packages)
        self.known = {}  # type: dict[str, bool]

    def modes(self, module: str, name: str) -> "frozenset[str]":
        """The modes of a global; empty if the global is not listed."""
        return frozenset(self.listed.get(module, {}).get(name, "").split())

    def is_free(self, module: str) -> bool:
        """Whether all globals of a module are allowed."""
        found = self.known.get(module)
        if found is None:
            names = module.split(".")
            found = any(".".join(names[: count + 1]) in self.free_modules for count in range(len(names)))
            self.known[module] = found
        return found

    def find(self, module: str, name: str, proto: int, fix_imports: bool) -> "tuple[Any, frozenset[str]]":
        """Import the global that a pickle names; return it with its modes. Raises NotTrusted if it is not listed."""
        if proto < 3 and fix_imports:
            module, name = to_python3(module, name)
        if module == "__main__" and name.isidentifier() and not name.startswith("__"):
            raise AttributeError("Can't get attribute {!r} on <module '__main__'>".format(name))
        free = self.is_free(module)
        modes = ALL_MODES if free else self.modes(module, name)
        if not modes:
            raise NotTrusted("{}.{}".format(module, name))
        if "pure" in modes:
            return PURE[name], frozenset(["call"])
        found = importlib.import_module(module)  # type: Any
        for attribute in name.split("."):  # every attribute on the way to a listed name is listed
            if free and found is not sys.modules[module] and not isinstance(found, type):
                raise NotTrusted("{}.{}".format(module, name))
            try:
                found = getattr(found, attribute)
            except AttributeError:
                text = "Can't get attribute {!r} on {!r}".format(name, sys.modules[module])
                raise AttributeError(text) from None
        if free and not self.is_free(str(getattr(found, "__module__", ""))):
            raise NotTrusted("{}.{}".format(module, name))  # such as `os.system`, through a module that imports os
        return found, modes


def read(path: str) -> "Any":
    """Read a list from a file, once per process; a fork server reads it for all workers that it forks."""
    if path not in _cache:
        with open(path, encoding="utf-8") as file:
            _cache[path] = json.load(file)
    return _cache[path]


def preload_list() -> None:
    """In a fork server: read the list that workers will use, from its path relative to this folder."""
    worker_dir = os.path.dirname(os.path.abspath(__file__))
    path = os.path.join(os.path.dirname(os.path.dirname(worker_dir)), "catalog", "pickle_globals.json")
    if os.path.exists(path):
        read(path)


def to_python3(module: str, name: str) -> "tuple[str, str]":
    """Map a global of a pickle of protocol 0 to 2 to its name in Python 3, as pickle itself does."""
    if (module, name) in _compat_pickle.NAME_MAPPING:
        return _compat_pickle.NAME_MAPPING[(module, name)]
    return _compat_pickle.IMPORT_MAPPING.get(module, module), name


def own_modules(packages: "list[str]") -> "set[str]":
    """The modules in directories of installed packages, except those with the name of a standard module."""
    found = set()  # type: set[str]
    if not packages:
        return found
    for folder in packages:
        for entry in os.listdir(folder):
            name = entry.partition(".")[0]
            if name.isidentifier() and not entry.endswith((".dist-info", ".egg-info", ".pth")):
                found.add(name)
    return found - set(sys.builtin_module_names) - set(standard_library())


def standard_library() -> "frozenset[str]":
    names = getattr(sys, "stdlib_module_names", None)
    if names is not None:
        return frozenset(names)
    folder = os.path.dirname(os.__file__)
    return frozenset(entry.partition(".")[0] for entry in os.listdir(folder))
