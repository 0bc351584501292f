"""Refuse packages with modules that would shadow modules of Python itself.

Packages come first on the import path of the worker; on the service, and with pip, they come after the standard
library. A package's module `random` would therefore be imported only locally, and the worker itself imports modules of
the standard library.
"""

from __future__ import annotations

import sys
from pathlib import Path

from aip_magics.i18n import gettext as _
from aip_magics.prediction.interpreters import Interpreter
from aip_magics.prediction.packages.install_errors import install_error

AT_START = frozenset({"sitecustomize", "usercustomize"})  # imported by Python at startup
# Standard modules of newer Pythons that are packages of the index for older ones.
_BACKPORTS = frozenset({"contextvars", "dataclasses", "graphlib", "tomllib", "zoneinfo"})
_MODULE_SUFFIXES = (".py", ".pyc", ".so", ".pyd")


def check_module_names(folder: Path, package: str, interpreter: Interpreter) -> None:
    """Raise PredictionError if a package, installed into this directory, has a module with a name of Python's own."""
    reserved = AT_START | sys.stdlib_module_names
    if tuple(map(int, interpreter.version.split(".")[:2])) < (3, 9):
        reserved -= _BACKPORTS
    for entry in sorted(folder.iterdir()):
        name = entry.name.partition(".")[0]
        is_module = entry.name.endswith(_MODULE_SUFFIXES) or (entry.is_dir() and any(entry.glob("__init__.*")))
        if is_module and name in reserved:
            reason = _("module {name!r} would shadow a module of Python", name=name)
            raise install_error(package, reason, fix=_("rename the module, or move it into a package"))
