"""Facts about AI Platform Prediction as data (TOML files, each with its source) and look-ups over them.

A fact is **certain** (read in a source) or **remembered**; a rule may refuse with the first and only warn with the
second.
"""

from __future__ import annotations

from aip_magics.catalog import pickle_globals
from aip_magics.catalog.fit import (
    Fit,
    above_all_runtimes,
    fit,
    fit_all,
    fit_library,
    library_name,
    library_of,
    newer_than_runtime,
)
from aip_magics.catalog.graph_ops import graph_ops_path
from aip_magics.catalog.modules import ModuleGone, module_gone, runtime_has
from aip_magics.catalog.tables import (
    Ceiling,
    Certainty,
    Family,
    Limits,
    MachineType,
    Runtime,
    accelerators,
    ceilings,
    default_machine_type,
    default_region,
    global_regions,
    limits,
    machine_type,
    machine_types,
    parse_version,
    regional_regions,
    runtime,
    runtimes,
)

__all__ = [
    "Ceiling",
    "Certainty",
    "Family",
    "Fit",
    "Limits",
    "MachineType",
    "ModuleGone",
    "Runtime",
    "above_all_runtimes",
    "accelerators",
    "ceilings",
    "default_machine_type",
    "default_region",
    "fit",
    "fit_all",
    "fit_library",
    "global_regions",
    "graph_ops_path",
    "library_name",
    "library_of",
    "limits",
    "machine_type",
    "machine_types",
    "module_gone",
    "newer_than_runtime",
    "parse_version",
    "pickle_globals",
    "regional_regions",
    "runtime",
    "runtime_has",
    "runtimes",
]
