"""Look into a model directory or a package without running it: nothing is unpickled, nothing of it is imported.

::

    look (a directory) ─► contents (a model file) ─► globals (pickles) | boosters (XGBoost)
                      └─► saved_models                                 packages.read (an archive)

What is found is in `facts`. Everything here ends in bounded time and memory, whatever the bytes are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aip_magics.lazy import lazily

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
    from aip_magics.artifacts.listing import File, LeftOut, Listing, file_at, list_files
    from aip_magics.artifacts.names import MODEL_FILES, NearMiss

__all__ = [
    "MODEL_FILES", "BoosterFacts", "ClassFacts", "Contents", "File", "Global", "LeftOut", "Listing", "ModelDir",
    "NearMiss", "PickleFacts", "Resolved", "SavedModelFacts", "Signature", "StandIn", "Tensor", "file_at", "list_files",
    "look", "resolve_export",
]  # fmt: skip

# To list the files of a directory takes none of what reads models.
__getattr__ = lazily(
    __name__,
    {
        "MODEL_FILES": "names",
        "Contents": "contents",
        "File": "listing",
        "LeftOut": "listing",
        "Listing": "listing",
        "ModelDir": "directory",
        "NearMiss": "names",
        "Resolved": "exports",
        "file_at": "listing",
        "list_files": "listing",
        "look": "directory",
        "resolve_export": "exports",
        "BoosterFacts": "facts",
        "ClassFacts": "facts",
        "Global": "facts",
        "PickleFacts": "facts",
        "SavedModelFacts": "facts",
        "Signature": "facts",
        "StandIn": "facts",
        "Tensor": "facts",
    },
)
