"""The file names the service looks for, and files that were meant to be one of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from aip_magics.artifacts import model_file, tensorflow_files
from aip_magics.artifacts.decompression import compression_of
from aip_magics.artifacts.tensorflow_files import Kind
from aip_magics.i18n import gettext as _
from aip_magics.spec import Framework

# Exact names, directly in the model directory → framework; None where the object in the file decides.
MODEL_FILES: Mapping[str, Framework | None] = {
    "saved_model.pb": "TENSORFLOW",
    "saved_model.pbtxt": "TENSORFLOW",
    "model.bst": "XGBOOST",
    "model.joblib": None,
    "model.pkl": None,
}
# Suffix → the name the file would need.
_BY_SUFFIX = {
    ".joblib": "model.joblib",
    ".jbl": "model.joblib",
    ".pkl": "model.pkl",
    ".pickle": "model.pkl",
    ".bst": "model.bst",
    ".ubj": "model.bst",
    ".xgb": "model.bst",
    ".pb": "saved_model.pb",
    ".pbtxt": "saved_model.pbtxt",
}
_IF_BOOSTER = frozenset({".json", ".model", ".bin", ".txt"})  # anything may have these: the bytes decide
_ARCHIVES = (".tar.gz", ".tgz", ".tar", ".tar.bz2", ".zip")
_PYTORCH_SUFFIXES = (".pt", ".pth")
_MAX_NEAR_MISSES = 10  # near misses shown
_HEAD = 1024  # bytes that tell a format; there may be thousands of files


@dataclasses.dataclass(frozen=True)
class NearMiss:
    """A file that looks like a model: `wanted` is the name it needs, None where no renaming helps; `why` says so.

    `framework` is TENSORFLOW for what has to be exported as a SavedModel first, `kind` then says what it is.
    """

    name: str
    wanted: str | None
    why: str
    framework: Framework | None = None
    kind: Kind | Literal["archive"] | None = None


def near_misses(folder: Path, names: Sequence[str]) -> tuple[NearMiss, ...]:
    """Files of the directory (names relative to it) that look like a model but would not be found, likely first."""
    found = [near for name in names if (near := _near(folder, name))]
    return tuple(
        sorted(found, key=lambda near: (near.wanted is None, near.name.count("/"), near.name))[:_MAX_NEAR_MISSES]
    )


def _near(folder: Path, name: str) -> NearMiss | None:
    base = name.rpartition("/")[2]
    if name != base:
        # Only one level down, only under its right name: deeper there may be anything.
        found = base in MODEL_FILES and name.count("/") == 1
        return NearMiss(name, base, _("is one directory too deep")) if found else None
    suffix = Path(base).suffix.lower()
    for known in MODEL_FILES:
        if base.lower() == known:
            return NearMiss(name, known, _("has upper-case letters in its name"))
    if kind := tensorflow_files.kind_of(folder / name):
        return NearMiss(name, None, _described(kind), "TENSORFLOW", kind)
    if wanted := _BY_SUFFIX.get(suffix):
        return NearMiss(name, wanted, _("is not named as the service expects"))
    if suffix in _IF_BOOSTER and _is_booster(folder / name):
        return NearMiss(name, "model.bst", _("is an XGBoost model under another name"))
    if base.lower().endswith(_ARCHIVES):
        return NearMiss(name, None, _("is an archive"), kind="archive")
    return NearMiss(name, None, _("is a PyTorch model")) if suffix in _PYTORCH_SUFFIXES else None


def _is_booster(path: Path) -> bool:
    """Whether the first bytes are those of XGBoost's own formats, which are not compressed."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    return compression_of(head) is None and model_file.format_of(head).startswith("xgboost")


def _described(kind: Kind) -> str:
    """Describe what was written here besides a SavedModel. None of it can be served."""
    return {
        "keras": _("is a Keras file"),
        "keras-hdf5": _("is a Keras file in HDF5 format"),
        "keras-weights": _("contains the weights of a Keras model without the model"),
        "graph": _("is a single graph (GraphDef), such as a frozen model of TensorFlow 1"),
        "tflite": _("is a TensorFlow Lite model"),
        "tfjs": _("is a TensorFlow.js model"),
        "onnx": _("is an ONNX model"),
    }.get(kind) or _("is a checkpoint")
