"""Cache of directories: each is built once in a temporary directory and renamed when it is complete."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

MAX_ENTRIES = 10
_BUILDING = "building-"


class DirectoryCache:
    """Directories below `root`, by name. An interrupted build leaves no entry.

    `max_entries`: the least recently used entries beyond that number are deleted; None: entries are never deleted here.
    """

    def __init__(self, root: Path, *, max_entries: int | None = MAX_ENTRIES) -> None:
        self._root = root
        self._max_entries = max_entries

    def get_or_build(
        self,
        name: str,
        build: Callable[[Path], None],
        *,
        lock_timeout: float | None = None,
        is_usable: Callable[[Path], bool] = Path.is_dir,
    ) -> Path:
        """The entry of this name.

        Args:
            name: Name of the directory; it should identify the content.
            build: Writes the files into an empty directory; called if there is no usable entry.
            lock_timeout: Seconds to wait for another process that builds the same entry. None: without a lock both
                build it, and the first one to complete wins.
            is_usable: Whether an existing entry is complete.

        Raises:
            TimeoutError: The lock was held for longer than `lock_timeout`.
        """
        entry = self._root / name
        if not is_usable(entry):
            self._root.mkdir(parents=True, exist_ok=True)
            if lock_timeout is None:
                self._build(build, lambda _building: name)
            else:
                self._build_locked(entry, build, lock_timeout, is_usable)
        return self._used(entry)

    def add(self, build: Callable[[Path], None], name_of: Callable[[Path], str]) -> Path:
        """Build an entry whose name `name_of` takes from its content."""
        self._root.mkdir(parents=True, exist_ok=True)
        return self._used(self._build(build, name_of))

    def _build(self, build: Callable[[Path], None], name_of: Callable[[Path], str]) -> Path:
        building = Path(tempfile.mkdtemp(dir=self._root, prefix=_BUILDING))
        try:
            build(building)
            entry = self._root / name_of(building)
            try:
                building.rename(entry)
            except OSError:
                if not entry.is_dir():  # otherwise it exists, or another process was faster
                    raise
        finally:
            shutil.rmtree(building, ignore_errors=True)
        return entry

    def _build_locked(
        self, entry: Path, build: Callable[[Path], None], timeout: float, is_usable: Callable[[Path], bool]
    ) -> None:
        import filelock

        with filelock.FileLock(self._root / f".{entry.name}.lock", timeout=timeout):
            if is_usable(entry):
                return
            building = self._root / f".{entry.name}.partial"  # if it exists, its process has died: the lock is ours
            for path in (building, entry):
                if path.exists():
                    shutil.rmtree(path)
            building.mkdir()
            try:
                build(building)
                os.rename(building, entry)
            finally:
                shutil.rmtree(building, ignore_errors=True)

    def _used(self, entry: Path) -> Path:
        """Note that the entry is in use, and delete the least recently used ones."""
        if self._max_entries is not None:
            os.utime(entry)
            entries = [path for path in self._root.iterdir() if not path.name.startswith((_BUILDING, "."))]
            entries.sort(key=_last_use, reverse=True)
            for old in entries[self._max_entries :]:
                shutil.rmtree(old, ignore_errors=True)
        return entry


def key_digest(key: Any) -> str:
    """A name for an entry: sha256 over plain JSON."""
    return hashlib.sha256(json.dumps(key).encode()).hexdigest()


def directory_digest(directory: Path) -> str:
    """sha256 over names and bytes of all files below a directory."""
    digest = hashlib.sha256()
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        digest.update(json.dumps([path.relative_to(directory).as_posix(), path.stat().st_size]).encode())
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _last_use(entry: Path) -> float:
    with contextlib.suppress(FileNotFoundError):
        return entry.stat().st_mtime
    return 0.0
