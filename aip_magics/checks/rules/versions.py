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


@rule("F01", link=links.API)
def runtime_named(context: CheckContext) -> Outcomes:
    """runtimeVersion and pythonVersion are required; the local target serves with its own Python without them."""
    version = context.version
    if not context.target.is_cloud or version.container is not None:
        return []
    missing = [name for name in ("runtimeVersion", "pythonVersion") if getattr(version, name) is None]
    libraries = context.model_dir.libraries if context.model_dir else {}
    fit = catalog.match_runtime_to_all(context.framework or "", libraries)
    if fit.runtime is None:
        fix = _("{reason}; retrain first", reason=fit.reason)
        return [error(f"version.{name}", _("{name} is required", name=name), fix) for name in missing]
    values = {"runtimeVersion": fit.runtime, "pythonVersion": fit.python}
    known = catalog.runtime(version.runtimeVersion or "")
    if known:
        values["pythonVersion"] = known.python[0]
    return [
        error(f"version.{name}", _("{name} is required", name=name), f"{name}: '{values[name]}'") for name in missing
    ]


@rule("S09", link=links.PATCH_LEVEL)
def runtime_format(context: CheckContext) -> Outcomes:
    """runtimeVersion is MAJOR.MINOR; a patch level is not part of it."""
    asked = context.version.runtimeVersion
    if asked is None or _is_runtime_format(asked):
        return []
    match = re.match(r"(\d+\.\d+)\.", asked)
    fix = f"runtimeVersion: '{match[1] if match else catalog.runtimes()[0].version}'"
    return [error("version.runtimeVersion", _("{asked!r} is not of the form MAJOR.MINOR", asked=asked), fix)]


@rule("S10", link=links.RUNTIMES)
def runtime_known(context: CheckContext) -> Outcomes:
    """The runtime version exists. 2.0, 2.10, 2.12 and later were never offered."""
    asked = context.version.runtimeVersion
    if asked is None or not _is_runtime_format(asked) or catalog.runtime(asked):
        return []
    fix = f"runtimeVersion: '{_nearest_runtime(asked)}'"
    return [error("version.runtimeVersion", _("there is no runtime version {asked}", asked=asked), fix)]


@rule("S11", link=links.RUNTIMES)
def python_of_runtime(context: CheckContext) -> Outcomes:
    """pythonVersion is one of the runtime's: 3.7 from 1.15 on, 3.5 for 1.4 to 1.14, 2.7 up to 1.15."""
    asked = context.version.pythonVersion
    if asked is None:
        return []
    known = catalog.runtime(context.version.runtimeVersion or "")
    offered = known.python if known else tuple(row.python for row in catalog.max_library_versions())
    if asked in offered:
        return []
    if known:
        text = _("Python {asked} is not in runtime {runtime}", asked=asked, runtime=known.version)
    else:
        text = _("Python {asked} is not in any runtime", asked=asked)
    return [error("version.pythonVersion", text, f"pythonVersion: '{offered[0]}'")]


@rule("S12", link=links.API)
def framework_known(context: CheckContext) -> Outcomes:
    """framework is TENSORFLOW, SCIKIT_LEARN or XGBOOST."""
    asked = context.version.framework
    if asked in (None, "FRAMEWORK_UNSPECIFIED", *_FRAMEWORKS):
        return []
    # Short names are too unlike to be found as the nearest.
    meant = {"SKLEARN": "SCIKIT_LEARN", "TF": "TENSORFLOW"}.get(str(asked).upper(), str(asked))
    fix = nearest(meant, _FRAMEWORKS) or _("one of {names}", names=", ".join(_FRAMEWORKS))
    return [error("version.framework", _("there is no framework {asked!r}", asked=asked), fix)]


@rule("S13", link=links.API)
def runtime_has_framework(context: CheckContext) -> Outcomes:
    """scikit-learn, XGBoost and custom code need runtime version 1.4 or later."""
    asked = context.version.runtimeVersion
    custom = bool(context.version.packageUris or context.version.predictionClass)
    if asked is None or not _is_runtime_format(asked) or catalog.parse_version(asked) >= _FIRST_WITH_SKLEARN:
        return []
    if context.framework not in ("SCIKIT_LEARN", "XGBOOST") and not custom:
        return []
    what = _("custom code") if custom else context.framework
    text = _("{what} needs runtime version 1.4 or later, not {asked}", what=what, asked=asked)
    return [error("version.runtimeVersion", text, f"runtimeVersion: '{catalog.runtimes()[0].version}'")]


def _is_runtime_format(text: str) -> bool:
    return re.fullmatch(r"\d+\.\d+", text, re.ASCII) is not None


def _nearest_runtime(asked: str) -> str:
    major, minor = catalog.parse_version(asked)

    def distance(version: str) -> tuple[int, int]:
        their_major, their_minor = catalog.parse_version(version)
        return abs(their_major - major), abs(their_minor - minor)

    # Newest first, so that of two equally near the newer is taken.
    return min((row.version for row in catalog.runtimes()), key=distance)
