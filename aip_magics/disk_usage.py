"""The bytes that files occupy on the disk, as `du` counts them: in blocks, and a file once for all its hard links."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import stat
from collections.abc import Iterator
from pathlib import Path

_BLOCK = 512  # bytes; the unit of `st_blocks`, whatever the blocks of the file system are


@dataclasses.dataclass(frozen=True)
class Space:
    """The space of a file or directory.

    Attributes:
        bytes: The bytes that are counted here.
        shared_bytes: The bytes of hard links to files that were counted before.
        files: The number of files, without directories.
    """

    bytes: int = 0
    shared_bytes: int = 0
    files: int = 0

    def __add__(self, other: Space) -> Space:
        return Space(self.bytes + other.bytes, self.shared_bytes + other.shared_bytes, self.files + other.files)


class SpaceCounter:
    """Counts the space of one path after another; a file with several hard links counts for the first path."""

    def __init__(self) -> None:
        self._counted: set[tuple[int, int]] = set()

    def count(self, path: Path) -> Space:
        """Count a file, or a directory with everything below. A path that does not exist has no space."""
        total = shared = files = 0
        for status in _walk(os.fspath(path)):
            size = _allocated(status)
            is_directory = stat.S_ISDIR(status.st_mode)
            files += not is_directory
            if not is_directory and status.st_nlink > 1:
                file = (status.st_dev, status.st_ino)
                if file in self._counted:
                    shared += size
                    continue
                self._counted.add(file)
            total += size
        return Space(total, shared, files)


def disk_bytes(path: Path) -> int:
    """The bytes that a file, or a directory with everything below, occupies."""
    return SpaceCounter().count(path).bytes


def _walk(path: str) -> Iterator[os.stat_result]:
    # Files may vanish while they are counted: other processes work in the directory.
    with contextlib.suppress(FileNotFoundError, PermissionError):
        status = os.lstat(path)
        yield status
        if stat.S_ISDIR(status.st_mode):
            with os.scandir(path) as entries:
                names = [entry.path for entry in entries]
            for name in names:
                yield from _walk(name)


def _allocated(status: os.stat_result) -> int:
    blocks: int | None = getattr(status, "st_blocks", None)  # Windows does not tell
    return status.st_size if blocks is None else blocks * _BLOCK
