"""Look into a model directory or a package without running it: nothing is unpickled, nothing of it is imported.

::

    look (a directory) ─► contents (a model file) ─► globals (pickles) | boosters (XGBoost)
                      └─► saved_models                                 packages.read (an archive)

What is found is in `facts`. Everything here ends in bounded time and memory, whatever the bytes are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aip_magics.lazy_imports import lazy_getattr

if TYPE_CHECKING:
    from aip_magics.artifacts.exports import ResolvedExport, resolve_export
    from aip_magics.artifacts.facts import (
        BoosterFacts,
        ClassFacts,
        Global,
        PickleFacts,
        Placeholder,
        SavedModelFacts,
        Signature,
        Tensor,
    )
    from aip_magics.artifacts.listing import File, Listing, SkippedFile, file_at, list_files
    from aip_magics.artifacts.model_dir import ModelDir, inspect_model_dir
    from aip_magics.artifacts.model_file import ModelFileInfo
    from aip_magics.artifacts.names import MODEL_FILES, NearMiss

__all__ = [
    "MODEL_FILES",
    "BoosterFacts",
    "ClassFacts",
    "File",
    "Global",
    "Listing",
    "ModelDir",
    "ModelFileInfo",
    "NearMiss",
    "PickleFacts",
    "Placeholder",
    "ResolvedExport",
    "SavedModelFacts",
    "Signature",
    "SkippedFile",
    "Tensor",
    "file_at",
    "inspect_model_dir",
    "list_files",
    "resolve_export",
]  # fmt: skip

# To list the files of a directory takes none of what reads models.
__getattr__ = lazy_getattr(
    __name__,
    {
        "MODEL_FILES": "names",
        "ModelFileInfo": "model_file",
        "File": "listing",
        "SkippedFile": "listing",
        "Listing": "listing",
        "ModelDir": "model_dir",
        "NearMiss": "names",
        "ResolvedExport": "exports",
        "file_at": "listing",
        "list_files": "listing",
        "inspect_model_dir": "model_dir",
        "resolve_export": "exports",
        "BoosterFacts": "facts",
        "ClassFacts": "facts",
        "Global": "facts",
        "PickleFacts": "facts",
        "SavedModelFacts": "facts",
        "Signature": "facts",
        "Placeholder": "facts",
        "Tensor": "facts",
    },
)
