"""Facts about AI Platform Prediction as data (TOML files, each with its source), and functions to query them.

A fact is **certain** (documented in a source) or **remembered** (inferred); a rule may report an error because of the
first, but only a warning because of the second.
"""

from __future__ import annotations

from aip_magics.catalog import pickle_globals
from aip_magics.catalog.graph_ops import graph_ops_path
from aip_magics.catalog.library_skew import LibraryBreak, find_library_break, xgboost_reads
from aip_magics.catalog.model_environments import ModelEnvironment, find_model_environment
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
    "LibraryBreak",
    "Limits",
    "MachineType",
    "MaxLibraryVersions",
    "ModelEnvironment",
    "ModuleGone",
    "Runtime",
    "RuntimeMatch",
    "above_all_runtimes",
    "accelerators",
    "default_machine_type",
    "default_region",
    "find_library_break",
    "find_model_environment",
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
    "xgboost_reads",
]
