"""Read what a model calls its inputs: the columns that it was fitted with, or the inputs of its signatures."""

from __future__ import annotations

from pathlib import Path

from aip_magics.artifacts import model_file, saved_models
from aip_magics.artifacts.facts import ModelInputs, SavedModelFacts
from aip_magics.artifacts.model_dir import ModelDir
from aip_magics.artifacts.model_file import ModelFileInfo
from aip_magics.artifacts.names import MODEL_FILES


def model_inputs(directory: ModelDir) -> ModelInputs:
    """The inputs of the model in an inspected directory."""
    return _inputs(directory.contents, directory.saved_model)


def read_model_inputs(path: Path) -> ModelInputs:
    """Read the inputs from a model file that has one of the names of `MODEL_FILES`. Nothing of the model is run."""
    if MODEL_FILES[path.name] == "TENSORFLOW":
        return _inputs(None, saved_models.read(path))
    return _inputs(model_file.read(path), None)


def _inputs(contents: ModelFileInfo | None, saved_model: SavedModelFacts | None) -> ModelInputs:
    if saved_model is not None:
        return ModelInputs(signatures=saved_model.signatures, unread="" if saved_model.complete else saved_model.unread)
    if contents is None:
        return ModelInputs()
    pickled, booster = contents.pickle, contents.booster
    features = pickled.feature_names if pickled else booster.feature_names if booster else ()
    return ModelInputs(features, unread="" if features or contents.complete else contents.unread)
