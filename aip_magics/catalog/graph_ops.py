"""What each operation of TensorFlow can reach beyond its tensors (`graph_ops.json`)."""

from __future__ import annotations

from pathlib import Path

PATH = Path(__file__).with_name("graph_ops.json")


def graph_ops_path() -> Path:
    """The judgement as a file, for a worker, which reads it itself."""
    return PATH
