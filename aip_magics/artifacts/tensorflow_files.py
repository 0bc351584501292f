"""Files that TensorFlow, Keras and converters write besides SavedModels: which kind one is, by its name and bytes."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Literal

from aip_magics.artifacts.saved_models import protobuf_reader
from aip_magics.artifacts.saved_models.schema import Field, Message

Kind = Literal[
    "keras", "keras-hdf5", "keras-weights", "graph", "keras-checkpoint", "object-checkpoint", "graph-checkpoint",
    "checkpoint", "tflite", "tfjs", "onnx",
]  # fmt: skip
KERAS_SUFFIXES = (".h5", ".hdf5", ".keras")
CHECKPOINT = re.compile(r"checkpoint|.+\.(?i:ckpt).*|.+\.index|.+\.data-\d{5}-of-\d{5}")
_PART = re.compile(r"\.(?:index|meta|data-\d{5}-of-\d{5})$")
_HDF5 = b"\x89HDF\r\n\x1a\n"
_HEAD = 4096
# Keras writes the attribute before the weights. An attribute list is far smaller than what is searched.
_SEARCHED_BYTES = 64 << 20
# A GraphDef begins with a node and that with its name, a SavedModel with the version of its schema.
_FIRST_NODE = re.compile(rb"\x0a[\x80-\xff]{0,4}[\x00-\x7f]\x0a")
_VARIABLES = frozenset({"VariableV2", "Variable", "VarHandleOp"})
_NO_OUTPUT = frozenset({"NoOp", "Assert", "Placeholder"})

_NODE = Message((Field(1, "name"), Field(2, "op"), Field(3, "input")))
_GRAPH = Message((Field(1, "node", _NODE),))


@dataclasses.dataclass(frozen=True)
class FrozenGraph:
    """The tensors that a graph takes and gives; `has_variables`: their values are in another file."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    has_variables: bool


def kind_of(path: Path) -> Kind | None:
    """Return the kind of a file that has to be converted to be served; None for any other file.

    A file of Keras that cannot be read is taken for a whole model.
    """
    suffix = path.suffix.lower()
    if suffix in KERAS_SUFFIXES:
        return _keras_kind(path)
    if CHECKPOINT.fullmatch(path.name):
        return _checkpoint_kind(path)
    if suffix == ".tflite":
        return "tflite"
    if suffix == ".onnx":
        return "onnx"
    if is_graph(path):
        return "graph"
    return "tfjs" if suffix == ".json" and b'"modelTopology"' in _head(path) else None


def is_graph(path: Path) -> bool:
    """Whether a file in place of a SavedModel is a single graph (GraphDef), as TensorFlow 1 writes frozen models."""
    return path.suffix.lower() == ".pb" and _FIRST_NODE.match(_head(path)) is not None


def checkpoint_prefix(path: Path) -> Path:
    """Return the path without `.index`, `.meta` or `.data-00000-of-00001`: what TensorFlow calls a checkpoint."""
    if path.name == "checkpoint":
        found = sorted(path.parent.glob("*.index"))
        path = found[-1] if found else path
    return path.with_name(_PART.sub("", path.name))


def frozen_graph(path: Path) -> FrozenGraph | None:
    """Return the inputs and outputs of a graph file, None if it cannot be read."""
    try:
        with path.open("rb") as file:
            nodes = protobuf_reader.read(file, path.stat().st_size, _GRAPH).get("node", [])
    except (OSError, ValueError):
        return None
    used = {tensor.lstrip("^").partition(":")[0] for node in nodes for tensor in node.get("input", [])}
    names = [(node.get("name", [""])[0], node.get("op", [""])[0]) for node in nodes]
    return FrozenGraph(
        inputs=tuple(name for name, op in names if op == "Placeholder"),
        outputs=tuple(name for name, op in names if name not in used and op not in _NO_OUTPUT),
        has_variables=any(op in _VARIABLES for _name, op in names),
    )


def _keras_kind(path: Path) -> Kind:
    if path.name.lower().endswith(".weights.h5"):
        return "keras-weights"
    if not _head(path).startswith(_HDF5):
        return "keras"
    if not _contains(path, b"model_config"):
        return "keras-weights"
    return "keras-hdf5" if path.suffix.lower() == ".keras" else "keras"


def _checkpoint_kind(path: Path) -> Kind:
    prefix = checkpoint_prefix(path)
    if prefix.with_name(f"{prefix.name}.meta").is_file():
        return "graph-checkpoint"
    index = prefix.with_name(f"{prefix.name}.index")
    if _contains(index, b"layer_with_weights-"):
        return "keras-checkpoint"
    return "object-checkpoint" if _contains(index, b"_CHECKPOINTABLE_OBJECT_GRAPH") else "checkpoint"


def _contains(path: Path, text: bytes) -> bool:
    """Whether the bytes are in the first part of the file."""
    last = b""
    try:
        with path.open("rb") as file:
            while file.tell() < _SEARCHED_BYTES and (data := file.read(1 << 20)):
                if text in last + data:
                    return True
                last = data[-len(text) :]
    except OSError:
        pass
    return False


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD)
    except OSError:
        return b""
