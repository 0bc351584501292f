"""Memory: what processes hold, what this machine has, and how large a model is at least.

A node counts with its proportional set size (PSS): pages that it shares with its fork server and its siblings, such as
the framework, count in parts. Fork servers themselves do not count: there are few, and no model is in them. Where the
system does not tell the PSS, the resident set size counts, which is larger.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Collection
from pathlib import Path

from aip_magics.prediction.machine import available as available
from aip_magics.prediction.process_memory import memory_of

NODE_BYTES = 32 << 20  # an interpreter and its share of a framework, before the first is measured
_PICKLES = ("model.joblib", "model.pkl", "model.bst")
_GRAPHS = ("saved_model.pb", "saved_model.pbtxt")
_PROC = Path("/proc")


def measure(pids: Collection[int]) -> dict[int, int]:
    """The bytes of memory that each process holds, without those that have ended or are not told. Blocking."""
    if _PROC.joinpath("self").exists():
        found = {pid: memory_of(pid) or _resident(pid) for pid in pids}
    else:
        found = _told_by_ps(pids)
    return {pid: size for pid, size in found.items() if size}


def can_measure() -> bool:
    """Whether the system tells how much memory a process holds."""
    return os.getpid() in measure([os.getpid()])


def model_bytes(model_dir: Path, *, custom: bool) -> int:
    """The size of the files that a framework loads as a whole; of all files for `custom` code. Blocking.

    A framework needs at least as much memory. Custom code may read as little of its files as it likes.
    """
    if custom:
        return sum(_size(path) for path in model_dir.glob("**/*"))
    pickles = [size for name in _PICKLES if (size := _size(model_dir / name))]
    if pickles:
        return min(pickles)
    return sum(_size(model_dir / name) for name in _GRAPHS) + sum(map(_size, model_dir.glob("variables/**/*")))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0


def _resident(pid: int) -> int:
    try:
        return int(_PROC.joinpath(str(pid), "statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def _told_by_ps(pids: Collection[int]) -> dict[int, int]:
    """For macOS and other systems without /proc. Windows has no `ps`."""
    if not pids:
        return {}
    command = ["ps", "-o", "pid=", "-o", "rss=", "-p", ",".join(map(str, pids))]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return {int(pid): int(size) * 1024 for pid, size in re.findall(r"^\s*(\d+)\s+(\d+)\s*$", told, re.MULTILINE)}
