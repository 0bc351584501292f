"""Cache of directories: each is built once in a temporary directory and renamed when it is complete.

Several processes share a cache. What one of them uses is marked (`directory_use`), so that no other one deletes it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import math
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aip_magics.directory_use import DirectoryUse, is_free
from aip_magics.disk_usage import disk_bytes

# Four models of the size that the service accepts on its default machines (500 MB); a larger one is kept alone.
MAX_BYTES = 2 << 30
MAX_AGE = 30 * 86_400.0  # seconds without use

_BUILDING, _DELETING = "building-", "deleting-"  # followed by the process that does it
# Only such names are ever deleted: a directory of this name may be the user's own, where --data-dir was mistyped.
_NAME = re.compile(r"[0-9a-f]{64}")
_REMAINS = re.compile(rf"(?:{_BUILDING}|{_DELETING})([0-9a-f]{{16}})-.+")
_EARLIER_REMAINS = re.compile(rf"{_BUILDING}[a-z0-9_]{{8}}")  # of earlier versions of aip-magics, by mkdtemp
_EARLIER_AGE = 86_400.0  # seconds; an earlier version may be building it


@dataclasses.dataclass(frozen=True)
class CacheEntry:
    """An entry, or what a killed process left of one: its name, and the bytes that it occupies."""

    name: str
    bytes: int


def _keep_none(_name: str) -> bool:
    return False


class DirectoryCache:
    """Directories below `root`, by name. An interrupted build leaves no entry.

    After a build, entries without use for `max_age` seconds are deleted, and the least recently used ones beyond
    `max_bytes`: never the one just built, none that another live process uses, and none that a running command of this
    process asked for (`directory_use.keep_entries`). With `math.inf` all are kept.
    """

    def __init__(self, root: Path, *, max_bytes: float = MAX_BYTES, max_age: float = MAX_AGE) -> None:
        self.root = root
        self._max_bytes = max_bytes
        self._max_age = max_age
        self._use = DirectoryUse(root)

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
            name: Name of the directory, a sha256 digest in hexadecimal; it should identify the content.
            build: Writes the files into an empty directory; called if there is no usable entry.
            lock_timeout: Seconds to wait for another process that builds the same entry. None: without a lock both
                build it, and the first one to complete wins.
            is_usable: Whether an existing entry is complete.

        Raises:
            TimeoutError: The lock was held for longer than `lock_timeout`.
        """
        entry = self.root / name
        if self._claim(entry, is_usable):
            return entry
        if lock_timeout is None:
            return self._build(build, lambda _building: name, is_usable)
        with self._use.building(name, lock_timeout):
            if self._claim(entry, is_usable):
                return entry
            return self._build(build, lambda _building: name, is_usable)

    def add(self, build: Callable[[Path], None], name_of: Callable[[Path], str]) -> Path:
        """Build an entry whose name `name_of` takes from its content."""
        return self._build(build, name_of, Path.is_dir)

    def claim(self, name: str) -> bool:
        """Mark an entry, which this process got before, as used again; False if there is none any more."""
        return self._claim(self.root / name, Path.is_dir)

    def find_unused(
        self, is_kept: Callable[[str], bool] = _keep_none, *, max_bytes: float = 0, max_age: float = 0
    ) -> list[CacheEntry]:
        """Find what `remove_unused` would delete."""
        if not self.root.is_dir():
            return []
        with self._use.locked():
            return self._find_unused(is_kept, max_bytes, max_age)

    def remove_unused(
        self, is_kept: Callable[[str], bool] = _keep_none, *, max_bytes: float = 0, max_age: float = 0
    ) -> list[CacheEntry]:
        """Delete entries that no other live process uses, and what killed processes left.

        Args:
            is_kept: Whether the entry of this name must stay. Called while no process can add or claim an entry.
            max_bytes: The most recently used entries stay, as long as all that stay have at most so many bytes.
            max_age: Entries without use for so many seconds are deleted, whatever their size.

        Returns:
            What was deleted.
        """
        if not self.root.is_dir():
            return []
        with self._use.locked():
            unused = self._find_unused(is_kept, max_bytes, max_age)
            doomed = {entry: self._set_aside(self.root / entry.name) for entry in unused}
        for path in doomed.values():
            _delete(path)
        return [entry for entry, path in doomed.items() if path is not None]

    def _claim(self, entry: Path, is_usable: Callable[[Path], bool]) -> bool:
        """Mark a usable entry as used by this process; False if there is none."""
        if not is_usable(entry):
            return False
        try:
            with self._use.locked():
                if not is_usable(entry):  # deleted since
                    return False
                self._mark(entry)
        except OSError:  # a read-only or full disk: the entry can be used, but is not protected
            return is_usable(entry)
        return True

    def _build(
        self, build: Callable[[Path], None], name_of: Callable[[Path], str], is_usable: Callable[[Path], bool]
    ) -> Path:
        with self._use.locked():
            process = self._use.process()
        building = Path(tempfile.mkdtemp(dir=self.root, prefix=f"{_BUILDING}{process}-"))
        replaced = None
        try:
            build(building)
            entry = self.root / name_of(building)
            with self._use.locked():
                if not is_usable(entry):  # otherwise it exists, or another process was faster
                    replaced = self._set_aside(entry) if entry.exists() else None
                    building.rename(entry)
                self._mark(entry)
        finally:
            _delete(building)
            _delete(replaced)
        self.remove_unused(lambda name: name == entry.name, max_bytes=self._max_bytes, max_age=self._max_age)
        return entry

    def _mark(self, entry: Path) -> None:
        with contextlib.suppress(OSError):  # a full disk: the entry can be used, but is not protected
            os.utime(entry)
            self._use.mark(entry.name)

    def _find_unused(self, is_kept: Callable[[str], bool], max_bytes: float, max_age: float) -> list[CacheEntry]:
        used = self._use.names_in_use()
        paths = [path for path in self.root.iterdir() if _NAME.fullmatch(path.name) and path.is_dir()]
        paths.sort(key=_last_use, reverse=True)
        size = functools.cache(disk_bytes)

        @functools.cache
        def stays(name: str) -> bool:
            return name in used or is_kept(name)

        unused, room, oldest = self._find_remains(), max_bytes, time.time() - max_age
        if 0 < max_bytes < math.inf:
            room -= sum(size(path) for path in paths if stays(path.name))
        for path in paths:
            if _last_use(path) <= oldest or (room < math.inf and size(path) > room):
                if not stays(path.name):
                    unused.append(CacheEntry(path.name, size(path)))
            elif room < math.inf and not stays(path.name):
                room -= size(path)
        return unused

    def _find_remains(self) -> list[CacheEntry]:
        """Find what killed processes left: half-built and half-deleted entries."""
        remains = []
        for path in self.root.iterdir():
            match = _REMAINS.fullmatch(path.name)
            if (match and not self._use.is_alive(match[1])) or _is_earlier(path):
                remains.append(CacheEntry(path.name, disk_bytes(path)))
        return remains

    def _set_aside(self, path: Path) -> Path | None:
        """Rename what is to be deleted, which takes no time; None where the system refuses because it is open."""
        for note in self.root.glob(f"{path.name}.*"):  # what belongs to the entry, but must not be in it
            with contextlib.suppress(OSError):
                note.unlink()
        aside = self.root / f"{_DELETING}{self._use.process()}-{path.name[-8:]}-{time.monotonic_ns():x}"
        try:
            path.rename(aside)
        except OSError:
            return None
        return aside


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


def _delete(path: Path | None) -> None:
    if path is not None and path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    elif path is not None:
        path.unlink(missing_ok=True)


def _is_earlier(path: Path) -> bool:
    """Whether a killed process of an earlier version of aip-magics left this.

    `.NAME.partial`, `.NAME.lock`, or `building-ABCDEFGH`, which also has the mode that mkdtemp gives.
    """
    if _EARLIER_REMAINS.fullmatch(path.name):
        with contextlib.suppress(FileNotFoundError):  # that version does not know our lock
            status = path.lstat()
            is_old = status.st_mtime < time.time() - _EARLIER_AGE
            return status.st_mode == stat.S_IFDIR | 0o700 and is_old
        return False
    match = re.fullmatch(rf"\.({_NAME.pattern})\.(?:partial(?:\.tmp)?|lock)", path.name)
    return bool(match and is_free(path.with_name(f".{match[1]}.lock")))
