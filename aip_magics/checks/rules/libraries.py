"""Rules about the libraries that saved the model, compared with those of the runtime that would load it.

On the local target, the Python that deployed the model serves it: there these rules only report what the cloud would
do, as a warning if the deployment names a runtime and as advice otherwise.
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
_FIRST_MISREAD = (3,)  # the first XGBoost whose files an older one misreads


@rule("A01", "unreadable-pickle-protocol", link=links.VERSION_SKEW)
@on_directory
def unreadable_pickle_protocol(context: CheckContext, directory: ModelDir) -> Outcomes:
    """The runtime's Python must support the pickle's protocol: up to 4 on Python 3.5 and 3.7, up to 2 on Python 2.7."""
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
        "{name} uses pickle protocol {protocol}; Python {python} reads protocols up to {pickle_protocol}",
        name=file.name,
        protocol=contents.protocol,
        python=row.python,
        pickle_protocol=row.pickle_protocol,
    )
    return [
        in_cloud(context, file.name, text, _("dump the model with protocol={protocol}", protocol=row.pickle_protocol))
    ]


@rule("A02", "library-too-new", link=links.VERSION_SKEW)
@on_directory
def library_too_new(context: CheckContext, directory: ModelDir) -> Outcomes:
    """The libraries that saved the model must not be newer than those of the runtime.

    A release that no runtime can have is an error; which runtime has which release is mostly inferred, so that is only
    a warning.
    """
    if not directory.libraries:
        return _unknown(directory)
    return _newer_libraries(context, directory)


@rule("R07", "wrong-xgboost-predictions", link=links.NULL_PREDICTIONS)
@on_directory
def wrong_xgboost_predictions(context: CheckContext, directory: ModelDir) -> Outcomes:
    """A model saved by XGBoost 3 or later must not be loaded by an older XGBoost: its predictions are wrong.

    XGBoost 3 writes `base_score` in a form that older readers take for 0.5, without an error. If the score is 0.5, or
    the same for each class of a multi:softprob or multi:softmax, predictions do not change, and only A02 reports the
    version.
    """
    version = directory.libraries.get("xgboost")
    if version is None:
        return _unknown(directory) if context.framework == "XGBOOST" else []
    if not _is_misread(context, directory, "xgboost", version):
        return []
    runtime = catalog.runtime(context.version.runtimeVersion or "")
    if runtime:
        text = _(
            "the model was saved with XGBoost {version}: XGBoost {older} of runtime {runtime} loads it "
            "without an error but returns wrong predictions",
            version=version,
            older=runtime.xgboost,
            runtime=runtime.version,
        )
    else:
        text = _(
            "the model was saved with XGBoost {version}: every runtime loads it without an error but returns "
            "wrong predictions",
            version=version,
        )
    return [in_cloud(context, "version.runtimeVersion", text, _retrain(catalog.match_runtime("XGBOOST", version)))]


@rule("B01", "runtime-too-new", link=links.RUNTIMES)
@on_directory
def runtime_too_new(context: CheckContext, directory: ModelDir) -> Outcomes:
    """The runtime should be the one whose libraries are closest to those that saved the model.

    A newer library often reads an older model, but not always; only a test prediction shows whether it does.
    """
    runtime, framework = catalog.runtime(context.version.runtimeVersion or ""), context.framework
    library = catalog.library_name(framework or "")
    saved_with = directory.libraries.get(library)
    if runtime is None or framework is None or saved_with is None:
        return Skipped(_("no runtime version is set")) if saved_with else _unknown(directory)
    has, fit = catalog.library_of(runtime, library), catalog.match_runtime_to_all(framework, directory.libraries)
    if has is None or fit.runtime in (None, runtime.version) or _series(has) <= _series(saved_with):
        return []  # A02 reports an older library
    better = catalog.runtime(fit.runtime or "")
    if better is None or _series(catalog.library_of(better, library) or "") >= _series(has):
        return []
    text = _(
        "the model was saved with {library} {wrote}; runtime {runtime} has {has} and may not load it",
        library=library,
        wrote=saved_with,
        runtime=runtime.version,
        has=has,
    )
    fix = f"runtimeVersion: '{fit.runtime}', pythonVersion: '{fit.python}' ({fit.reason})"
    return [in_cloud(context, "version.runtimeVersion", text, fix, "warning")]


def newer_libraries(context: CheckContext, directory: ModelDir) -> bool:
    """Whether A02 or R07 reports that the runtime's libraries are too old for the model."""
    libraries = directory.libraries.items()
    return bool(_newer_libraries(context, directory)) or any(
        _is_misread(context, directory, *library) for library in libraries
    )


@dataclasses.dataclass(frozen=True)
class UnreadFormat:
    """The XGBoost of a runtime that cannot read a format, and how certain that is."""

    version: str
    runtime: str
    certainty: catalog.Certainty


def unread_format(context: CheckContext, format: str) -> UnreadFormat | None:
    """Return the runtime's XGBoost if it is too old for this booster format (`json`, `ubjson`); else None."""
    runtime = catalog.runtime(context.version.runtimeVersion or "")
    since = _FORMAT_SINCE.get(format)
    if runtime is None or runtime.xgboost is None or since is None:
        return None
    certainty = catalog.newer_than_runtime("xgboost", since, runtime, context.version.pythonVersion)
    return UnreadFormat(runtime.xgboost, runtime.version, certainty) if certainty else None


def _newer_libraries(context: CheckContext, directory: ModelDir) -> list[Finding]:
    found = [_newer(context, directory, name, version) for name, version in directory.libraries.items()]
    return [finding for finding in found if finding]


def _series(version: str) -> tuple[int, ...]:
    return catalog.parse_version(version)[:2]


def _newer(context: CheckContext, directory: ModelDir, name: str, version: str) -> Finding | None:
    if name == "tensorflow" or _is_misread(context, directory, name, version):
        return None  # A18 and R07 report these in more detail
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
        "the model was saved with {library} {version}; runtime {runtime} has {has}",
        library=name,
        version=version,
        runtime=runtime.version,
        has=has,
    )
    fix = f"runtimeVersion: '{better.runtime}' ({better.reason})"
    return in_cloud(context, "version.runtimeVersion", text, fix, "error" if certainty == "certain" else "warning")


def _is_misread(context: CheckContext, directory: ModelDir, name: str, version: str) -> bool:
    # On the local target without a runtime, only the installed XGBoost loads the model: A02's advice is enough.
    has_runtime = context.target.is_cloud or context.version.runtimeVersion is not None
    if not has_runtime or name != "xgboost" or catalog.parse_version(version) < _FIRST_MISREAD:
        return False
    booster = directory.contents.booster if directory.contents else None
    return booster is None or not ignores_base_score(booster)  # the base score in a pickle is not inspected


def ignores_base_score(booster: BoosterFacts) -> bool:
    """Whether a reader that takes the base score for 0.5 returns the same predictions.

    The softmax of several classes does not depend on a score that all classes have in common; XGBoost 3 writes one
    score per class, and these are equal only if the classes are equally frequent.
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
    return Skipped(unread or _("found no library version in the model"))
