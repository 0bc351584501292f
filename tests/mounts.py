"""File systems of a test's own, to be full or read-only; the test is skipped where mounting is not permitted."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def mounted(directory: Path, options: str) -> Iterator[Path]:
    """Mount a file system in memory at a new directory, with options such as `size=60k` or `ro`."""
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"{options},mode=700", "tmpfs", str(directory)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not permitted")
    try:
        yield directory
    finally:
        # Lazily: a cache that this process has used there stays locked until the process ends.
        subprocess.run(["umount", "--lazy", str(directory)], check=True)


def fill(disk: Path) -> Path:
    """Fill a disk; return the file to delete."""
    with (filler := disk / "filler").open("wb", buffering=0) as file:
        while True:
            try:
                file.write(bytes(4096))
            except OSError:
                return filler


def leave(disk: Path, room: int) -> Path:
    """Fill a disk but for so many bytes; return the file to delete."""
    filler = fill(disk)
    os.truncate(filler, max(filler.stat().st_size - room, 0))
    return filler
