"""Match a model to a runtime: from the library version in the model to a runtime and a Python, or why there is none.

Which releases no Python of any runtime supports is certain; which runtime has which release is mostly remembered.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping

from aip_magics.catalog.tables import Certainty, Runtime, max_library_versions, parse_version, runtimes
from aip_magics.i18n import gettext as _

# framework → the column of the tables and the name of its distribution
_COLUMNS = {
    "SCIKIT_LEARN": ("sklearn", "scikit-learn"),
    "XGBOOST": ("xgboost", "xgboost"),
    "TENSORFLOW": ("tensorflow", "tensorflow"),
}
_OLDER_FAILS = ("sklearn", "xgboost")  # an older release does not read what a newer one wrote, or reads it wrong
_BY_LIBRARY = {library: column for column, library in _COLUMNS.values()}


@dataclasses.dataclass(frozen=True)
class RuntimeMatch:
    """The best runtime for a library version, or the reason why no runtime can load the model.

    With a match, `runtime` and `python` are set; without, both are None and `pins` are the releases to retrain with, on
    `retrain_python`, so that the newest runtime can load the model. `reason` is one sentence either way.
    """

    library: str
    library_version: str | None
    runtime: str | None
    python: str | None
    reason: str
    certainty: Certainty
    pins: tuple[str, ...] = ()
    retrain_python: str | None = None


def match_runtime(framework: str, library_version: str | None = None) -> RuntimeMatch:
    """Return the runtime for a model of this framework (SCIKIT_LEARN, XGBOOST, TENSORFLOW) and library version.

    Without a version, or for another framework, that is the newest runtime.
    """
    column, library = _COLUMNS.get(framework, ("", ""))
    if library_version is None or not library:
        newest = runtimes()[0]
        if library:
            why = _("the newest runtime; the model's {library} version is unknown", library=library)
        else:
            why = _("the newest runtime; the model's library version is unknown")
        return RuntimeMatch(library, None, newest.version, newest.python[0], why, "remembered")
    if above_all_runtimes(library, library_version):
        return _no_match(column, library, library_version)
    return _best(column, library, library_version)


def match_runtime_to_all(framework: str, libraries: Mapping[str, str]) -> RuntimeMatch:
    """Return the runtime for all libraries in a model (`{"scikit-learn": "1.0.2", "xgboost": "3.2.0"}`).

    If no runtime supports one of them, that library is the reason; else the framework's own library decides.
    """
    for library, version in libraries.items():
        if above_all_runtimes(library, version):
            return match_runtime_to_library(library, version)
    return match_runtime(framework, libraries.get(library_name(framework)))


def match_runtime_to_library(library: str, version: str) -> RuntimeMatch:
    """Return the runtime for a distribution (`scikit-learn`, `xgboost`, `tensorflow`); see `match_runtime`."""
    return match_runtime(next((name for name in _COLUMNS if library_name(name) == library), ""), version)


def library_name(framework: str) -> str:
    """Return the distribution of a framework: `scikit-learn` for SCIKIT_LEARN; empty for an unknown one."""
    return _COLUMNS.get(framework, ("", ""))[1]


def above_all_runtimes(library: str, version: str) -> bool:
    """Whether certainly no runtime can serve a model that this release of scikit-learn or xgboost saved.

    False for other libraries, TensorFlow among them: the ops of a SavedModel decide, not the release that wrote it
    (a SavedModel of TensorFlow 2.21 was seen to answer the same under 2.11).
    """
    column = _BY_LIBRARY.get(library)
    return column in _OLDER_FAILS and is_newer(version, _highest(column))


def older_fails(library: str) -> bool:
    """Whether an older release does not read what a newer one wrote, or reads it wrong: not so with TensorFlow."""
    return _BY_LIBRARY.get(library) in _OLDER_FAILS


def newer_than_runtime(library: str, version: str, runtime: Runtime, python: str | None = None) -> Certainty | None:
    """Whether this release is newer than the one of the runtime: for certain, as far as remembered, or not (None)."""
    column = _BY_LIBRARY.get(library)
    if column is None:
        return None
    pythons = [python] if python in runtime.python else list(runtime.python)
    if all(is_newer(version, getattr(row, column)) for row in max_library_versions() if row.python in pythons):
        return "certain"
    has = library_of(runtime, library)
    if has is not None and is_newer(version, has):
        return runtime.certainty(column)
    return None


def library_of(runtime: Runtime, library: str) -> str | None:
    """Return the release of `library` (scikit-learn, xgboost, tensorflow) in this runtime, or None."""
    column = _BY_LIBRARY.get(library)
    return getattr(runtime, column) if column else None


@functools.cache
def _highest(column: str) -> str:
    """The highest release of a library (`sklearn`, `xgboost` …) that any runtime can hold."""
    releases: list[str] = [getattr(row, column) for row in max_library_versions()]
    return max(releases, key=parse_version)


def _best(column: str, library: str, version: str) -> RuntimeMatch:
    series = parse_version(version)[:2]
    having = [row for row in runtimes() if getattr(row, column) is not None]
    can = [row for row in having if not is_newer(version, getattr(row, column))]
    if not can:
        newest = having[0].version
        why = _(
            "{library} {version} is newer than in any runtime; the newest runtime, {newest}, may still load the model",
            library=library,
            version=version,
            newest=newest,
        )
        return RuntimeMatch(library, version, having[0].version, having[0].python[0], why, "remembered")
    same = [row for row in can if parse_version(getattr(row, column))[:2] == series]
    # The newest of the same series; else the oldest that is newer than the model: the smallest step between the two.
    chosen = same[0] if same else can[-1]
    has = getattr(chosen, column)
    why = _(
        "the model has {library} {version}, runtime {runtime} has {has}",
        library=library,
        version=version,
        runtime=chosen.version,
        has=has,
    )
    return RuntimeMatch(library, version, chosen.version, chosen.python[0], why, chosen.certainty(column))


def _no_match(column: str, library: str, version: str) -> RuntimeMatch:
    newest = runtimes()[0]
    top = getattr(newest, column)
    if column == "sklearn":
        why = _(
            "{library} {version} cannot be loaded by any runtime; the newest is {highest} on {runtime}",
            library=library,
            version=version,
            highest=top,
            runtime=newest.version,
        )
    else:
        why = _(
            "every runtime misreads {library} {version} or cannot read it; the newest is {highest} on {runtime}",
            library=library,
            version=version,
            highest=top,
            runtime=newest.version,
        )
    pins = (f"{library}=={top}", f"numpy=={newest.numpy}", f"pandas=={newest.pandas}")
    return RuntimeMatch(library, version, None, None, why, "certain", pins, newest.python[0])


def is_newer(version: str, than: str) -> bool:
    """Whether a release is newer than another; "1.5" stands for its whole series, so that 1.5.2 is not newer."""
    limit = parse_version(than)
    return parse_version(version)[: len(limit)] > limit if len(limit) < 3 else parse_version(version) > limit
