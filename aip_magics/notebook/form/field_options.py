"""What can be chosen in a field, from the catalog: framework ▸ runtime ▸ Python, endpoint ▸ region and machine type."""

from __future__ import annotations

from collections.abc import Mapping

from aip_magics import catalog

FRAMEWORKS = ("SCIKIT_LEARN", "TENSORFLOW", "XGBOOST")
DEFAULT_REGION = catalog.default_region()


def options_for(id: str, values: Mapping[str, object], regional: bool) -> tuple[str, ...]:
    """The values of a field, given those of the fields before it. An empty one means: left out."""
    framework, runtime = str(values.get("framework", "")), str(values.get("runtimeVersion", ""))
    match id:
        case "endpoint":
            return ("global", "regional")
        case "region":
            return catalog.regional_regions() if regional else catalog.global_regions()
        case "framework":
            return ("", *FRAMEWORKS)
        case "frameworkVersion":
            # The newest runtime that has a library version stands for it: one runtime, one entry.
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
    """The release of the framework's library in a runtime; empty where there is none."""
    known = catalog.runtime(str(runtime))
    return (known and catalog.library_of(known, catalog.library_name(str(framework)))) or ""


def runtime_with(framework: object, version: str) -> str:
    """The newest runtime that has this release of the framework's library; empty where none has."""
    return next(
        (name for name in _runtimes(str(framework)) if version and library_version(framework, name) == version), ""
    )


def _runtimes(framework: str) -> list[str]:
    known = framework in FRAMEWORKS
    return [row.version for row in catalog.runtimes() if not known or library_version(framework, row.version)]
