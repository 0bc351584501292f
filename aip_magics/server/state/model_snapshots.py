"""Copies of model directories, named by what is in them: deleting the source must not break a version that is READY.

`<data>/artifacts/<sha256 of the manifest>/` holds the files of one directory as it was when its version was created;
two versions with the same files share it. The blobs of the object store never change, so a hard link is a copy.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

from aip_magics.errors import FailedPrecondition, NotFound
from aip_magics.server.conventions.error_responses import violation

if TYPE_CHECKING:
    from aip_magics.server.gcs import ObjectStore, StoredObject

_BUILDING = "building-"
_FIELD = "version.deployment_uri"

Files = Sequence[tuple[str, "StoredObject"]]  # (path below the directory, object)


def list_model_files(objects: ObjectStore, uri: str) -> Files:
    """The files below a `gs://BUCKET/DIRECTORY`; FailedPrecondition when the bucket or the directory is not there."""
    bucket, _, prefix = uri.removeprefix("gs://").partition("/")
    prefix = f"{prefix.rstrip('/')}/" if prefix.rstrip("/") else ""
    try:
        listed = objects.list(bucket, prefix)
    except NotFound:
        raise violation(FailedPrecondition, _FIELD, f"The bucket gs://{bucket} was not found.") from None
    # `dir/` itself is an empty object by which other tools mark a directory.
    files = [(obj.name[len(prefix) :], obj) for obj in listed if not (obj.name.endswith("/") and obj.size == 0)]
    if not files:
        raise violation(FailedPrecondition, _FIELD, f"Deployment directory {uri} was not found or holds no files.")
    names = {name for name, _ in files}
    for name, obj in files:
        if not _is_safe(name, names):
            text = f"The object gs://{bucket}/{obj.name} cannot become a file of the model directory."
            raise violation(FailedPrecondition, _FIELD, text)
    return sorted(files, key=lambda file: file[0])


def _is_safe(name: str, names: set[str]) -> bool:
    """Whether an object name, which may be anything, is a relative path that stays in the directory."""
    parts = name.split("/")
    if any(part in ("", ".", "..") or len(part.encode()) > 255 for part in parts) or "\0" in name:
        return False
    if any("/".join(parts[:count]) in names for count in range(1, len(parts))):
        return False  # `x` beside `x/y`: two objects, but never a file and a directory
    return os.name != "nt" or not ("\\" in name or PureWindowsPath(name).drive)


def digest(files: Files) -> str:
    """sha256 of the manifest: names, sizes and checksums."""
    # A composed object has no md5: crc32c alone would be too weak, so such an object is only equal to itself.
    lines = [(name, obj.size, obj.crc32c, obj.md5 or [obj.bucket, obj.name, obj.generation]) for name, obj in files]
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()


class ModelSnapshots:
    """The folder of copies. Blocking: call `make` in a thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, name: str) -> Path:
        return self._folder / name

    def make(self, objects: ObjectStore, files: Files) -> str:
        """Copy the files, whole or not at all; returns the name of the copy.

        FileNotFoundError when an object was deleted or replaced since it was listed.
        """
        name = digest(files)
        if self.path(name).is_dir():
            return name
        building = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=self._folder))
        try:
            for relative, obj in files:
                target = building / relative
                target.parent.mkdir(parents=True, exist_ok=True)
                _link(objects.path(obj), target)
            building.rename(self.path(name))
        except OSError:
            shutil.rmtree(building, ignore_errors=True)
            if not self.path(name).is_dir():  # else another create of the same files was faster
                raise
        return name

    def remove(self, name: str) -> None:
        shutil.rmtree(self.path(name), ignore_errors=True)

    def keep_only(self, needed: Iterable[str]) -> None:
        """At start: remove the copies that no version needs, and what a killed server left half built."""
        for name in set(os.listdir(self._folder)) - set(needed):
            self.remove(name)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without hard links, or too many of them
        shutil.copyfile(source, target)
