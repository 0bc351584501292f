"""Look into a model directory or a package without running it: nothing is unpickled, nothing of it is imported.

::

    look (a directory) ─► contents (a model file) ─► globals (pickles) | boosters (XGBoost)
                      └─► saved_models                                 packages.read (an archive)

What is found is in `facts`. Everything here ends in bounded time and memory, whatever the bytes are.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aip_magics.artifacts.contents import Contents
    from aip_magics.artifacts.directory import ModelDir, look
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
    from aip_magics.artifacts.listing import File, LeftOut, Listing, list_files
    from aip_magics.artifacts.names import MODEL_FILES, NearMiss

__all__ = [
    "MODEL_FILES", "BoosterFacts", "ClassFacts", "Contents", "File", "Global", "LeftOut", "Listing", "ModelDir",
    "NearMiss", "PickleFacts", "Resolved", "SavedModelFacts", "Signature", "StandIn", "Tensor", "list_files", "look",
    "resolve_export",
]  # fmt: skip

_HOMES = {
    "MODEL_FILES": "names",
    "Contents": "contents",
    "File": "listing",
    "LeftOut": "listing",
    "Listing": "listing",
    "ModelDir": "directory",
    "NearMiss": "names",
    "Resolved": "exports",
    "list_files": "listing",
    "look": "directory",
    "resolve_export": "exports",
}


def __getattr__(name: str) -> Any:
    # To list the files of a directory takes none of what reads models.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'facts')}"), name)
