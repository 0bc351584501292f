"""Folders by content: made once, whole or not at all, found again by name; the oldest go when there are too many."""

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

KEPT = 10
_BUILDING = "building-"


class Cache:
    """A directory of such folders, of which the `kept` used last stay."""

    def __init__(self, root: Path, kept: int = KEPT) -> None:
        self._root = root
        self._kept = kept

    def entry(self, key: Any, fill: Callable[[Path], None]) -> Path:
        """The folder for `key` (plain JSON); `fill` writes its files where it is not there yet."""
        found = self._root / hashlib.sha256(json.dumps(key).encode()).hexdigest()
        return self._used(found) if found.is_dir() else self.put(fill, lambda _: found.name)

    def put(self, fill: Callable[[Path], None], name: Callable[[Path], str]) -> Path:
        """A folder that `fill` writes, under the name that `name` gives it when it is written."""
        self._root.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(dir=self._root, prefix=_BUILDING))
        try:
            fill(building)
            found = self._root / name(building)
            try:
                building.rename(found)
            except OSError:
                if not found.is_dir():  # else it is there already, or another process was faster
                    raise
        finally:
            shutil.rmtree(building, ignore_errors=True)
        return self._used(found)

    def _used(self, folder: Path) -> Path:
        os.utime(folder)
        made = [path for path in self._root.iterdir() if not path.name.startswith(_BUILDING)]
        by_age = sorted(made, key=_last_use, reverse=True)
        for old in by_age[self._kept :]:
            shutil.rmtree(old, ignore_errors=True)
        return folder


def content_digest(folder: Path) -> str:
    """sha256 over names and bytes of all files below a folder."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(json.dumps([path.relative_to(folder).as_posix(), path.stat().st_size]).encode())
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _last_use(folder: Path) -> float:
    with contextlib.suppress(FileNotFoundError):
        return folder.stat().st_mtime
    return 0.0
