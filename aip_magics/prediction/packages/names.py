"""No package takes the place of a module of Python itself.

Packages come first on the path of the worker; on the service, and with pip, they come after the standard library. A
module of theirs that is called `random` would be another program here than there, and the worker imports some itself.
"""

from __future__ import annotations

import sys
from pathlib import Path

from aip_magics.i18n import gettext as _
from aip_magics.prediction.interpreters import Interpreter
from aip_magics.prediction.packages.install_errors import failed

AT_START = frozenset({"sitecustomize", "usercustomize"})  # Python imports them by itself
# Modules of newer Pythons that are packages of the index for older ones.
_BACKPORTS = frozenset({"contextvars", "dataclasses", "graphlib", "tomllib", "zoneinfo"})
_BUILT = (".py", ".pyc", ".so", ".pyd")


def check_names(folder: Path, package: str, interpreter: Interpreter) -> None:
    """PredictionError where a package, installed into this folder, has a module of a name that Python has itself."""
    theirs = AT_START | sys.stdlib_module_names
    if tuple(map(int, interpreter.version.split(".")[:2])) < (3, 9):
        theirs -= _BACKPORTS
    for entry in sorted(folder.iterdir()):
        name = entry.name.partition(".")[0]
        is_module = entry.name.endswith(_BUILT) or (entry.is_dir() and any(entry.glob("__init__.*")))
        if is_module and name in theirs:
            reason = _("its module {name!r} would take the place of Python's own", name=name)
            raise failed(package, reason, fix=_("give the module another name, or put it into a package of yours"))
