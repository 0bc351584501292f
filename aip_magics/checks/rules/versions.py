"""Rules about runtimeVersion, pythonVersion and framework."""

from __future__ import annotations

import re
from typing import get_args

from aip_magics import catalog
from aip_magics.checks import links
from aip_magics.checks.context import CheckContext
from aip_magics.checks.outcome import Outcomes
from aip_magics.checks.rule import error, rule
from aip_magics.i18n import gettext as _
from aip_magics.spec import Framework, nearest

_FRAMEWORKS = [name for name in get_args(Framework) if name != "FRAMEWORK_UNSPECIFIED"]
_FIRST_WITH_SKLEARN = (1, 4)


@rule("F01", "missing-runtime-version", link=links.API)
def missing_runtime_version(context: CheckContext) -> Outcomes:
    """runtimeVersion and pythonVersion are required; without them, the local target serves with its own Python."""
    version = context.version
    if not context.target.is_cloud or version.container is not None:
        return []
    missing = [name for name in ("runtimeVersion", "pythonVersion") if getattr(version, name) is None]
    libraries = context.model_dir.libraries if context.model_dir else {}
    fit = catalog.match_runtime_to_all(context.framework or "", libraries)
    if fit.runtime is None:
        fix = _("retrain the model first: {reason}", reason=fit.reason)
        return [error(f"version.{name}", _("{name} is required", name=name), fix) for name in missing]
    values = {"runtimeVersion": fit.runtime, "pythonVersion": fit.python}
    known = catalog.runtime(version.runtimeVersion or "")
    if known:
        values["pythonVersion"] = known.python[0]
    return [
        error(f"version.{name}", _("{name} is required", name=name), f"{name}: '{values[name]}'") for name in missing
    ]


@rule("S09", "invalid-runtime-format", link=links.PATCH_LEVEL)
def invalid_runtime_format(context: CheckContext) -> Outcomes:
    """runtimeVersion must be MAJOR.MINOR, without a patch level."""
    runtime = context.version.runtimeVersion
    if runtime is None or _is_runtime_format(runtime):
        return []
    match = re.match(r"(\d+\.\d+)\.", runtime)
    fix = f"runtimeVersion: '{match[1] if match else catalog.runtimes()[0].version}'"
    return [
        error(
            "version.runtimeVersion", _("invalid runtime version {asked!r}, expected MAJOR.MINOR", asked=runtime), fix
        )
    ]


@rule("S10", "unknown-runtime-version", link=links.RUNTIMES)
def unknown_runtime_version(context: CheckContext) -> Outcomes:
    """The runtime version must exist. 2.0, 2.10, 2.12 and later were never offered."""
    runtime = context.version.runtimeVersion
    if runtime is None or not _is_runtime_format(runtime) or catalog.runtime(runtime):
        return []
    fix = f"runtimeVersion: '{_nearest_runtime(runtime)}'"
    return [error("version.runtimeVersion", _("unknown runtime version {asked}", asked=runtime), fix)]


@rule("S11", "unavailable-python-version", link=links.RUNTIMES)
def unavailable_python_version(context: CheckContext) -> Outcomes:
    """pythonVersion must be available in the runtime: 3.7 since 1.15, 3.5 from 1.4 to 1.14, 2.7 up to 1.15."""
    python = context.version.pythonVersion
    if python is None:
        return []
    known = catalog.runtime(context.version.runtimeVersion or "")
    offered = known.python if known else tuple(row.python for row in catalog.max_library_versions())
    if python in offered:
        return []
    if known:
        text = _("Python {asked} is not available in runtime {runtime}", asked=python, runtime=known.version)
    else:
        text = _("Python {asked} is not available in any runtime", asked=python)
    return [error("version.pythonVersion", text, f"pythonVersion: '{offered[0]}'")]


@rule("S12", "unknown-framework", link=links.API)
def unknown_framework(context: CheckContext) -> Outcomes:
    """framework must be TENSORFLOW, SCIKIT_LEARN or XGBOOST."""
    framework = context.version.framework
    if framework in (None, "FRAMEWORK_UNSPECIFIED", *_FRAMEWORKS):
        return []
    # Short names are too different to be found as the nearest.
    meant = {"SKLEARN": "SCIKIT_LEARN", "TF": "TENSORFLOW"}.get(str(framework).upper(), str(framework))
    fix = nearest(meant, _FRAMEWORKS) or _("use one of {names}", names=", ".join(_FRAMEWORKS))
    return [error("version.framework", _("unknown framework {asked!r}", asked=framework), fix)]


@rule("S13", "runtime-without-framework", link=links.API)
def runtime_without_framework(context: CheckContext) -> Outcomes:
    """scikit-learn, XGBoost and custom code require runtime version 1.4 or later."""
    runtime = context.version.runtimeVersion
    custom = bool(context.version.packageUris or context.version.predictionClass)
    if runtime is None or not _is_runtime_format(runtime) or catalog.parse_version(runtime) >= _FIRST_WITH_SKLEARN:
        return []
    if context.framework not in ("SCIKIT_LEARN", "XGBOOST") and not custom:
        return []
    what = _("custom code") if custom else context.framework
    text = _("{what} requires runtime version 1.4 or later, got {asked}", what=what, asked=runtime)
    return [error("version.runtimeVersion", text, f"runtimeVersion: '{catalog.runtimes()[0].version}'")]


def _is_runtime_format(text: str) -> bool:
    return re.fullmatch(r"\d+\.\d+", text, re.ASCII) is not None


def _nearest_runtime(asked: str) -> str:
    major, minor = catalog.parse_version(asked)

    def distance(version: str) -> tuple[int, int]:
        their_major, their_minor = catalog.parse_version(version)
        return abs(their_major - major), abs(their_minor - minor)

    # Newest first, so that the newer of two equally near ones is taken.
    return min((row.version for row in catalog.runtimes()), key=distance)
