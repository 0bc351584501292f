"""Facts about AI Platform Prediction and Vertex AI as data (TOML files, each with its source), and their queries.

A fact is **certain** (documented in a source) or **remembered** (inferred); a rule may report an error because of the
first, but only a warning because of the second.
"""

from __future__ import annotations

from aip_magics.catalog import pickle_globals
from aip_magics.catalog.graph_ops import graph_ops_path
from aip_magics.catalog.image_match import ImageChoice, ImageMatch, NoImage, ending_text, match_image
from aip_magics.catalog.library_skew import LibraryBreak, find_library_break, xgboost_reads
from aip_magics.catalog.model_environments import ModelEnvironment, find_model_environment
from aip_magics.catalog.modules import ModuleGone, image_has, module_gone, runtime_has
from aip_magics.catalog.prediction_images import (
    PredictionImage,
    is_prebuilt,
    nearest_host,
    prediction_image,
    prediction_images,
)
from aip_magics.catalog.runtime_match import (
    RuntimeMatch,
    above_all_runtimes,
    is_newer,
    library_name,
    library_of,
    match_runtime,
    match_runtime_to_all,
    match_runtime_to_library,
    newer_than_runtime,
    older_fails,
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
from aip_magics.catalog.vertex_tables import (
    VertexLimits,
    VertexMachineType,
    default_vertex_machine_type,
    default_vertex_region,
    newer_vertex_regions,
    optional_accelerators,
    vertex_accelerators,
    vertex_limits,
    vertex_machine_type,
    vertex_machine_types,
    vertex_regions,
)

__all__ = [
    "Certainty",
    "Family",
    "ImageChoice",
    "ImageMatch",
    "LibraryBreak",
    "Limits",
    "MachineType",
    "MaxLibraryVersions",
    "ModelEnvironment",
    "ModuleGone",
    "NoImage",
    "PredictionImage",
    "Runtime",
    "RuntimeMatch",
    "VertexLimits",
    "VertexMachineType",
    "above_all_runtimes",
    "accelerators",
    "default_machine_type",
    "default_region",
    "default_vertex_machine_type",
    "default_vertex_region",
    "ending_text",
    "find_library_break",
    "find_model_environment",
    "global_regions",
    "graph_ops_path",
    "image_has",
    "is_newer",
    "is_prebuilt",
    "library_name",
    "library_of",
    "limits",
    "machine_type",
    "machine_types",
    "match_image",
    "match_runtime",
    "match_runtime_to_all",
    "match_runtime_to_library",
    "max_library_versions",
    "module_gone",
    "nearest_host",
    "newer_than_runtime",
    "newer_vertex_regions",
    "older_fails",
    "optional_accelerators",
    "parse_version",
    "pickle_globals",
    "prediction_image",
    "prediction_images",
    "regional_regions",
    "runtime",
    "runtime_has",
    "runtimes",
    "vertex_accelerators",
    "vertex_limits",
    "vertex_machine_type",
    "vertex_machine_types",
    "vertex_regions",
    "xgboost_reads",
]
