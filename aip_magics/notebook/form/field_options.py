"""Choices of fields, from the catalog: framework ▸ runtime ▸ Python, endpoint ▸ region and machine type."""

from __future__ import annotations

from collections.abc import Mapping

from aip_magics import catalog

FRAMEWORKS = ("SCIKIT_LEARN", "TENSORFLOW", "XGBOOST")
DEFAULT_REGION = catalog.default_region()


def options_for(id: str, values: Mapping[str, object], regional: bool) -> tuple[str, ...]:
    """The choices for a field, given the values of the other fields; an empty choice means the default."""
    framework, runtime = str(values.get("framework", "")), str(values.get("runtimeVersion", ""))
    match id:
        case "endpoint":
            return ("global", "regional")
        case "region":
            return catalog.regional_regions() if regional else catalog.global_regions()
        case "framework":
            return ("", *FRAMEWORKS)
        case "frameworkVersion":
            # One entry per library version: that of the newest runtime with it.
            return (
                "",
                *dict.fromkeys(filter(None, (library_version(framework, name) for name in _runtimes(framework)))),
            )
        case "runtimeVersion":
            return ("", *_runtimes(framework))
        case "pythonVersion":
            known = catalog.runtime(runtime)
            return ("", *(known.python if known else [row.python for row in catalog.max_library_versions()]))
        case "machineType":
            family = "N1" if regional else "MLS1"
            return tuple(row.name for row in catalog.machine_types() if row.family == family)
        case "scaling":
            return ("automatic", "manual")
    raise KeyError(id)


def library_version(framework: object, runtime: object) -> str:
    """The version of the framework's library in a runtime; empty if the runtime has none."""
    known = catalog.runtime(str(runtime))
    return (known and catalog.library_of(known, catalog.library_name(str(framework)))) or ""


def runtime_with(framework: object, version: str) -> str:
    """The newest runtime with this version of the framework's library; empty if no runtime has it."""
    return next(
        (name for name in _runtimes(str(framework)) if version and library_version(framework, name) == version), ""
    )


def _runtimes(framework: str) -> list[str]:
    known = framework in FRAMEWORKS
    return [row.version for row in catalog.runtimes() if not known or library_version(framework, row.version)]
