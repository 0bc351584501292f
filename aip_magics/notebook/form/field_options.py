"""Choices of fields: framework ▸ runtime ▸ Python from the catalog, target ▸ endpoint ▸ region and machine type."""

from __future__ import annotations

from collections.abc import Mapping

from aip_magics import catalog, target_types
from aip_magics.targets import Target, load

FRAMEWORKS = ("SCIKIT_LEARN", "TENSORFLOW", "XGBOOST")
DEFAULT_REGION = catalog.default_region()
EMBEDDED = "embedded"  # the choice of the embedded server as the endpoint of another target

# The fields of the form for a field of a cell, where they are several or have another name.
_IDS = {
    "runtimeVersion": ("runtimeVersion", "frameworkVersion"),  # the second one chooses the first one
    "requestLoggingConfig": ("logTable", "logShare"),
}


def ids_of(name: str) -> tuple[str, ...]:
    """The fields of the form for a field of a cell; some have none (`container`)."""
    return _IDS.get(name, (name,))


def options_for(id: str, values: Mapping[str, object], target: str, regional: bool) -> tuple[str, ...]:
    """The choices for a field; an empty choice means the default.

    Args:
        id: The field.
        values: The values of the other fields.
        target: The name of the target.
        regional: Whether the endpoint is regional.
    """
    framework, runtime = str(values.get("framework", "")), str(values.get("runtimeVersion", ""))
    match id:
        case "target":
            return tuple(target_types.NAMES)
        case "endpoint":
            own = ("global", "regional") if has_global_endpoint(load(target)) else ("regional",)
            return (*own, EMBEDDED) if target_types.get(target).has_local_endpoint else own
        case "region":
            regions = tuple(name for name in load(target).regions() if name != "global")
            return regions if regional else catalog.global_regions()
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
            return load(target).machine_types(regional=regional)
        case "scaling":
            return ("automatic", "manual")
    raise KeyError(id)


def has_global_endpoint(target: type[Target]) -> bool:
    """Whether a target has a global endpoint; so does one that names no regions."""
    regions = target.regions()
    return not regions or "global" in regions


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
