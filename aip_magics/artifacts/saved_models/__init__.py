"""SavedModels from their bytes, without TensorFlow.

::

    schema (the fields that matter) ─► wire | text (a tree of them) ─► reading (the facts), graph (what may run)
    graph ─► variables (which of them have no value)
    ops (which release has what)
"""

from __future__ import annotations

from aip_magics.artifacts.saved_models.graph import Graph, graphs
from aip_magics.artifacts.saved_models.inspection import read
from aip_magics.artifacts.saved_models.ops import lacking
from aip_magics.artifacts.saved_models.variables import SHARED_NAME, variables_without_value

__all__ = ["SHARED_NAME", "Graph", "graphs", "lacking", "read", "variables_without_value"]
