"""Look into a model directory without running it: nothing is unpickled, nothing of the model is imported."""

from __future__ import annotations

from aip_magics.artifacts.contents import Contents
from aip_magics.artifacts.directory import File, LeftOut, ModelDir, look
from aip_magics.artifacts.exports import Resolved, resolve_export
from aip_magics.artifacts.names import MODEL_FILES, NearMiss

__all__ = ["MODEL_FILES", "Contents", "File", "LeftOut", "ModelDir", "NearMiss", "Resolved", "look", "resolve_export"]
