"""Which globals a pickle that nobody trusts may name, and what may be done with each (`catalog/pickle_globals.json`).

A global has *modes*:

* ``new``    an instance may be made of the class without calling it, and be given its state
* ``call``   the unpickler may call it
* ``array``  a class of arrays that only what rebuilds them may be given
* ``value``  it may lie in the model, which may then call it with anything when it predicts
* ``attribute``  getattr: with a class of mode ``owner`` and a name it stands for the global ``Class.name``
* ``global``  with a module and a name it stands for that global, as NumPy 1 wrote its functions
* ``pure``   a path, made as one that cannot touch files
* ``distribution``  as ``new``, but what SciPy would execute of its state is the installed one's

`rebuilders` are functions that are given classes, at which places, and what they do with them: ``new`` or ``call``.

What has no ``value`` is a `Token` as long as the pickle is read: nothing but the opcodes that may make or call it can
reach the class or function behind it. Modules of the version's own packages, and those the user trusts, are free: their
code is there to be run.
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

_lists = {}  # type: dict[str, Any]
FREE = frozenset(["new", "call", "value"])
PURE = {"PosixPath": pathlib.PurePosixPath, "WindowsPath": pathlib.PureWindowsPath}


class Token:
    """Stands for a listed global that must not become a value of the model."""

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
    """The list, and the modules whose code may run anyway."""

    def __init__(self, path: str, packages: "list[str]", modules: "list[str]") -> None:
        data = read(path)
        self.listed = data["globals"]
        self.guards = data["guards"]
        self.rebuilders = data["rebuilders"]
        self.free = set(modules) | own_modules(packages)
        self.known = {}  # type: dict[str, bool]

    def modes(self, module: str, name: str) -> "frozenset[str]":
        """What may be done with a global; empty where it is not listed."""
        return frozenset(self.listed.get(module, {}).get(name, "").split())

    def is_free(self, module: str) -> bool:
        """Whether all of a module may run."""
        found = self.known.get(module)
        if found is None:
            parts = module.split(".")
            found = any(".".join(parts[: count + 1]) in self.free for count in range(len(parts)))
            self.known[module] = found
        return found

    def find(self, module: str, name: str, proto: int, fix_imports: bool) -> "tuple[Any, frozenset[str]]":
        """The global a pickle means, imported, and its modes. NotTrusted where it is not listed."""
        if proto < 3 and fix_imports:
            module, name = modern(module, name)
        if module == "__main__" and name.isidentifier() and not name.startswith("__"):
            raise AttributeError("Can't get attribute {!r} on <module '__main__'>".format(name))
        free = self.is_free(module)
        modes = FREE if free else self.modes(module, name)
        if not modes:
            raise NotTrusted("{}.{}".format(module, name))
        if "pure" in modes:
            return PURE[name], frozenset(["call"])
        found = importlib.import_module(module)  # type: Any
        for part in name.split("."):  # of a listed name every part is listed
            if free and found is not sys.modules[module] and not isinstance(found, type):
                raise NotTrusted("{}.{}".format(module, name))
            try:
                found = getattr(found, part)
            except AttributeError:
                text = "Can't get attribute {!r} on {!r}".format(name, sys.modules[module])
                raise AttributeError(text) from None
        if free and not self.is_free(str(getattr(found, "__module__", ""))):
            raise NotTrusted("{}.{}".format(module, name))  # `os.system`, by way of a module that imports os
        return found, modes


def read(path: str) -> "Any":
    """The list in a file; read once, by a parent for all that it forks."""
    if path not in _lists:
        with open(path, encoding="utf-8") as file:
            _lists[path] = json.load(file)
    return _lists[path]


def read_ahead() -> None:
    """In a parent: read the list that a worker is told, from where it lies beside this folder."""
    here = os.path.dirname(os.path.abspath(__file__))
    path = os.path.join(os.path.dirname(os.path.dirname(here)), "catalog", "pickle_globals.json")
    if os.path.exists(path):
        read(path)


def modern(module: str, name: str) -> "tuple[str, str]":
    """The name in Python 3 of what a pickle of protocol 0 to 2 names, as pickle itself has it."""
    if (module, name) in _compat_pickle.NAME_MAPPING:
        return _compat_pickle.NAME_MAPPING[(module, name)]
    return _compat_pickle.IMPORT_MAPPING.get(module, module), name


def own_modules(packages: "list[str]") -> "set[str]":
    """The modules that directories of installed packages have, as far as Python has none of that name itself."""
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
