"""The effects of TensorFlow operations beyond their tensors (`graph_ops.json`)."""

from __future__ import annotations

from pathlib import Path

PATH = Path(__file__).with_name("graph_ops.json")


def graph_ops_path() -> Path:
    """Return the path of the file, which the worker reads itself."""
    return PATH
