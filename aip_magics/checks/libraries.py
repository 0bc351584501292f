"""Rules about the libraries that wrote the model, against those of the runtime that would load it.

On the local target the Python that deployed the model serves it: there these rules only tell what the cloud would do,
louder where a runtime was named.
"""

from __future__ import annotations

from aip_magics import catalog
from aip_magics.artifacts import ModelDir
from aip_magics.checks import links
from aip_magics.checks.base import Finding, Outcomes, Severity, Skipped, Subject, on_directory, rule

_WRONG_ANSWERS = (3,)  # the first XGBoost whose files an older one reads wrong


@rule("A01", link=links.VERSION_SKEW)
@on_directory
def pickle_protocol(subject: Subject, directory: ModelDir) -> Outcomes:
    """The runtime's Python reads the pickle's protocol: 4 with Python 3.5 and 3.7, 2 with Python 2.7."""
    contents, file = directory.contents, directory.model_file
    if contents is None or file is None or contents.protocol is None:
        return []
    python = subject.version.pythonVersion
    row = next((row for row in catalog.ceilings() if row.python == python), catalog.ceilings()[0])
    if contents.protocol <= row.pickle_protocol:
        return []
    text = (
        f"{file.name} is of pickle protocol {contents.protocol}; Python {row.python} reads up to {row.pickle_protocol}"
    )
    return [_finding(subject, file.name, text, f"dump it with protocol={row.pickle_protocol}")]


@rule("A02", link=links.VERSION_SKEW)
@on_directory
def library_version(subject: Subject, directory: ModelDir) -> Outcomes:
    """The libraries that wrote the model are not newer than those of the runtime.

    What no runtime can hold is certain; which runtime has which release is mostly remembered and only warns.
    """
    if not directory.libraries:
        return _unknown(directory)
    found = [_newer(subject, name, version) for name, version in directory.libraries.items()]
    return [finding for finding in found if finding]


@rule("R07", link=links.NULL_PREDICTIONS)
@on_directory
def wrong_answers(subject: Subject, directory: ModelDir) -> Outcomes:
    """A model written by XGBoost 3 or later is not read by an older one: it loads without a word and answers wrong.

    XGBoost 3 writes `base_score` in a form that older readers take for 0.5.
    """
    version = directory.libraries.get("xgboost")
    if version is None:
        return _unknown(directory) if subject.framework == "XGBOOST" else []
    if not _is_wrong_answers(subject, "xgboost", version):
        return []
    runtime = catalog.runtime(subject.version.runtimeVersion or "")
    older = f"XGBoost {runtime.xgboost} of runtime {runtime.version}" if runtime else "the XGBoost of every runtime"
    text = f"the model is of XGBoost {version}: {older} loads it without an error and answers wrong"
    return [_finding(subject, "version.runtimeVersion", text, _retrain(catalog.fit("XGBOOST", version)))]


def _newer(subject: Subject, name: str, version: str) -> Finding | None:
    if _is_wrong_answers(subject, name, version):
        return None  # R07 says it better
    if catalog.above_all_runtimes(name, version):
        fit = catalog.fit_library(name, version)
        return _finding(subject, "version.runtimeVersion", fit.reason, _retrain(fit))
    runtime = catalog.runtime(subject.version.runtimeVersion or "")
    if runtime is None:
        return None
    certainty = catalog.newer_than_runtime(name, version, runtime, subject.version.pythonVersion)
    if certainty is None:
        return None
    has = catalog.library_of(runtime, name) or "none"
    better = catalog.fit_library(name, version)
    text = f"the model is of {name} {version}, runtime {runtime.version} has {has}"
    fix = f"runtimeVersion: '{better.runtime}' ({better.reason})"
    return _finding(subject, "version.runtimeVersion", text, fix, "error" if certainty == "certain" else "warning")


def _is_wrong_answers(subject: Subject, name: str, version: str) -> bool:
    # Locally without a runtime nothing reads the model but the XGBoost that is there: A02's note is enough.
    named = subject.target.is_cloud or subject.version.runtimeVersion is not None
    return named and name == "xgboost" and catalog.parse_version(version) >= _WRONG_ANSWERS


def _finding(subject: Subject, where: str, text: str, fix: str, severity: Severity = "error") -> Finding:
    """A finding about the cloud: of this severity there; locally a warning, or advice where no runtime is named."""
    if not subject.target.is_cloud:
        severity = "warning" if subject.version.runtimeVersion else "advice"
        text = f"served by this Python locally; in the cloud: {text}"
    return Finding("", severity, where, text, fix, "")


def _retrain(fit: catalog.Fit) -> str:
    return f"retrain on Python {fit.retrain_python} with pip install {' '.join(fit.pins)}"


def _unknown(directory: ModelDir) -> Skipped:
    unread = directory.contents.unread if directory.contents else ""
    return Skipped(unread or "no library version was found in the model")
