"""The known modules of runtimes and prebuilt images, and those that libraries added or removed between releases."""

from __future__ import annotations

import dataclasses
import functools
import sys

from aip_magics.catalog.prediction_images import PredictionImage
from aip_magics.catalog.tables import Certainty, Runtime, parse_version, read_table

_LIBRARIES = {"sklearn": "scikit-learn"}  # the column of the tables → the name of the distribution, where they differ
_OF_FRAMEWORK = {"SCIKIT_LEARN": "sklearn", "XGBOOST": "xgboost", "TENSORFLOW": "tensorflow"}
_ALWAYS = frozenset({"builtins", "__builtin__", "copy_reg", "copyreg", "pip", "pkg_resources", "setuptools", "wheel"})


@dataclasses.dataclass(frozen=True)
class ModuleGone:
    """A module that a runtime's library does not have: it was added later or removed before."""

    module: str
    library: str
    library_version: str
    certainty: Certainty


@dataclasses.dataclass(frozen=True)
class _Change:
    library: str
    modules: tuple[str, ...]
    certainty: Certainty
    since: str | None = None
    until: str | None = None

    def lacks(self, version: str) -> bool:
        """Whether a library of this release does not have the modules."""
        numbers = parse_version(version)
        early = self.since is not None and numbers < parse_version(self.since)
        return early or (self.until is not None and numbers >= parse_version(self.until))


def runtime_has(name: str, runtime: Runtime) -> bool:
    """Whether a top-level module is in the standard library or in a library known to be in the runtime."""
    if name in _ALWAYS or name in sys.stdlib_module_names:
        return True
    known: dict[str, list[str]] = read_table("modules")["of_runtime"]
    return any(name in modules and getattr(runtime, column) for column, modules in known.items())


def image_has(name: str, image: PredictionImage) -> bool:
    """Whether a top-level module is in the standard library or in a library known to be in a prebuilt image."""
    if name in _ALWAYS or name in sys.stdlib_module_names:
        return True
    known: dict[str, list[str]] = read_table("modules")["of_runtime"]
    return any(name in known[column] for column in (_OF_FRAMEWORK.get(image.framework, "numpy"), "numpy", "pandas"))


def module_gone(module: str, runtime: Runtime) -> ModuleGone | None:
    """Return why a module of a library is not in the runtime, if it is known to be only in other releases."""
    for change in _changes():
        has = getattr(runtime, change.library)
        if has is None or not change.lacks(has):
            continue
        if any(module == one or module.startswith(f"{one}.") for one in change.modules):
            library = _LIBRARIES.get(change.library, change.library)
            return ModuleGone(module, library, has, change.certainty)
    return None


@functools.cache
def _changes() -> tuple[_Change, ...]:
    rows = read_table("modules")["change"]
    return tuple(_Change(**{**row, "modules": tuple(row["modules"])}) for row in rows)
