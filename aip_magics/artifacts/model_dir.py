"""A model directory: the files to upload, the model file among them, and its facts.

`inspect_model_dir` runs none of the model's code and writes nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from aip_magics.artifacts import model_file as _contents
from aip_magics.artifacts import saved_models
from aip_magics.artifacts.exports import newest_export
from aip_magics.artifacts.facts import Placeholder, SavedModelFacts
from aip_magics.artifacts.listing import File, SkippedFile, list_files
from aip_magics.artifacts.model_file import ModelFileInfo
from aip_magics.artifacts.names import MODEL_FILES, NearMiss, near_misses
from aip_magics.artifacts.placeholder_files import find_placeholders
from aip_magics.artifacts.tensorflow_files import KERAS_SUFFIXES
from aip_magics.spec import Framework


@dataclasses.dataclass(frozen=True)
class ModelDir:
    """What lies in a model directory.

    `files` are to be uploaded, sorted by name, `left_out` are not. `model_files` are those of the names the service
    knows, directly in the directory; `model_file` is the only one of them, else None. `framework` follows from it (None
    where it cannot be told), `contents` is what it says about itself, of a SavedModel `saved_model` is. `near_misses`
    are files that look like a model under another name. `given_file` is set where the caller named a file of the
    directory. `newest_export` is the newest complete folder of an export base. `truncated`: there are more than
    `MAX_FILES` files, the rest was not looked at. `stand_ins` are files that are not what they are named, `keras_files`
    what Keras saves and the service does not serve.
    """

    path: Path
    files: tuple[File, ...]
    left_out: tuple[SkippedFile, ...]
    model_files: tuple[File, ...]
    framework: Framework | None
    contents: ModelFileInfo | None
    near_misses: tuple[NearMiss, ...]
    given_file: str | None = None
    newest_export: str | None = None
    truncated: bool = False
    saved_model: SavedModelFacts | None = None
    stand_ins: tuple[Placeholder, ...] = ()

    @property
    def keras_files(self) -> tuple[str, ...]:
        return tuple(file.name for file in self.files if file.name.lower().endswith(KERAS_SUFFIXES))

    @property
    def total_size(self) -> int:
        """The size of all files to upload, in bytes."""
        return sum(file.size for file in self.files)

    @property
    def model_file(self) -> File | None:
        return self.model_files[0] if len(self.model_files) == 1 else None

    @property
    def libraries(self) -> Mapping[str, str]:
        """Library → version that wrote the model, as found in it: `{"scikit-learn": "1.9.1"}`.

        Not TensorFlow's: older ones read what newer ones write, where they have the operations.
        """
        return self.contents.libraries if self.contents else {}


def inspect_model_dir(path: Path) -> ModelDir:
    """Inspect a model directory; a file stands for its parent directory and sets `given_file`.

    Raises:
        ModelDirError: `path` does not exist, is neither a file nor a directory, or has no files to upload.
    """
    listing = list_files(path)
    model_files = tuple(file for file in listing.files if file.name in MODEL_FILES)
    model_file = model_files[0] if len(model_files) == 1 else None
    saved = model_file is not None and _is_saved_model(model_file)
    found = _contents.read(model_file.path) if model_file and not saved else None
    return ModelDir(
        path=listing.path,
        files=listing.files,
        left_out=listing.left_out,
        model_files=model_files,
        framework=_framework(model_file, found),
        contents=found,
        near_misses=() if model_files else near_misses(listing.path, [file.name for file in listing.files]),
        given_file=listing.given_file,
        newest_export=newest_export(listing.path),
        truncated=listing.truncated,
        saved_model=saved_models.read(model_file.path) if model_file and saved else None,
        stand_ins=find_placeholders([(file.name, file.path, file.size) for file in listing.files]),
    )


def _framework(model_file: File | None, found: ModelFileInfo | None) -> Framework | None:
    if model_file is None:
        return None
    if known := MODEL_FILES[model_file.name]:
        return known
    # The service loads the object and looks for these words in the module of its class, in this order: the classes of
    # xgboost.sklearn count as scikit-learn.
    module = (found.top or "").rpartition(".")[0] if found else ""
    if "sklearn" in module:
        return "SCIKIT_LEARN"
    if "xgboost" in module or (found and found.format.startswith("xgboost")):
        return "XGBOOST"
    return None


def _is_saved_model(file: File) -> bool:
    return MODEL_FILES[file.name] == "TENSORFLOW"
