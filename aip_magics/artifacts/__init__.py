"""Look into a model directory or a package without running it: nothing is unpickled, nothing of it is imported.

::

    look (a directory) ─► contents (a model file) ─► globals (pickles) | boosters (XGBoost)
                      └─► saved_models                                 packages.read (an archive)

What is found is in `facts`. Everything here ends in bounded time and memory, whatever the bytes are.
"""

from __future__ import annotations

from aip_magics.artifacts.contents import Contents
from aip_magics.artifacts.directory import File, LeftOut, ModelDir, look
from aip_magics.artifacts.exports import Resolved, resolve_export
from aip_magics.artifacts.facts import (
    BoosterFacts,
    ClassFacts,
    Global,
    PickleFacts,
    SavedModelFacts,
    Signature,
    StandIn,
    Tensor,
)
from aip_magics.artifacts.names import MODEL_FILES, NearMiss

__all__ = [
    "MODEL_FILES",
    "BoosterFacts",
    "ClassFacts",
    "Contents",
    "File",
    "Global",
    "LeftOut",
    "ModelDir",
    "NearMiss",
    "PickleFacts",
    "Resolved",
    "SavedModelFacts",
    "Signature",
    "StandIn",
    "Tensor",
    "look",
    "resolve_export",
]
