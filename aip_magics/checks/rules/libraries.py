"""Rules about the libraries that wrote the model, against those of the runtime that would load it.

On the local target the Python that deployed the model serves it: there these rules only tell what the cloud would do,
louder where a runtime was named.
"""

from __future__ import annotations

import dataclasses

from aip_magics import catalog
from aip_magics.artifacts import ModelDir
from aip_magics.artifacts.facts import BoosterFacts
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Finding, Outcomes, Skipped
from aip_magics.checks.rule import in_cloud, on_directory, rule
from aip_magics.i18n import gettext as _

_FORMAT_SINCE = {"json": "1.0.0", "ubjson": "1.6.0"}  # the first XGBoost that reads a format
_WRONG_ANSWERS = (3,)  # the first XGBoost whose files an older one reads wrong


@rule("A01", link=links.VERSION_SKEW)
@on_directory
def pickle_protocol(context: CheckContext, directory: ModelDir) -> Outcomes:
    """The runtime's Python reads the pickle's protocol: 4 with Python 3.5 and 3.7, 2 with Python 2.7."""
    contents, file = directory.contents, directory.model_file
    if contents is None or file is None or contents.protocol is None:
        return []
    python = context.version.pythonVersion
    row = next(
        (row for row in catalog.max_library_versions() if row.python == python), catalog.max_library_versions()[0]
    )
    if contents.protocol <= row.pickle_protocol:
        return []
    text = _(
        "{name} is of pickle protocol {protocol}; Python {python} reads up to {pickle_protocol}",
        name=file.name,
        protocol=contents.protocol,
        python=row.python,
        pickle_protocol=row.pickle_protocol,
    )
    return [in_cloud(context, file.name, text, _("dump it with protocol={protocol}", protocol=row.pickle_protocol))]


@rule("A02", link=links.VERSION_SKEW)
@on_directory
def library_version(context: CheckContext, directory: ModelDir) -> Outcomes:
    """The libraries that wrote the model are not newer than those of the runtime.

    What no runtime can hold is certain; which runtime has which release is mostly remembered and only warns.
    """
    if not directory.libraries:
        return _unknown(directory)
    return _newer_ones(context, directory)


@rule("R07", link=links.NULL_PREDICTIONS)
@on_directory
def wrong_answers(context: CheckContext, directory: ModelDir) -> Outcomes:
    """A model written by XGBoost 3 or later is not read by an older one: it loads without a word and answers wrong.

    XGBoost 3 writes `base_score` in a form that older readers take for 0.5. Where it is 0.5, or the same for each class
    of a multi:softprob or multi:softmax, that changes no answer: A02 then tells of the version alone.
    """
    version = directory.libraries.get("xgboost")
    if version is None:
        return _unknown(directory) if context.framework == "XGBOOST" else []
    if not _is_wrong_answers(context, directory, "xgboost", version):
        return []
    runtime = catalog.runtime(context.version.runtimeVersion or "")
    if runtime:
        text = _(
            "the model is of XGBoost {version}: XGBoost {older} of runtime {runtime} loads it without an error "
            "and answers wrong",
            version=version,
            older=runtime.xgboost,
            runtime=runtime.version,
        )
    else:
        text = _(
            "the model is of XGBoost {version}: the XGBoost of every runtime loads it without an error "
            "and answers wrong",
            version=version,
        )
    return [in_cloud(context, "version.runtimeVersion", text, _retrain(catalog.match_runtime("XGBOOST", version)))]


@rule("B01", link=links.RUNTIMES)
@on_directory
def better_runtime(context: CheckContext, directory: ModelDir) -> Outcomes:
    """The runtime named is the one whose libraries are nearest to those that wrote the model.

    A newer library often reads an older model, but not always: what it makes of it is seen in the test only.
    """
    runtime, framework = catalog.runtime(context.version.runtimeVersion or ""), context.framework
    library = catalog.library_name(framework or "")
    wrote = directory.libraries.get(library)
    if runtime is None or framework is None or wrote is None:
        return Skipped(_("no runtime version is named")) if wrote else _unknown(directory)
    has, fit = catalog.library_of(runtime, library), catalog.match_runtime_to_all(framework, directory.libraries)
    if has is None or fit.runtime in (None, runtime.version) or _series(has) <= _series(wrote):
        return []  # an older library is told by A02
    better = catalog.runtime(fit.runtime or "")
    if better is None or _series(catalog.library_of(better, library) or "") >= _series(has):
        return []
    text = _(
        "the model is of {library} {wrote}, runtime {runtime} has {has}, which may not load it",
        library=library,
        wrote=wrote,
        runtime=runtime.version,
        has=has,
    )
    fix = f"runtimeVersion: '{fit.runtime}', pythonVersion: '{fit.python}' ({fit.reason})"
    return [in_cloud(context, "version.runtimeVersion", text, fix, "warning")]


def newer_libraries(context: CheckContext, directory: ModelDir) -> bool:
    """Whether A02 or R07 tells already that the runtime's libraries are too old for the model."""
    libraries = directory.libraries.items()
    return bool(_newer_ones(context, directory)) or any(
        _is_wrong_answers(context, directory, *library) for library in libraries
    )


@dataclasses.dataclass(frozen=True)
class UnreadFormat:
    """The XGBoost of a runtime that does not read a format, and how sure that is."""

    version: str
    runtime: str
    certainty: catalog.Certainty


def unread_format(context: CheckContext, format: str) -> UnreadFormat | None:
    """The runtime's XGBoost where it is too old for this format of booster files (`json`, `ubjson`); else None."""
    runtime = catalog.runtime(context.version.runtimeVersion or "")
    since = _FORMAT_SINCE.get(format)
    if runtime is None or runtime.xgboost is None or since is None:
        return None
    certainty = catalog.newer_than_runtime("xgboost", since, runtime, context.version.pythonVersion)
    return UnreadFormat(runtime.xgboost, runtime.version, certainty) if certainty else None


def _newer_ones(context: CheckContext, directory: ModelDir) -> list[Finding]:
    found = [_newer(context, directory, name, version) for name, version in directory.libraries.items()]
    return [finding for finding in found if finding]


def _series(version: str) -> tuple[int, ...]:
    return catalog.parse_version(version)[:2]


def _newer(context: CheckContext, directory: ModelDir, name: str, version: str) -> Finding | None:
    if name == "tensorflow" or _is_wrong_answers(context, directory, name, version):
        return None  # A18 and R07 say it better
    if catalog.above_all_runtimes(name, version):
        fit = catalog.match_runtime_to_library(name, version)
        return in_cloud(context, "version.runtimeVersion", fit.reason, _retrain(fit))
    runtime = catalog.runtime(context.version.runtimeVersion or "")
    if runtime is None:
        return None
    certainty = catalog.newer_than_runtime(name, version, runtime, context.version.pythonVersion)
    if certainty is None:
        return None
    has = catalog.library_of(runtime, name) or _("none")
    better = catalog.match_runtime_to_library(name, version)
    text = _(
        "the model is of {library} {version}, runtime {runtime} has {has}",
        library=name,
        version=version,
        runtime=runtime.version,
        has=has,
    )
    fix = f"runtimeVersion: '{better.runtime}' ({better.reason})"
    return in_cloud(context, "version.runtimeVersion", text, fix, "error" if certainty == "certain" else "warning")


def _is_wrong_answers(context: CheckContext, directory: ModelDir, name: str, version: str) -> bool:
    # Locally without a runtime nothing reads the model but the XGBoost that is there: A02's note is enough.
    named = context.target.is_cloud or context.version.runtimeVersion is not None
    if not named or name != "xgboost" or catalog.parse_version(version) < _WRONG_ANSWERS:
        return False
    booster = directory.contents.booster if directory.contents else None
    return booster is None or not _same_without_base_score(booster)  # what a pickle has of it is not looked at


def _same_without_base_score(booster: BoosterFacts) -> bool:
    """Whether a reader that takes the base score for 0.5 answers the same.

    Of several classes the softmax is the same whatever all their scores have in common; XGBoost 3 writes a score for
    each, which are equal only where the classes are as frequent as each other.
    """
    try:
        scores = {float(score) for score in (booster.base_score or "").strip("[]").split(",")}
    except ValueError:
        return False
    return scores == {0.5} or (len(scores) == 1 and booster.objective in ("multi:softprob", "multi:softmax"))


def _retrain(fit: catalog.RuntimeMatch) -> str:
    return _("retrain on Python {python} with pip install {pins}", python=fit.retrain_python, pins=" ".join(fit.pins))


def _unknown(directory: ModelDir) -> Skipped:
    unread = directory.contents.unread if directory.contents else ""
    return Skipped(unread or _("no library version was found in the model"))
