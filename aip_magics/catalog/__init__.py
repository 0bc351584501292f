"""Facts about AI Platform Prediction as data (TOML files, each with its source) and look-ups over them.

A fact is **certain** (read in a source) or **remembered**; a rule may refuse with the first and only warn with the
second.
"""

from __future__ import annotations

from aip_magics.catalog import pickle_globals
from aip_magics.catalog.graph_ops import graph_ops_path
from aip_magics.catalog.modules import ModuleGone, module_gone, runtime_has
from aip_magics.catalog.runtime_match import (
    RuntimeMatch,
    above_all_runtimes,
    library_name,
    library_of,
    match_runtime,
    match_runtime_to_all,
    match_runtime_to_library,
    newer_than_runtime,
)
from aip_magics.catalog.tables import (
    Certainty,
    Family,
    Limits,
    MachineType,
    MaxLibraryVersions,
    Runtime,
    accelerators,
    default_machine_type,
    default_region,
    global_regions,
    limits,
    machine_type,
    machine_types,
    max_library_versions,
    parse_version,
    regional_regions,
    runtime,
    runtimes,
)

__all__ = [
    "Certainty",
    "Family",
    "Limits",
    "MachineType",
    "MaxLibraryVersions",
    "ModuleGone",
    "Runtime",
    "RuntimeMatch",
    "above_all_runtimes",
    "accelerators",
    "default_machine_type",
    "default_region",
    "global_regions",
    "graph_ops_path",
    "library_name",
    "library_of",
    "limits",
    "machine_type",
    "machine_types",
    "match_runtime",
    "match_runtime_to_all",
    "match_runtime_to_library",
    "max_library_versions",
    "module_gone",
    "newer_than_runtime",
    "parse_version",
    "pickle_globals",
    "regional_regions",
    "runtime",
    "runtime_has",
    "runtimes",
]
